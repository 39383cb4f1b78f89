from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import studio_widgets as studio
from studio_core.errors import InvalidRequestError
from studio_core.pruning.counts import num_pruned
from studio_widgets._plan_shelf import MemoryShelf, PlanShelf, ProjectShelf


@pytest.fixture
def wb(tmp_path: Path) -> studio.WorkbenchView:
    return studio.open_sample("digits_cnn", project_root=tmp_path / "projects")


@pytest.fixture(params=["memory", "project"])
def any_wb(request: pytest.FixtureRequest, wb: studio.WorkbenchView) -> studio.WorkbenchView:
    if request.param == "project":
        wb.projects.save.click()
    kind = ProjectShelf if request.param == "project" else MemoryShelf
    assert isinstance(wb.plans_panel.shelf, kind)
    return wb


def _names(shelf: PlanShelf) -> list[tuple[str, int, str]]:
    plans = shelf.plans()
    return [(p.name, p.version, getattr(p, "note", "fault")) for p in plans]


def test_plans_are_saved_noted_and_come_back(any_wb: studio.WorkbenchView) -> None:
    wb = any_wb
    first = wb.plan
    wb.plans_panel.name.value, wb.plans_panel.note.value = "half", "<b>a start"
    wb.plans_panel.keep.click()
    wb.editor.target.value = 0.7
    wb.save_plan("half", "more")
    wb.save_plan()
    shelf = wb.plans_panel.shelf
    assert _names(shelf) == [("plan-1", 1, ""), ("half", 2, "more"), ("half", 1, "<b>a start")]
    assert "<b>" not in wb.plans_panel.rows.children[2].children[0].value
    oldest = wb.plans_panel.rows.children[2]
    oldest.note.value = "changed"
    assert wb.saved_plans[2].note == "changed"
    assert _names(shelf)[2] == ("half", 1, "changed")
    oldest.back.click()
    assert wb.plan == first
    assert wb.editor.target.value == 0.5


def test_a_plan_is_deleted_at_the_second_press(any_wb: studio.WorkbenchView) -> None:
    wb = any_wb
    for _ in range(2):
        wb.save_plan("twice")
    row = wb.plans_panel.rows.children[0]
    row.remove.click()
    assert row.remove.description == "Delete all 2 versions?"
    assert len(wb.saved_plans) == 2
    row.remove.click()
    assert wb.saved_plans == ()
    assert wb.plans_panel.shelf.plans() == () or wb.plans_panel.shelf.plans() == []
    with pytest.raises(InvalidRequestError):
        wb.save_plan("../outside")
    wb.plans_panel.name.value = "../outside"
    wb.plans_panel.keep.click()
    assert "Please check this value" in wb.plans_panel.messages.value


def test_a_verified_plan_is_kept_with_its_proof(any_wb: studio.WorkbenchView) -> None:
    wb = any_wb
    wb.measure_panel.num_samples.value = 8
    wb.verify().wait()
    wb.verify().wait()  # the same plan again: no second one is kept
    (saved,) = wb.saved_plans
    assert saved.plan == wb.plan
    assert [v["loss"]["numSamples"] for v in saved.verifications] == [8, 8]
    text = wb.plans_panel.rows.children[0].children[0].value
    assert "verified: cross-entropy" in text
    assert "accuracy" in text
    if wb.project is not None:
        again = studio.open(wb.project.id, project_root=wb.workbench.store.root)
        assert [p.to_document() for p in again.saved_plans] == [saved.to_document()]


def test_plans_move_into_the_project(wb: studio.WorkbenchView) -> None:
    wb.save_plan("one", "note")
    wb.save_plan("two")
    wb.projects.save.click()
    assert wb.messages.value == ""
    assert [(p.name, p.note) for p in wb.saved_plans] == [("two", ""), ("one", "note")]


def test_a_damaged_plan_says_its_fault(wb: studio.WorkbenchView) -> None:
    wb.projects.save.click()
    wb.save_plan("good")
    wb.save_plan("bad")
    assert wb.project is not None
    (file,) = wb.project.folder.glob("*/bad/*.json")
    file.write_text("{")
    wb.plans_panel.again.click()
    assert [p.name for p in wb.saved_plans] == ["good"]
    assert "bad, version 1" in wb.plans_panel.rows.children[-1].value


def test_the_pruned_model_is_written(wb: studio.WorkbenchView, tmp_path: Path) -> None:
    wb.export_panel.path.value = str(tmp_path / "out" / "pruned.onnx")
    wb.export_panel.write.click()
    assert wb.export_panel.run is not None
    wb.export_panel.run.wait()
    assert wb.export_panel.messages.value == ""
    written = wb.export_panel.written
    assert written is not None
    assert written.compressed_after is not None and written.compressed_before is not None
    assert written.compressed_after < written.compressed_before
    model = onnx.load(tmp_path / "out" / "pruned.onnx")
    arrays = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    assert wb.plan is not None
    for layer in wb.layers:
        wanted = num_pruned(layer.weight_size, wb.plan.sparsities[layer.id])
        assert np.count_nonzero(arrays[layer.name] == 0) == wanted
    assert "Zeros take as much room" in wb.export_panel.result.value
    with pytest.raises(Exception, match="exists"):
        wb.apply(tmp_path / "out" / "pruned.onnx").wait()
    assert "studio-message-error" in wb.export_panel.messages.value


def test_the_plan_is_exported_for_other_tools(wb: studio.WorkbenchView, tmp_path: Path) -> None:
    panel = wb.export_panel
    panel.format.value = "csv"
    assert panel.file.value == "digits_cnn-plan.csv"
    panel.file.value = str(tmp_path / "plan.csv")
    panel.save.click()
    assert panel.messages.value == ""
    lines = (tmp_path / "plan.csv").read_text().splitlines()
    assert len(lines) == 1 + len(wb.layers)
    assert "wrote" in panel.said.value
    with pytest.raises(InvalidRequestError, match="no export format"):
        wb.export("word", tmp_path / "x")
