from __future__ import annotations

from pathlib import Path

import pytest

import studio_widgets as studio
from studio_core.errors import InvalidRequestError
from studio_core.sensitivity import Source

LEVELS = (0.5, 0.8, 0.95)


@pytest.fixture
def wb(tmp_path: Path) -> studio.WorkbenchView:
    return studio.open_sample("digits_cnn", project_root=tmp_path / "projects")


def _measure(wb: studio.WorkbenchView) -> None:
    run = wb.measure(wb.held_out_data, metric="cross_entropy", samples=24, levels=LEVELS)
    assert run.wait()


def test_measured_curves_are_drawn_and_planned_by(wb: studio.WorkbenchView) -> None:
    estimated, before = wb.analysis, wb.plan
    assert wb.measured is None
    assert wb._parts.source.toggle.disabled
    _measure(wb)
    assert wb.curves == "measured"
    assert wb.analysis is wb.measured is wb.chart.analysis is wb.table.loss is wb.planner.loss
    assert wb.plan != before
    assert wb.plan is not None and wb.plan.target == 0.5
    assert "they do not add up: verify" in wb.editor.estimates.value
    assert "cross-entropy (measured" in wb.table._curve_label
    measured_plan = wb.plan
    wb.curves = "estimated"
    assert wb.analysis is estimated is wb.chart.analysis is wb.planner.loss
    assert wb.plan == before
    assert "not measured" in wb.editor.estimates.value
    wb._parts.source.toggle.value = "measured"
    assert wb.curves == "measured"
    assert wb.plan == measured_plan


def test_random_data_is_named_wherever_it_is_shown(wb: studio.WorkbenchView) -> None:
    wb.measure(samples=2, levels=(0.8,)).wait()
    assert "measured on random data" in wb.table._curve_label
    assert "random data" in wb._parts.source.words.value
    assert "measured on random data" in wb.editor.estimates.value


def test_a_part_is_enough_to_plan_by(wb: studio.WorkbenchView) -> None:
    run = wb.measure(wb.held_out_data, metric="softmax_kl", samples=64)
    run.wait(0.9)
    wb.measure_panel.cancel()
    run.wait()
    assert wb.plan is not None
    assert wb.planner.loss is wb.analysis


def test_verify_sets_predicted_beside_actual(wb: studio.WorkbenchView) -> None:
    _measure(wb)
    wb.verify().wait()
    (plan,) = wb.verified
    v = plan.verification
    assert v.plan == wb.plan
    assert v.loss.num_samples == 336
    assert v.is_comparable
    assert v.accuracy is not None
    assert v.costs.num_zeros == v.estimate.num_zeros if v.estimate else False
    text = wb.verify_panel.result.value
    assert "Accuracy, before" in text
    assert "of 336" in text
    assert f"{v.costs.num_zeros:,}" in text


def test_verified_plans_keep_their_notes_and_come_back(wb: studio.WorkbenchView) -> None:
    _measure(wb)
    first = wb.plan
    wb.verify().wait()
    wb.editor.target.value = 0.8
    wb.verify_panel.start.click()
    assert wb.verify_panel._run is not None
    wb.verify_panel._run.wait()
    _, oldest = wb.plans_panel.rows.children
    oldest.note.value = "the <first>"
    assert [v.note for v in wb.verified] == ["the <first>", ""]
    oldest.back.click()
    assert wb.plan == first
    assert wb.editor.target.value == 0.5
    wb.projects.save.click()
    assert [v.note for v in wb.verified] == ["the <first>", ""]
    assert wb.curves == "measured"
    assert wb.measured is not None and wb.plan == first


def test_verified_plans_improve_the_prediction(wb: studio.WorkbenchView) -> None:
    _measure(wb)
    wb.editor.target.value = 0.8
    before = wb.editor.estimates.value
    wb.verify().wait()
    assert "Calibrated by 1 verified" in wb.editor.estimates.value
    assert wb.editor.estimates.value != before


def test_an_estimate_is_not_compared_with_a_loss(wb: studio.WorkbenchView) -> None:
    wb.measure_panel.num_samples.value = 8
    wb.verify().wait()
    (plan,) = wb.verified
    assert not plan.verification.is_comparable
    assert "is no loss of this kind" in wb.verify_panel.result.value
    wb.plan = None
    with pytest.raises(InvalidRequestError, match="no plan to verify"):
        wb.verify()


def test_the_code_measures_again(wb: studio.WorkbenchView) -> None:
    wb.measure_panel.num_samples.value = 6
    wb.measure_panel.metric.value = "softmax_kl"
    wb.measure_panel.start.click()
    assert wb.measure_panel.run is not None
    wb.measure_panel.run.wait()
    code = wb.copy_as_code()
    assert "wb.measure(wb.held_out_data, metric='softmax_kl', samples=6).wait()" in code
    scope: dict[str, studio.WorkbenchView] = {}
    exec(code, scope)
    assert scope["wb"].plan == wb.plan
    assert scope["wb"].analysis.source == Source.MEASURED


def test_the_code_of_a_cancelled_run_stops_where_it_did(wb: studio.WorkbenchView) -> None:
    wb.measure(wb.held_out_data, metric="cross_entropy", samples=8, stop_after=30).wait()
    assert "cancelled; 30 of 140 measured are kept" in wb.measure_panel.status.value
    code = wb.copy_as_code()
    assert "metric='cross_entropy', samples=8, stop_after=30).wait()" in code
    assert "PruningPlan(" in code  # the points may come in another order
    scope: dict[str, studio.WorkbenchView] = {}
    exec(code, scope)
    assert scope["wb"].plan == wb.plan
    assert scope["wb"].measure_panel.num_done == 30
    assert wb.measure_panel.resume().wait()
    assert wb.measure_panel.is_complete
    assert "stop_after" not in wb.copy_as_code()


def test_a_plan_is_verified_on_samples_that_it_was_not_made_from(wb: studio.WorkbenchView) -> None:
    _measure(wb)
    wb.verify().wait()
    assert wb.verified[-1].verification.loss.num_samples == 360 - 24
    assert "verified on samples not measured on" in wb.verify_panel.status.value
    wb.verify(on_unseen=False).wait()
    assert wb.verified[-1].verification.loss.num_samples == 24
    assert "verified on measured samples" in wb.verify_panel.status.value
    wb.measure(wb.held_out_data, metric="cross_entropy", levels=(0.5,)).wait()
    wb.verify().wait()  # all were measured on: there are no others
    assert wb.verified[-1].verification.loss.num_samples == 360
    assert "verified on measured samples" in wb.verify_panel.status.value
