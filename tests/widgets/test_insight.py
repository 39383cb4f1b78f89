"""Findings, charts, comparison and report, joined in the workbench."""

from __future__ import annotations

from pathlib import Path

import pytest

import studio_widgets as studio
from studio_core.errors import ConflictError


@pytest.fixture
def wb(tmp_path: Path) -> studio.WorkbenchView:
    return studio.open_sample("digits_cnn", project_root=tmp_path / "projects")


def _hazards(wb: studio.WorkbenchView) -> str:
    return " ".join(finding.hazard for finding in wb.findings)


def test_findings_follow_what_is_known(wb: studio.WorkbenchView) -> None:
    assert "predicted, not proven" in _hazards(wb)
    title = wb.sections.buttons["findings"].description
    assert title == f"Findings {len(wb.findings)}"
    wb.measure(samples=2, levels=(0.5, 0.9)).wait()
    assert "The losses may rank the layers wrongly" in _hazards(wb)  # random data
    wb.verify().wait()
    assert "predicted, not proven" not in _hazards(wb)


def test_charts_are_made_when_they_are_opened_and_closed_when_left(
    wb: studio.WorkbenchView,
) -> None:
    assert "charts" not in wb._parts.insight.__dict__
    wb.sections.opened = "charts"
    charts = wb.charts_panel
    assert charts.is_shown and charts.figure is not None
    assert "14 layers" in charts.summary
    wb.selected_layer = wb.layers[2].id
    assert charts.selected_layer == wb.layers[2].id
    charts.selected_layer = wb.layers[4].id
    assert wb.selected_layer == wb.layers[4].id
    wb.sections.opened = ""
    assert not charts.is_shown


def test_the_present_plan_is_compared_with_a_kept_one(wb: studio.WorkbenchView) -> None:
    wb.save_plan("half")
    wb.plan = wb.planner.distribute(0.8)
    wb.sections.opened = "compare"
    found = wb.compare_panel.compare_plans("half@1", "present")
    assert found.num_changed > 5
    wb.compare_panel.selected_layer = wb.layers[3].id
    assert wb.selected_layer == wb.layers[3].id


def test_a_report_is_written_and_not_written_over(wb: studio.WorkbenchView, tmp_path: Path) -> None:
    path = wb.write_report(tmp_path / "digits.html")
    assert "block1.conv1.weight" in path.read_text(encoding="utf-8")
    with pytest.raises(ConflictError):
        wb.write_report(path)


def test_another_model_closes_what_the_former_had_opened(
    wb: studio.WorkbenchView, tmp_path: Path
) -> None:
    for key in ("charts", "compare", "measure"):
        wb.sections.opened = key
    charts, compare, measure = wb.charts_panel, wb.compare_panel, wb.measure_panel
    project = wb.workbench.create_project("sample:digits_transformer", {})
    wb.open_project(project.id)
    for panel in (charts, compare, measure):
        assert panel.comm is None  # closed: nothing of it stays in the kernel


def test_times_by_operator_come_with_a_run() -> None:
    ex = studio.explore_sample("feed_forward")
    assert ex.op_times.executed is None
    ex.run().wait()
    assert ex.op_times.executed is ex.executed
    assert ex.op_times.figure is None
    ex.op_times.is_shown = True
    assert ex.op_times.summary.startswith("A run takes")
