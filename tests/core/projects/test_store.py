from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from studio_core.errors import (
    ConflictError,
    ForbiddenPathError,
    InvalidRequestError,
    NotFoundError,
    StorageError,
)
from studio_core.projects import Project, ProjectStore


def manifest(project: Project) -> Path:
    return project.folder / "project.json"


def test_a_created_project_is_a_readable_folder(
    store: ProjectStore, project: Project, model_path: Path
) -> None:
    assert project.folder.name == f"test-project-{project.id[:8]}"
    assert project.folder.parent == store.root
    assert project.model_path is not None
    assert project.model_path == project.folder / "model" / "net.onnx"
    assert project.model_path.read_bytes() == model_path.read_bytes()
    written = json.loads(manifest(project).read_text())
    assert written["projectId"] == project.id
    assert written["config"] == {"epochs": 3}
    assert written["model"]["size"] == 8000
    assert written["model"]["sourcePath"] == str(model_path)
    assert {p.name for p in project.folder.iterdir()} == {
        "project.json", "model", "analyses", "plans", "data", "exports",
    }  # fmt: skip


def test_what_is_created_is_what_is_listed_and_got(store: ProjectStore, project: Project) -> None:
    assert store.projects() == (project,)
    assert ProjectStore(store.root).get(project.id) == project


def test_the_copy_shares_nothing_with_the_source(project: Project, model_path: Path) -> None:
    assert project.model_path is not None
    with project.model_path.open("r+b") as file:
        file.write(b"CHANGED")
    assert model_path.read_bytes().startswith(b"a model")


def test_external_data_keeps_its_place_beside_the_model(
    store: ProjectStore, model_path: Path
) -> None:
    (model_path.parent / "weights").mkdir()
    absolute, relative = model_path.parent / "weights" / "a.bin", Path("b.bin")
    absolute.write_bytes(b"A")
    (model_path.parent / relative).write_bytes(b"B")
    project = store.create(model_path, {}, [absolute, relative])
    assert (project.folder / "model/weights/a.bin").read_bytes() == b"A"
    assert (project.folder / "model/b.bin").read_bytes() == b"B"
    assert project.model is not None
    assert project.model.external_files == ("model/weights/a.bin", "model/b.bin")


@pytest.mark.parametrize("place", ["../outside.bin", "/etc/hostname"])
def test_external_data_outside_is_refused_and_leaves_nothing(
    store: ProjectStore, model_path: Path, place: str
) -> None:
    (model_path.parent.parent / "outside.bin").write_bytes(b"x")
    with pytest.raises(InvalidRequestError, match="outside the model's folder"):
        store.create(model_path, {}, [Path(place)])
    assert list(store.root.iterdir()) == []


def test_two_projects_may_bear_one_name(store: ProjectStore, model_path: Path) -> None:
    first, second = (store.create(model_path, {"projectName": "same"}) for _ in range(2))
    assert first.id != second.id
    assert {p.id for p in store.projects()} == {first.id, second.id}


def test_a_project_without_a_name_bears_the_models(store: ProjectStore, model_path: Path) -> None:
    assert store.create(model_path, {}).name == "net"


def test_a_missing_root_is_said_and_reading_does_not_make_it(store: ProjectStore) -> None:
    with pytest.raises(NotFoundError, match=f"^Path {store.root} does not exist$"):
        store.projects()
    assert not store.root.exists()


def test_reading_changes_nothing(store: ProjectStore, project: Project) -> None:
    store.save_analysis(project.id, "loss", "one", {"a": 1})
    before = {p: p.stat().st_mtime_ns for p in store.root.rglob("*")}
    store.projects(), store.get(project.id), store.analyses(project.id, "loss")
    store.analysis(project.id, "loss", "one"), store.latest_analysis(project.id, "loss")
    assert {p: p.stat().st_mtime_ns for p in store.root.rglob("*")} == before


def test_update_merges_settings_and_keeps_the_id(store: ProjectStore, project: Project) -> None:
    sent = {"projectId": "another", "revision": 99, "projectName": "new name", "rate": 0.1}
    changed = store.update(project.id, sent)
    assert changed == store.get(project.id)
    assert (changed.id, changed.name) == (project.id, "new name")
    assert changed.config == {"epochs": 3, "rate": 0.1}
    assert changed.revision == project.revision + 1
    assert changed.created_at == project.created_at < changed.updated_at
    assert changed.folder == project.folder


def test_an_update_of_an_old_revision_is_a_conflict(store: ProjectStore, project: Project) -> None:
    store.update(project.id, {"a": 1}, revision=project.revision)
    with pytest.raises(ConflictError, match="changed by somebody else"):
        store.update(project.id, {"a": 2}, revision=project.revision)
    assert store.get(project.id).config["a"] == 1


def deep(levels: int) -> object:
    return [] if levels == 0 else [deep(levels - 1)]


@pytest.mark.parametrize(
    "config",
    [
        {"projectName": ""},
        {"projectName": "  "},
        {"projectName": 3},
        {"projectName": None},
        {"projectName": "x" * 201},
        {"a": float("nan")},
        {"a": float("inf")},
        {"a": object()},
        {"a": deep(70)},
        {"a": "x" * (5 << 20)},
    ],
    ids=lambda config: str(config)[:20],
)
def test_settings_that_cannot_be_kept_change_nothing(
    store: ProjectStore, project: Project, config: dict[str, object]
) -> None:
    with pytest.raises(InvalidRequestError):
        store.update(project.id, config)
    assert store.get(project.id) == project


@pytest.mark.parametrize("unknown", ["", "x", "../..", "0" * 36, "a\0b", "é" * 300])
def test_an_unknown_project_is_named(store: ProjectStore, project: Project, unknown: str) -> None:
    with pytest.raises(NotFoundError) as error:
        store.get(unknown)
    assert str(error.value) == f"Project {unknown} does not exist"
    with pytest.raises(NotFoundError):
        store.delete(unknown)


def test_delete_removes_the_folder_and_only_it(
    store: ProjectStore, project: Project, model_path: Path
) -> None:
    other = store.create(model_path, {"projectName": "other"})
    store.delete(project.id)
    assert store.projects() == (other,)
    assert not project.folder.exists()
    assert model_path.exists()
    with pytest.raises(NotFoundError):
        store.update(project.id, {})


def test_a_renamed_folder_is_the_same_project(store: ProjectStore, project: Project) -> None:
    project.folder.rename(store.root / "my own name")
    assert store.get(project.id).folder.name == "my own name"
    assert store.update(project.id, {"a": 1}).config["a"] == 1
    store.delete(project.id)
    assert store.projects() == ()


BROKEN = {
    "empty": "",
    "half": '{"formatVersion": 1, "proj',
    "list": "[1]",
    "nan": '{"formatVersion": NaN}',
    "nested": "[" * 100_000,
    "not text": "\udcff",
    "newer": '{"formatVersion": 99}',
    "no id": '{"formatVersion": 1}',
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_project_is_listed_with_its_fault_and_hides_no_other(
    store: ProjectStore, project: Project, model_path: Path, text: str
) -> None:
    broken = store.create(model_path, {"projectName": "broken"})
    manifest(broken).write_bytes(text.encode(errors="surrogateescape"))
    listed = {p.id: p for p in store.projects()}
    assert listed.keys() == {project.id, broken.folder.name}
    fault = listed[broken.folder.name].fault
    assert fault is not None and "project.json" in fault
    with pytest.raises(StorageError, match="cannot be opened"):
        store.get(broken.folder.name)
    store.delete(broken.folder.name)
    assert store.projects() == (project,)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("projectId", "../../etc"),
        ("projectName", 3),
        ("revision", True),
        ("config", []),
        ("model", None),
        ("model", {"file": "../../../etc/passwd"}),
    ],
)
def test_a_manifest_with_a_wrong_value_is_a_fault(
    store: ProjectStore, project: Project, key: str, value: object
) -> None:
    document = json.loads(manifest(project).read_text())
    document[key] = value
    manifest(project).write_text(json.dumps(document))
    (listed,) = store.projects()
    assert listed.fault is not None and not listed.is_readable


def test_a_manifest_may_not_lead_out_of_its_folder(store: ProjectStore, project: Project) -> None:
    document = json.loads(manifest(project).read_text())
    document["model"]["file"] = "../../source/net.onnx"
    manifest(project).write_text(json.dumps(document))
    (listed,) = store.projects()
    assert listed.model_path is None and "leads out of" in str(listed.fault)


def test_a_missing_or_changed_model_is_a_fault_of_a_readable_project(
    store: ProjectStore, project: Project
) -> None:
    assert project.model_path is not None
    project.model_path.write_bytes(b"shorter")
    changed = store.get(project.id)
    assert "changed after" in str(changed.fault) and changed.model_path is not None
    project.model_path.unlink()
    missing = store.get(project.id)
    assert "is missing" in str(missing.fault) and missing.model_path is None
    assert store.update(project.id, {"a": 1}).config["a"] == 1


def test_a_copied_folder_is_told_and_the_original_kept(
    store: ProjectStore, project: Project
) -> None:
    copy = store.root / f"A copy of {project.folder.name}"
    copy.mkdir()
    (copy / "project.json").write_bytes(manifest(project).read_bytes())
    listed = {p.id: p for p in store.projects()}
    assert listed[project.id] == store.get(project.id) == project
    assert "is a copy of the folder" in str(listed[copy.name].fault)


def test_other_things_in_the_root_are_no_projects(store: ProjectStore, project: Project) -> None:
    (store.root / "notes.txt").write_text("mine")
    (store.root / "folder").mkdir()
    (store.root / ".hidden").mkdir()
    (store.root / ".hidden" / "project.json").write_text("{}")
    (store.root / "dangling").symlink_to("nowhere")
    assert store.projects() == (project,)


def test_a_link_out_of_the_root_is_a_fault(
    store: ProjectStore, project: Project, tmp_path: Path
) -> None:
    away = tmp_path / "away"
    project.folder.rename(away)
    (store.root / "link").symlink_to(away)
    (listed,) = store.projects()
    assert "leads out of" in str(listed.fault) and not listed.is_readable
    store.delete("link")
    assert away.exists() and store.projects() == ()
    assert not any(p.is_symlink() for p in store.root.iterdir())


def test_an_analysis_folder_that_is_a_link_is_not_followed(
    store: ProjectStore, project: Project, tmp_path: Path
) -> None:
    (project.folder / "analyses/loss").rmdir()
    (project.folder / "analyses/loss").symlink_to(tmp_path)
    with pytest.raises(ForbiddenPathError):
        store.save_analysis(project.id, "loss", "out", {})
    assert not (tmp_path / "out.json").exists()


def test_analyses_come_back_equal_and_the_latest_is_known(
    store: ProjectStore, project: Project
) -> None:
    documents = {f"run-{i}": {"n": i, "text": "é\ud800", "big": 2**70} for i in range(20)}
    for name, document in documents.items():
        assert store.save_analysis(project.id, "loss", name, document) == document
        assert store.latest_analysis(project.id, "loss") == document
    assert store.analyses(project.id, "loss") == tuple(reversed(documents))
    assert store.analyses(project.id, "perf") == ()
    for name, document in documents.items():
        assert store.analysis(project.id, "loss", name) == document
    store.save_analysis(project.id, "loss", "run-3", {"again": True})
    assert store.latest_analysis(project.id, "loss") == {"again": True}


def test_the_latest_is_right_when_a_file_comes_from_the_future(
    store: ProjectStore, project: Project
) -> None:
    store.save_analysis(project.id, "perf", "old", {"n": 1})
    tomorrow = time.time() + 86400
    os.utime(project.folder / "analyses/perf/old.json", (tomorrow, tomorrow))
    store.save_analysis(project.id, "perf", "new", {"n": 2})
    assert store.latest_analysis(project.id, "perf") == {"n": 2}


def test_what_is_not_saved_is_said(store: ProjectStore, project: Project) -> None:
    with pytest.raises(NotFoundError, match="No loss analysis is saved"):
        store.latest_analysis(project.id, "loss")
    with pytest.raises(NotFoundError, match="No perf analysis named 'x' is saved"):
        store.analysis(project.id, "perf", "x")
    with pytest.raises(InvalidRequestError, match="say 'loss' or 'perf'"):
        store.analyses(project.id, "../..")


def test_names_that_differ_only_in_case_are_kept_apart(
    store: ProjectStore, project: Project
) -> None:
    store.save_analysis(project.id, "loss", "Run", {})
    store.save_analysis(project.id, "perf", "run", {})
    with pytest.raises(InvalidRequestError, match="differs only in case"):
        store.save_analysis(project.id, "loss", "run", {})


def test_approx_is_reserved_for_the_estimate(store: ProjectStore, project: Project) -> None:
    with pytest.raises(InvalidRequestError, match="'approx' is reserved"):
        store.save_analysis(project.id, "loss", "approx", {})
    store.add_plan(project.id, "approx", lambda _: {"layers": []})


def test_every_save_of_a_plan_is_a_version(store: ProjectStore, project: Project) -> None:
    for _ in range(2):
        store.add_plan(project.id, "first", lambda version: {"n": version})
    store.add_plan(project.id, "second", lambda version: {"n": 10 * version})
    assert store.plans(project.id) == ("second", "first"), "the last changed first"
    assert store.plan_versions(project.id, "first") == (1, 2)
    assert store.plan(project.id, "first") == {"n": 2}
    assert store.plan(project.id, "first", 1) == {"n": 1}
    changed = store.change_plan(project.id, "first", 1, lambda d: {**d, "note": "why"})
    assert changed == store.plan(project.id, "first", 1) == {"n": 1, "note": "why"}
    assert store.plans(project.id) == ("first", "second")
    (store.plan_folder(project.id, "first") / "first-1.onnx").write_bytes(b"pruned")
    store.delete_plan(project.id, "first")
    assert store.plans(project.id) == ("second",)
    for missing in (lambda: store.plan(project.id, "first"),
                    lambda: store.plan(project.id, "second", 2),
                    lambda: store.delete_plan(project.id, "first"),
                    lambda: store.plan_folder(project.id, "first")):  # fmt: skip
        with pytest.raises(NotFoundError, match=r"No pruning plan named 'first'|no version 2"):
            missing()
    assert not list((project.folder / "plans").glob(".*"))


def test_a_plans_name_is_no_path_and_differs_by_more_than_case(
    store: ProjectStore, project: Project
) -> None:
    store.add_plan(project.id, "Mine", lambda _: {})
    with pytest.raises(InvalidRequestError, match="differs only in case"):
        store.add_plan(project.id, "mine", lambda _: {})
    for name in ("..", "a/b", "../../x", "", "nul"):
        with pytest.raises(InvalidRequestError, match="cannot be the name of a pruning plan"):
            store.add_plan(project.id, name, lambda _: {})
        with pytest.raises(InvalidRequestError):
            store.plan(project.id, name)


def test_a_link_out_of_the_project_is_not_followed(
    store: ProjectStore, project: Project, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "1.json").write_text("{}")
    (project.folder / "plans" / "out").symlink_to(tmp_path / "outside")
    with pytest.raises(ForbiddenPathError):
        store.plan(project.id, "out")
    with pytest.raises(ForbiddenPathError):
        store.add_plan(project.id, "out", lambda _: {})


def test_exports(store: ProjectStore, project: Project) -> None:
    path = store.save_export(project.id, "recipe.yaml", "modifiers: é\n")
    assert path == project.folder / "exports" / "recipe.yaml"
    assert path.read_text() == "modifiers: é\n"
    with pytest.raises(InvalidRequestError):
        store.save_export(project.id, "../project.json", "")


def test_a_missing_model_file_makes_no_project(store: ProjectStore, tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        store.create(tmp_path / "none.onnx", {})
    with pytest.raises(StorageError, match="not a regular file"):
        store.create(tmp_path, {})
    assert list(store.root.iterdir()) == []


def test_leftovers_are_cleared_once_they_are_old(store: ProjectStore, model_path: Path) -> None:
    store.create(model_path, {})
    for name in (".creating-old", ".creating-new", ".deleting-any"):
        (store.root / name).mkdir()
        (store.root / name / "project.json").write_text("{")
    long_ago = time.time() - 48 * 3600
    os.utime(store.root / ".creating-old", (long_ago, long_ago))
    assert len(store.projects()) == 1
    store.create(model_path, {})
    left = {p.name for p in store.root.iterdir() if p.name.startswith(".")}
    assert left == {".creating-new"}
