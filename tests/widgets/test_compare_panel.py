from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import studio_widgets as studio
from studio_core.comparison import AnalysisComparison, ModelComparison, PlanComparison
from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.plan_runs.removal import Removal
from studio_core.plan_runs.request import Sources
from studio_core.plan_runs.solving import Known, PlanRoom
from studio_core.pruning.apply import prune_model
from studio_core.samples import sample_path
from studio_core.sensitivity import estimate_loss
from studio_core.sensitivity.magnitude import MagnitudeMetric
from studio_core.session import Session
from studio_core.workbench import Workbench
from studio_widgets._compare_choices import analysis_choices, model_choices
from studio_widgets._plan_shelf import MemoryShelf

from .fakes import loss_of_layers, make_layers, perf_of_layers


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.open(sample_path("digits_cnn"))


@pytest.fixture(scope="module")
def room(session: Session) -> PlanRoom:
    return PlanRoom(session, Removal(), Known())


@pytest.fixture
def shelf(session: Session, room: PlanRoom) -> MemoryShelf:
    shelf = MemoryShelf()
    shelf.save(room.judge(session.planner.distribute(0.6)), "mild", "", Sources(None, None))
    return shelf


@pytest.fixture
def panel(session: Session, room: PlanRoom, shelf: MemoryShelf) -> studio.ComparePanel:
    return studio.ComparePanel(session, plans=shelf.plans, room=lambda: room)


def _quantity(panel: studio.ComparePanel, row: str) -> Any:
    assert panel.view is not None
    compared = panel.view.table.compared
    place = [r.name for r in compared.rows].index(row)
    return {q.key: (q.left[place], q.right[place]) for q in compared.quantities}


def test_one_plan_alone_says_what_is_missing(panel: studio.ComparePanel) -> None:
    assert panel.view is None
    assert "One more plan is needed" in panel.status.value


def test_the_present_plan_stands_beside_the_kept_one(
    panel: studio.ComparePanel, session: Session
) -> None:
    panel.plan = session.planner.distribute(0.9)
    assert (panel.left.value, panel.right.value) == ("mild@1", "present")
    assert isinstance(panel.found, PlanComparison)
    assert panel.view is not None
    assert "60.0\u2009%" in panel.view.totals.value
    assert "MACs left" in panel.view.totals.value
    left, right = _quantity(panel, "down.conv.weight")["sparsity"]
    assert (left, right) == pytest.approx((0.25, 0.85))

    panel.plan = session.planner.distribute(0.7)  # the slider moved
    assert "70.0\u2009%" in panel.view.totals.value
    panel.left.value, panel.right.value = "present", "mild@1"
    assert panel.found.left is panel.plan


def test_plans_are_compared_from_python(panel: studio.ComparePanel, session: Session) -> None:
    harsh = session.planner.distribute(0.9)
    found = panel.compare_plans("mild", harsh)
    assert found.num_changed == 14
    assert panel.found is found
    assert panel.view is not None
    assert "mild v1" in panel.view.head.value
    with pytest.raises(NotFoundError, match="mild@1"):
        panel.compare_plans("wild", harsh)


def test_a_selected_layer_is_selected_in_the_table(
    panel: studio.ComparePanel, session: Session
) -> None:
    panel.plan = session.planner.distribute(0.9)
    assert panel.view is not None
    panel.selected_layer = session.layers[3].id
    assert panel.view.table.selected == session.layers[3].id
    panel.view.table.selected = session.layers[4].id
    assert panel.selected_layer == session.layers[4].id


def test_two_analyses_with_the_curves_of_the_selected_layer(session: Session) -> None:
    other = estimate_loss(session.layers, levels=(0.2, 0.6, 0.9), metric=MagnitudeMetric.L2_SHARE)
    choices = analysis_choices(session, {"measured loss": other})
    panel = studio.ComparePanel(session, analyses=lambda: choices)
    panel.what = "analyses"
    assert isinstance(panel.found, AnalysisComparison)
    assert panel.view is not None
    assert "Spearman" in panel.view.head.value
    before = panel.view.curves._curves
    panel.selected_layer = session.layers[5].id
    assert panel.view.curves._curves != before
    found = panel.compare_analyses(session.loss, session.loss)
    assert found.rank_correlation() == pytest.approx(1.0)


def test_only_two_of_a_kind_are_offered_at_first() -> None:
    layers = make_layers(5)
    session: Any = type("Opened", (), {})()
    session.loss, session.perf = loss_of_layers(layers), perf_of_layers(layers)
    choices = analysis_choices(session, {"measured times": perf_of_layers(layers)})
    panel = studio.ComparePanel(Session.open(sample_path("digits_cnn")), analyses=lambda: choices)
    panel.what = "analyses"
    assert panel.right.value == "estimated work"
    panel.left.value = "estimated loss"
    assert "cannot be compared" in panel.messages.value


def test_the_model_beside_its_pruned_copy(
    panel: studio.ComparePanel, session: Session, tmp_path: Path
) -> None:
    plan = session.planner.distribute(0.9)
    pruned = prune_model(session.model, session.layers, plan, tmp_path / "pruned.onnx")
    panel.what = "models"
    assert panel.path.layout.display == ""
    panel.path.value = str(pruned.path)
    panel.start.click()
    assert panel._run is not None
    assert panel._run.wait(60)
    assert isinstance(panel.found, ModelComparison)
    assert not panel.is_running
    zeros = _quantity(panel, "down.conv.weight")["sparsity"]
    assert zeros[0] < 0.01 < 0.8 < zeros[1]
    assert panel.compare_models(pruned.path).layer_ids == panel.found.layer_ids
    panel.path.value = str(tmp_path / "absent.onnx")
    panel._compare_by_hand()
    with pytest.raises(NotFoundError):
        panel._run.wait(60)
    assert "studio-message-error" in panel.messages.value
    with pytest.raises(InvalidRequestError, match="Choose another model"):
        panel.compare_models("")


def test_projects_are_offered_as_models_and_their_analyses_too(tmp_path: Path) -> None:
    workbench = Workbench(tmp_path)
    path = sample_path("digits_cnn")
    first = workbench.create_project(path, {"projectName": "first"})
    second = workbench.create_project(path, {"projectName": "second"})
    workbench.run_estimate(first.id, "loss", "monday", levels=(0.3, 0.6))
    session = workbench.session(first.id)
    analyses = analysis_choices(session, {}, first, workbench)
    assert list(analyses) == ["estimated loss", "monday (loss, saved)", "estimated work"]
    panel = studio.ComparePanel(
        session, analyses=lambda: analyses, models=lambda: model_choices(workbench, first)
    )
    panel.what = "analyses"
    assert isinstance(panel.found, AnalysisComparison)
    assert np.isfinite(panel.found.curves[0].differences).any()
    panel.what = "models"
    assert [title for title, _ in panel.right.options] == ["project second", "another file …"]
    assert panel.compare_models("project second").left.name
    workbench.delete_project(second.id)
    panel.refresh()
    assert [title for title, _ in panel.right.options] == ["another file …"]


def test_the_front_door_takes_two_of_a_kind(session: Session, tmp_path: Path) -> None:
    mild, harsh = session.planner.distribute(0.6), session.planner.distribute(0.9)
    assert isinstance(studio.compare(mild, harsh).found, PlanComparison)
    view = studio.compare(session.loss, session.loss)
    assert isinstance(view.found, AnalysisComparison)
    pruned = prune_model(session.model, session.layers, harsh, tmp_path / "pruned.onnx")
    view = studio.compare(session, str(pruned.path))
    assert isinstance(view.found, ModelComparison)
    assert "digits_cnn.onnx" in view.head.value
    with pytest.raises(InvalidRequestError, match="A PruningPlan and a Session cannot be compared"):
        studio.compare(mild, session)
    with pytest.raises(TypeError, match="no setting 'hieght'"):
        studio.ComparisonView(view.found, hieght=3)
