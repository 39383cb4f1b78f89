from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from studio_core.plans.constraints import Quantity
from studio_core.plans.verification import ActualLoss, Verification
from studio_widgets.charts.facts import ChartFacts
from studio_widgets.charts.trade_off_curve import (
    present_point,
    trade_off_curve,
    verified_points,
)


def verified(metric: str, *, flops: int | None = 7) -> Verification:
    costs = SimpleNamespace(sparsity=0.4, bytes_sparse=100, flops=flops)
    loss = ActualLoss(0.25, 0.01, metric, 32)
    return cast(Verification, SimpleNamespace(costs=costs, loss=loss, latency=None))


@pytest.mark.parametrize("quantity", [Quantity.SPARSITY, Quantity.BYTES, Quantity.FLOPS])
def test_the_best_plans_with_the_present_one(facts: ChartFacts, quantity: Quantity) -> None:
    assert facts.room is not None and facts.plan is not None
    points = tuple(facts.room.pareto(None, quantity, 12))
    present = present_point(facts.room, facts.plan, quantity)
    assert present is not None
    metric = points[0].loss.metric
    proven = verified_points([verified(metric), verified("another")], quantity, metric)
    chart = trade_off_curve(points, present=present, verified=proven)
    line, diamond, squares = chart.figure.data
    assert list(line.x) == [point.value for point in points]
    assert list(line.y) == [point.loss.value for point in points]
    assert (diamond.x[0], diamond.y[0]) == (present.value, present.loss)
    assert len(squares.x) == 1 and squares.error_y.array[0] == pytest.approx(0.01)
    assert "1 verified plan." in chart.summary and "The present plan:" in chart.summary
    assert present.loss == facts.room.judge(facts.plan).predicted.value


def test_a_plan_without_a_value_is_no_point(facts: ChartFacts) -> None:
    assert verified_points([verified("m", flops=None)], Quantity.FLOPS, "m") == ()
    assert verified_points([verified("m")], Quantity.LATENCY, "m") == ()


def test_no_points_say_so() -> None:
    nothing: list[Any] = []
    assert len(trade_off_curve(nothing).figure.data) == 0
