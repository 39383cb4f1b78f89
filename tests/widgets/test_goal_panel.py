from __future__ import annotations

from pathlib import Path

import pytest

import studio_widgets as studio
from studio_core.errors import InfeasibleError


@pytest.fixture
def wb(tmp_path: Path) -> studio.WorkbenchView:
    return studio.open_sample("digits_cnn", project_root=tmp_path / "projects")


def test_the_goal_becomes_the_plan_with_a_reason_for_each_layer(wb: studio.WorkbenchView) -> None:
    panel = wb._parts.goal
    panel.goal.value = "min_sparsity"
    panel.limit.value = 0.6
    panel.start.click()
    assert panel.messages.value == ""
    assert panel.solution is not None
    assert panel.solution.estimate.sparsity >= 0.6
    assert wb.plan == panel.solution.plan
    assert wb.layers[0].name in panel.result.value
    assert panel.result.value.count("<tr title=") == len(panel.solution.reasons)


def test_locked_layers_stay(wb: studio.WorkbenchView) -> None:
    wb.editor.pages.rows[0].slider.value = 0.2
    locked = wb.layers[0].id
    wb._parts.goal.solve()
    assert wb.plan is not None
    assert wb.plan.sparsities[locked] == 0.2
    assert wb.plan.locked == {locked}


def test_what_cannot_be_reached_says_what_can(wb: studio.WorkbenchView) -> None:
    panel = wb._parts.goal
    before = wb.plan
    panel.goal.value = "min_sparsity"
    panel.limit.value = 0.999
    panel.start.click()
    assert "the best that known levels" in panel.messages.value
    assert wb.plan == before
    with pytest.raises(InfeasibleError):
        panel.solve()
    panel.limit.value = -1
    panel.start.click()
    assert "Please check this value" in panel.messages.value


def test_a_point_of_the_trade_off_is_a_plan(wb: studio.WorkbenchView) -> None:
    wb.editor.pages.rows[0].slider.value = 0.2
    panel = wb.goal_panel
    panel.draw.click()
    assert panel.messages.value == ""
    points = panel.chart.points
    assert len(points) > 5
    assert [p.value for p in points] == sorted(p.value for p in points)
    panel.chart._answer(panel.chart, {"kind": "take", "index": 3}, [])
    assert wb.plan == points[3].plan
    assert wb.plan.locked_sparsities() == {wb.layers[0].id: 0.2}
    assert panel.chart.taken == 3
    for bad in (-1, len(points), True, "0", None):
        panel.chart._answer(panel.chart, {"kind": "take", "index": bad}, [])
    assert wb.plan == points[3].plan
