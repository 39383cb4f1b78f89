from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest

import studio_widgets as studio
from studio_core.errors import ConflictError, InvalidRequestError, NotFoundError
from studio_core.samples import sample_data, sample_path
from studio_core.session import Session
from studio_widgets._data_choices import fitting_metrics
from studio_widgets._pace import Pace, duration

from .conftest import Wire

LEVELS = (0.4, 0.8)


@pytest.fixture
def session() -> Session:
    return Session.open(sample_path("digits_cnn"))


@pytest.fixture
def panel(session: Session) -> studio.MeasurePanel:
    return studio.MeasurePanel(session)


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _num_known(panel: studio.MeasurePanel) -> int:
    assert panel.analysis is not None
    return sum(int(np.isfinite(curve.losses).sum()) for curve in panel.analysis.curves)


def test_a_run_measures_all_and_says_so(panel: studio.MeasurePanel) -> None:
    data = sample_data("digits_cnn")
    arrays = {**data.inputs, "labels": data.labels}
    assert panel.measure(arrays, metric="accuracy", samples=16, levels=LEVELS).wait()
    assert _num_known(panel) == 28
    assert panel.is_complete
    assert not panel.is_running
    assert "all 28 measured on 16 samples" in panel.status.value
    assert panel.analysis is not None
    assert panel.analysis.metric.name == "accuracy"


def test_the_buttons_do_what_python_does(panel: studio.MeasurePanel) -> None:
    panel.num_samples.value = 4
    panel.start.click()
    assert panel.start.disabled
    assert panel.stop.layout.display == ""
    assert panel.run is not None
    assert panel.run.wait()
    assert _num_known(panel) == 140
    assert panel.stop.layout.display == "none"
    assert panel.go_on.layout.display == "none"


def test_cancel_keeps_what_was_measured_and_resume_goes_on(panel: studio.MeasurePanel) -> None:
    data = panel._choices["held_out"].load(64)
    run = panel.measure(data, metric="softmax_kl")
    _until(lambda: panel._pace.done > 0)
    panel.stop.click()
    asked_at = time.monotonic()
    run.wait()
    assert time.monotonic() - asked_at < 2
    kept = panel.analysis
    num_kept = _num_known(panel)
    assert 0 < num_kept < 140
    assert "are kept" in panel.status.value
    assert panel.go_on.layout.display == ""
    panel.go_on.click()
    assert panel.run is not None
    panel.run.wait()
    assert _num_known(panel) == 140
    assert kept is not None and panel.analysis is not None
    for before, after in zip(kept.curves, panel.analysis.curves, strict=True):
        known = np.isfinite(before.losses)
        assert (before.losses[known] == after.losses[known]).all()


def test_two_runs_at_once_are_refused(panel: studio.MeasurePanel) -> None:
    run = panel.measure(samples=2)
    with pytest.raises(ConflictError):
        panel.measure(samples=2)
    panel.cancel()
    run.wait()


def test_what_goes_wrong_is_shown_and_raised_by_wait(panel: studio.MeasurePanel) -> None:
    run = panel.measure("no-such-<b>file.npz")
    with pytest.raises(NotFoundError):
        run.wait()
    assert "Not found" in panel.messages.value
    assert "<b>" not in panel.messages.value
    assert not panel.is_running
    assert panel.analysis is None
    with pytest.raises(InvalidRequestError, match="needs labels"):
        panel.measure(metric="accuracy").wait()
    with pytest.raises(InvalidRequestError, match="No metric named"):
        panel.measure(metric="nonsense")
    with pytest.raises(InvalidRequestError, match="At least 1 sample"):
        panel.measure(samples=0)


def test_a_file_wants_a_name_first(panel: studio.MeasurePanel, tmp_path: Path) -> None:
    panel.data.value = "file"
    assert panel.path.layout.display == ""
    panel.start.click()
    assert "Write the path" in panel.messages.value
    data = sample_data("digits_cnn")
    np.savez(tmp_path / "few.npz", **{k: v[:3] for k, v in data.inputs.items()})
    panel.path.value = str(tmp_path / "few.npz")
    assert "accuracy" not in dict(panel.metric.options)
    np.savez(tmp_path / "with.npz", labels=data.labels, **data.inputs)
    panel.path.value = str(tmp_path / "with.npz")
    assert "accuracy" in dict(panel.metric.options)


def test_only_metrics_that_fit_are_offered(panel: studio.MeasurePanel, tmp_path: Path) -> None:
    def names() -> set[str]:
        return {name for _, name in panel.metric.options}

    assert panel.data.value == "held_out"
    assert {"accuracy", "cross_entropy", "softmax_kl"} < names()
    panel.data.value = "random"
    assert names() == {"softmax_kl", "relative_l2", "cosine"}
    assert "does not tell the true loss" in panel.hint.value
    text = '<ir_version: 8, opset_import: ["": 17]> g (float[b, 4] x) => (float[b, 4] y)'
    path = tmp_path / "softmax.onnx"
    onnx.save(onnx.parser.parse_model(f"{text} {{ y = Softmax(x) }}"), path)
    other = [m.name for m in fitting_metrics(Session.open(path).model, has_labels=False)]
    assert other == ["relative_l2", "cosine"]


def test_a_copy_of_a_bundled_model_has_its_held_out_data(tmp_path: Path) -> None:
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(sample_path("digits_cnn").read_bytes())
    panel = studio.MeasurePanel(Session.open(copy))
    assert panel.data.value == "held_out"


def test_news_comes_four_times_a_second_in_few_bytes(
    wire: Wire, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    wb = studio.open(session)
    at: list[float] = []
    wb.chart.observe(lambda _: at.append(time.monotonic()), "analysis")
    wire.take()
    wb.measure(wb.held_out_data, metric="softmax_kl", samples=48).wait()
    curves = [c for c in wire.contents if "_curves" in c.get("state", {})]
    assert len(curves) <= 2 * len(at)  # one for the chart, one for the table
    # The last one may follow at once; the others keep their distance.
    assert all(gap > 0.2 for gap in np.diff(at[:-1]))
    assert max(wire.sizes) < 12_000


def test_widgets_change_in_the_loop_that_started_the_run(panel: studio.MeasurePanel) -> None:
    threads: set[int] = set()
    panel.observe(lambda _: threads.add(threading.get_ident()), ["analysis", "is_running"])

    async def drive() -> None:
        panel.measure(samples=2, levels=LEVELS)
        while panel.is_running:
            await asyncio.sleep(0.01)

    asyncio.run(drive())
    assert _num_known(panel) == 28
    assert threads == {threading.get_ident()}


def test_the_pace_in_words() -> None:
    assert [duration(s) for s in (0.1, 59, 130, 700, 3900)] == [
        "1 s", "59 s", "2 min 10 s", "12 min", "1 h 5 min"
    ]  # fmt: skip
    pace = Pace()
    pace.move(48, 140)
    assert pace.words() == "48 of 140"
    assert pace.rate is None
