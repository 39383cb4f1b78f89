from __future__ import annotations

import pytest

from studio_core.execution.records import RunSettings
from studio_core.explorer.exploration import open_exploration
from studio_core.explorer.running import ExecutedRun
from studio_widgets.charts import palette
from studio_widgets.charts.facts import ChartFacts
from studio_widgets.charts.op_times import (
    MOST_PARTS,
    OpTime,
    op_times,
    times_of_layers,
    times_of_run,
)
from studio_widgets.op_times import OpTimes

from ..modules import two_layers
from .conftest import foreign_texts


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> ExecutedRun:
    exploration = open_exploration(two_layers(tmp_path_factory.mktemp("module")))
    settings = RunSettings(iterations=2, measure_accuracy=False)
    for _ in exploration.run(settings=settings):
        pass
    assert exploration.executed is not None
    return exploration.executed


def test_layers_and_the_rest_are_the_run(facts: ChartFacts) -> None:
    rows = times_of_layers(facts)
    assert facts.profile is not None
    total = facts.profile.total_ms - min(0.0, facts.profile.disturbance_ms)
    assert sum(row.ms for row in rows) == pytest.approx(total)
    assert {row.key for row in rows if row.key} == set(facts.profile.layers)
    assert times_of_layers(ChartFacts(facts.layers)) == ()


def test_parts_of_a_bar_follow_each_other(facts: ChartFacts) -> None:
    rows = times_of_layers(facts)
    chart = op_times(rows)
    [bars] = chart.figure.data
    convs = [row.ms for row in rows if row.operator == "Conv"]
    place = next(i for i, text in enumerate(chart.figure.layout.yaxis.ticktext) if "Conv" in text)
    ends = [b + x for b, x, y in zip(bars.base, bars.x, bars.y, strict=True) if y == place]
    assert max(ends) == pytest.approx(sum(convs))
    assert chart.figure.layout.yaxis.ticktext[place] == f"Conv × {len(convs)}"
    greys = [c for c, key in zip(bars.marker.color, chart.keys[0], strict=True) if not key]
    assert set(greys) == {palette.UNKNOWN}


def test_of_many_operations_the_small_ones_are_together() -> None:
    rows = [OpTime(f"n{i}", f"op {i}", "Add", 1.0 + i) for i in range(3_000)]
    chart = op_times(rows)
    assert len(chart.figure.data[0].x) == MOST_PARTS + 1
    assert sum(chart.figure.data[0].x) == pytest.approx(sum(row.ms for row in rows))
    kinds = op_times([OpTime(f"n{i}", "x", f"kind {i}", 1.0) for i in range(100)])
    assert len(kinds.figure.layout.yaxis.ticktext) == 25


def test_a_hostile_operator_is_shown_as_text() -> None:
    chart = op_times([OpTime("n", "<i>name</i>", "<a href='x'>op</a>", 1.0)], selected="n")
    texts = foreign_texts(chart)
    assert "<" not in texts and "&lt;a href" in texts and "&lt;i&gt;" in texts


def test_a_modules_run(executed: ExecutedRun) -> None:
    rows = times_of_run(executed)
    assert {row.key for row in rows if row.key} == set(executed.times_ns)
    assert sum(row.ms for row in rows) * 1e6 == pytest.approx(
        max(executed.result.total_ns or 0, sum(executed.times_ns.values()))
    )


def test_a_click_selects_the_operation(executed: ExecutedRun) -> None:
    times = OpTimes(executed)
    assert times.figure is None and times.summary == ""
    times.is_shown = True
    assert times.figure is not None and "A run takes" in times.summary
    times._clicked([0])
    assert times.selected in executed.times_ns
    first = times.selected
    times._step(1)
    assert times.selected != first
    times.executed = None
    assert times.summary == ""
