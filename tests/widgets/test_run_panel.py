from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from studio_core.errors import ConflictError, InvalidModelError
from studio_widgets.run_panel import RunPanel, SlowOp, Step

from .fakes import HOSTILE

POLICIES = ("Optimizer Disabled", "Optimizer Enabled")


@dataclass(frozen=True)
class FakeStep:
    message: str
    fraction: float
    result: Any = None


def _panel(steps: Callable[[str], Iterator[Step]], **settings: Any) -> RunPanel:
    return RunPanel(steps, POLICIES, **settings)


def _three(policy: str) -> Iterator[Step]:
    yield FakeStep("lowering", 0.1)
    yield FakeStep(f"running {HOSTILE}", 0.5)
    yield FakeStep("ended", 1.0, policy)


def test_a_run_goes_through_its_steps_and_keeps_its_log() -> None:
    panel = _panel(_three)
    panel.run("Optimizer Enabled").wait(10)
    assert panel.result == "Optimizer Enabled"
    assert panel.policies.value == "Optimizer Enabled"
    assert not panel.is_running
    assert panel.bar.value == 1.0
    assert "done" in panel.status.value
    assert "Log, 3 lines" in panel.log_view.value
    assert "lowering" in panel.log_view.value
    assert HOSTILE not in panel.log_view.value + panel.status.value


def test_one_run_at_a_time_and_cancel_keeps_the_earlier_result() -> None:
    going = threading.Event()

    def slow(_policy: str) -> Iterator[Step]:
        yield FakeStep("first", 0.1)
        going.wait(10)
        yield FakeStep("second", 0.2)
        yield FakeStep("ended", 1.0, "late")

    panel = _panel(slow)
    panel.result = "early"
    run = panel.run()
    with pytest.raises(ConflictError, match="A run is under way"):
        panel.run()
    panel.start.click()
    assert panel.stop.layout.display == ""
    panel.stop.click()
    going.set()
    run.wait(10)
    assert panel.result == "early"
    assert "cancelled" in panel.status.value
    assert not panel.start.disabled


def test_an_error_is_said_in_the_words_of_its_class() -> None:
    def broken(_policy: str) -> Iterator[Step]:
        yield FakeStep("lowering", 0.1)
        raise InvalidModelError("Line 7: ttir.all_gather cannot run on the CPU.")

    panel = _panel(broken)
    with pytest.raises(InvalidModelError):
        panel.run().wait(10)
    assert "This model cannot be used" in panel.messages.value
    assert "Line 7" in panel.messages.value
    assert panel.bar.bar_style == "danger"
    assert panel.result is None


def test_the_slowest_are_listed_and_lead_to_their_nodes() -> None:
    selected: list[str] = []
    panel = _panel(_three, on_select=selected.append)
    ops = [SlowOp(f"n{i}", f"ttnn.op_{i}", f"{i} µs", i / 40) for i in range(40)]
    panel.show_slowest([SlowOp("odd", HOSTILE, HOSTILE, None), *ops], notes=[HOSTILE])
    assert len(panel.slowest.children) == 16
    name, words = panel.slowest.children[1].children
    name.click()
    assert selected == ["odd"]
    assert HOSTILE not in words.value + panel.notes.value
    panel.show_slowest([])
    assert panel.slowest.children == ()
