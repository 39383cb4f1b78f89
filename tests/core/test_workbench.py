"""The use cases that every door shares, on a model of three layers."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

from studio_core.errors import (
    ForbiddenPathError,
    InfeasibleError,
    InvalidModelError,
    InvalidRequestError,
    NotFoundError,
    StudioError,
)
from studio_core.sensitivity.documents import to_document
from studio_core.workbench import Workbench

FIELDS = {"sparsities": [0.5, 0.7, 0.9], "pruning_profile": "uniform"}


@pytest.fixture
def workbench(tmp_path) -> Workbench:
    return Workbench(tmp_path / "projects")


@pytest.fixture
def project(workbench, mlp):
    return workbench.create_project(mlp.model.path, {"projectName": "mine"})


def test_a_project_is_made_found_changed_and_deleted(workbench, mlp, project):
    assert project.name == "mine"
    assert [p.id for p in workbench.projects()] == [project.id]
    assert workbench.project(project.id).id == project.id
    assert workbench.find_project("mine").id == workbench.find_project(project.id).id
    changed = workbench.update_project(project.id, {"projectName": "yours", "projectId": "no"})
    assert (changed.id, changed.name) == (project.id, "yours")
    workbench.delete_project(project.id)
    assert workbench.projects() == ()
    with pytest.raises(NotFoundError, match=f"Project {project.id} does not exist"):
        workbench.project(project.id)
    assert mlp.model.path.exists()


def test_the_name_defaults_to_that_of_the_file(workbench, mlp):
    assert workbench.create_project(mlp.model.path, {}).name == "model"


def test_two_of_one_name_are_told_apart(workbench, mlp, project):
    other = workbench.create_project(mlp.model.path, {"projectName": "mine"})
    with pytest.raises(InvalidRequestError) as error:
        workbench.find_project("mine")
    assert project.id in str(error.value) and other.id in str(error.value)
    with pytest.raises(NotFoundError, match="studio create"):
        workbench.find_project("nobody")


def test_a_project_works_on_its_own_copy(workbench, write_model, mlp):
    source = write_model(mlp.model.path.read_bytes())
    project = workbench.create_project(source, {})
    source.unlink()
    assert len(workbench.layers(project.id)) == 3


def test_external_data_comes_along(workbench, generated):
    path = generated("many_layers", num_layers=40, external_data=True)
    project = workbench.create_project(path, {})
    mine = workbench.session(project.id)
    assert mine.model.data_files and project.folder in mine.model.data_files[0].parents
    assert len(mine.loss.curves) == 40


@pytest.mark.parametrize("content", [b"", b"text\n" * 100, b"\x08\x0a:\xff\xff\x03"])
def test_what_is_no_model_leaves_no_project(workbench, write_model, content):
    with pytest.raises(InvalidModelError):
        workbench.create_project(write_model(content), {})
    with pytest.raises(NotFoundError):
        workbench.projects()


def test_models_come_from_allowed_folders_only(tmp_path, mlp):
    root = tmp_path / "models"
    root.mkdir()
    (root / "m.onnx").write_bytes(mlp.model.path.read_bytes())
    workbench = Workbench(tmp_path / "projects", [root])
    assert workbench.create_project("m.onnx", {}).name == "m"
    for path in (str(mlp.model.path), "../secret.onnx", "/etc/passwd"):
        with pytest.raises((ForbiddenPathError, NotFoundError)):
            workbench.create_project(path, {})


def test_an_unknown_project_is_not_found_whatever_is_asked(workbench, project):
    calls = [
        lambda: workbench.session("no"),
        lambda: workbench.layers("no"),
        lambda: workbench.estimate("no", "loss"),
        lambda: workbench.run_estimate("no", "loss", "a"),
        lambda: workbench.save_analysis("no", "loss", "a", {"layerSensitivities": []}),
        lambda: workbench.analysis_document("no", "loss"),
        lambda: workbench.plan("no", 0.5),
        lambda: workbench.export_recipe("no", FIELDS),
        lambda: workbench.save_recipe("no", FIELDS, "r.yaml"),
        lambda: workbench.update_project("no", {}),
        lambda: workbench.delete_project("no"),
    ]
    for call in calls:
        with pytest.raises(NotFoundError, match="Project no does not exist"):
            call()


def test_the_opened_model_is_kept_while_its_file_stays(workbench, project):
    first = workbench.session(project.id)
    assert workbench.session(project.id) is first
    first.model.path.touch()
    assert workbench.session(project.id) is not first


def test_estimates(workbench, project):
    loss = workbench.estimate(project.id, "loss")
    assert loss.metric.name == "magnitude" and len(loss.curves) == 3
    share = workbench.estimate(project.id, "loss", metric="l2_share", levels=[0.5, 1.0])
    assert [c.losses[-1] for c in share.curves] == pytest.approx([1, 1, 1])
    full = workbench.estimate(project.id, "perf", resolution="full")
    assert [c.flops.size for c in full.curves] == [12, 24, 8]
    for wrong in ({"resolution": "some"}, {"metric": "some"}, {"levels": [2.0]}):
        with pytest.raises(InvalidRequestError):
            workbench.estimate(project.id, "loss", **wrong)


def test_analyses_are_kept_word_for_word(workbench, project):
    for kind in ("loss", "perf"):
        document = to_document(workbench.estimate(project.id, kind))
        document["note"] = {"anything": [1, None, "é"]}
        workbench.save_analysis(project.id, kind, "mine", document)
        assert workbench.analysis_document(project.id, kind, "mine") == document
        assert workbench.analysis_document(project.id, kind) == document
        assert workbench.analysis(project.id, kind, "mine").name == "mine"


def test_the_latest_of_a_kind_is_of_that_kind(workbench, project):
    workbench.run_estimate(project.id, "loss", "one")
    workbench.run_estimate(project.id, "perf", "two")
    assert workbench.analysis_document(project.id, "loss")["kind"] == "loss"
    assert workbench.analysis_document(project.id, "perf")["kind"] == "perf"


def test_a_faulty_analysis_is_not_kept(workbench, project):
    with pytest.raises(InvalidRequestError):
        workbench.save_analysis(project.id, "loss", "bad", {"layerSensitivities": [{}]})
    with pytest.raises(NotFoundError):
        workbench.analysis_document(project.id, "loss", "bad")


@pytest.mark.parametrize("name", ["approx", "../x", "a/b", "", ".", "..", "a\0b", "x" * 500])
def test_names_that_an_analysis_may_not_have(workbench, project, name):
    with pytest.raises(StudioError):
        workbench.run_estimate(project.id, "loss", name)


def test_plans(workbench, project):
    plan, estimate = workbench.plan(project.id, 0.5)
    assert abs(estimate.num_zeros - 22) <= 2  # whole weights in each of three layers
    locked, _ = workbench.plan(project.id, 0.5, locked={"a": 0.0})
    assert locked.sparsities["a"] == 0.0
    with pytest.raises(InfeasibleError):
        workbench.plan(project.id, 0.99)
    json.dumps(plan.to_document(), allow_nan=False)


def test_a_recipe_and_its_file(workbench, project):
    text = workbench.save_recipe(project.id, FIELDS, "recipe.yaml")
    assert text == workbench.export_recipe(project.id, FIELDS)
    assert (project.folder / "exports" / "recipe.yaml").read_text("utf-8") == text
    assert "first_weight" not in text and "second_weight" in text
    with pytest.raises(InvalidRequestError, match="Missing required field"):
        workbench.export_recipe(project.id, {})
    with pytest.raises(NotFoundError):
        workbench.export_recipe(project.id, {**FIELDS, "loss_analysis": "none"})
    for name in ("../r.yaml", "/tmp/r.yaml", "a/b.yaml", ""):
        with pytest.raises(StudioError):
            workbench.save_recipe(project.id, FIELDS, name)
    assert [e.tag for e in yaml.parse(text) if getattr(e, "tag", None)].count(
        "!GMPruningModifier"
    ) == 1


def test_a_recipe_from_a_saved_analysis(workbench, project):
    losses = {"a": 0.1, "b": 0.2, "y": 0.9}
    entries = [
        {"id": i, "baseline": {"loss": 0}, "sparse": [{"sparsity": 0.5, "loss": v}]}
        for i, v in losses.items()
    ]
    workbench.save_analysis(project.id, "loss", "mine", {"layerSensitivities": entries})
    fields = {"sparsities": [0.8], "pruning_profile": "loss", "loss_analysis": "mine"}
    text = workbench.export_recipe(project.id, fields)
    # a is the first layer, y the most sensitive of the others.
    assert "second_weight" in text and "third_weight" not in text


def test_values_of_a_session_are_computed_once(workbench, project):
    session = workbench.session(project.id)
    assert session.loss is session.loss and session.planner is session.planner
    assert session.layer("a").name == "first_weight" and session.layer("no") is None
    assert np.isfinite(session.loss.curves[0].losses).all()
