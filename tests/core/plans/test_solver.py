"""The solver's plans against all combinations, its limits, its refusals and its reasons."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio_core.errors import InfeasibleError, InvalidRequestError
from studio_core.plans import Planner
from studio_core.plans.calibration import Calibration, VerifiedPoint
from studio_core.plans.constraints import Constraints, Limits, Quantity, UnreachableError
from studio_core.plans.reasons import ReasonCode
from studio_core.plans.solver import Solver

from . import small_cases as cases

ANY_LIMIT = Limits(max_sparsity=1.0)
SHARED = [HealthCheck.function_scoped_fixture]

rows_of = st.lists(
    st.lists(st.floats(0, 2, width=32), min_size=4, max_size=4), min_size=3, max_size=3
)


def make_solver(session, losses, timings=None, **options):
    layers = session.prunable_layers
    perf = None if timings is None else cases.perf_analysis(layers, timings)
    loss = cases.loss_analysis(layers, losses)
    return Solver(Planner(session.layers, loss, perf), **options)


def keeps(costs, constraints, dense):
    """Whether the quantities of a plan keep the constraints."""
    checks = (
        (constraints.min_sparsity, lambda v: costs["sparsity"] >= v - 1e-12),
        (constraints.max_bytes, lambda v: costs["bytes"] <= v),
        (constraints.max_flops_share, lambda v: costs["flops"] <= v * dense["flops"] + 0.5),
        (constraints.max_latency_ms, lambda v: costs["latency_ms"] <= v * (1 + 1e-12)),
        (constraints.max_loss, lambda v: costs["loss"] <= v * (1 + 1e-12)),
    )
    return all(check(value) for value, check in checks if value is not None)


@settings(max_examples=30, deadline=None, suppress_health_check=SHARED)
@given(
    losses=rows_of,
    timings=st.lists(
        st.lists(st.floats(0, 5, width=32), min_size=5, max_size=5), min_size=3, max_size=3
    ),
    objective=st.sampled_from(list(Quantity)),
    bounds=st.fixed_dictionaries(
        {},
        optional={
            "min_sparsity": st.floats(0, 0.9),
            "max_bytes": st.integers(60, 260).map(float),
            "max_latency_ms": st.floats(0, 15),
            "max_loss": st.floats(0, 4),
        },
    ),
)
def test_the_plan_is_the_best_of_all_combinations(mlp, losses, timings, objective, bounds):
    constraints = Constraints(**bounds)
    sparsest = objective is Quantity.SPARSITY
    plans = [
        (plan, costs)
        for plan, costs in cases.all_plans(mlp, losses, timings)
        if keeps(costs, constraints, {})
    ]
    solver = make_solver(mlp, losses, timings)
    if not plans:
        with pytest.raises(UnreachableError):
            solver.solve(objective, constraints, ANY_LIMIT)
        return
    values = [costs[objective] for _, costs in plans]
    best = max(values) if sparsest else min(values)
    solution = solver.solve(objective, constraints, ANY_LIMIT, time_limit_s=10)
    assert solution.is_optimal
    assert solution.value == pytest.approx(best, rel=1e-7, abs=1e-7 if objective != "flops" else 1)
    asked = next(
        c
        for p, c in cases.all_plans(mlp, losses, timings)
        if p.sparsities == solution.plan.sparsities
    )
    assert keeps(asked, constraints, {})
    assert solution.loss.value == pytest.approx(asked["loss"])


def test_a_share_of_the_flops_is_kept(mlp):
    losses = [[0.1, 0.2, 0.4, 0.9], [0.05, 0.1, 0.3, 0.5], [0.2, 0.3, 0.4, 0.8]]
    plans = [c for _, c in cases.all_plans(mlp, losses)]
    dense = max(c["flops"] for c in plans)
    solution = make_solver(mlp, losses).solve("loss", Constraints(max_flops_share=0.5), ANY_LIMIT)
    best = min(c["loss"] for c in plans if c["flops"] <= 0.5 * dense)
    assert solution.value == pytest.approx(best)
    assert solution.estimate.flops <= 0.5 * dense


LOSSES = [[0.01, 0.02, 0.04, 0.9], [0.001, 0.01, 0.03, 0.05], [0.2, 0.3, 0.4, 0.8]]


def test_locks_and_limits_are_kept(mlp):
    solver = make_solver(mlp, LOSSES)
    a, b, c = (layer.id for layer in mlp.prunable_layers)
    limits = Limits(locked={a: 0.6}, lowest={c: 0.5}, highest={b: 0.5})
    solution = solver.solve("loss", Constraints(min_sparsity=0.5), limits)
    sparsities = solution.plan.sparsities
    assert (sparsities[a], sparsities[b], sparsities[c]) == (0.6, 0.5, 0.5)
    assert solution.plan.locked == {a}
    codes = {reason.layer_id: reason.code for reason in solution.reasons}
    assert (codes[a], codes[b]) == (ReasonCode.LOCKED, ReasonCode.LIMIT)


def test_a_lock_between_known_levels_widens_the_error_instead_of_being_refused(mlp):
    solver = make_solver(mlp, LOSSES)
    a = mlp.prunable_layers[0].id
    loss = solver.solve(limits=Limits(locked={a: 0.6})).loss
    assert loss.value == pytest.approx(0.02 + 0.4 * 0.02)
    # No standard errors were measured, so none is invented.
    assert loss.standard_error is None


def test_a_lock_beyond_the_last_known_level_is_named_unknown(mlp):
    solver = make_solver(mlp, LOSSES)
    a = mlp.prunable_layers[0].id
    solution = solver.solve(limits=Limits(locked={a: 0.99}))
    assert solution.loss.unknown == (a,)
    assert "unknown loss" in solution.loss.statement


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(lowest={"a": 0.3}, highest={"a": 0.4}), "no known level from 30.0% to 40.0%"),
        (Limits(locked={"nowhere": 0.5}), "'nowhere' cannot be locked"),
    ],
)
def test_limits_that_leave_nothing_say_so(mlp, limits, words):
    with pytest.raises((InfeasibleError, InvalidRequestError), match=words):
        make_solver(mlp, LOSSES).solve(limits=limits)


def test_what_cannot_be_reached_names_the_constraint_and_the_best_there_is(mlp):
    solver = make_solver(mlp, LOSSES)
    with pytest.raises(UnreachableError, match=r"average sparsity cannot be at least 96\.00%") as e:
        solver.solve("loss", Constraints(min_sparsity=0.96))
    assert e.value.quantity is Quantity.SPARSITY
    best = max(c["sparsity"] for _, c in cases.all_plans(mlp, LOSSES, highest=0.95))
    assert e.value.reachable == pytest.approx(best)


def test_a_conflict_names_the_bound_that_gives_way_and_what_it_would_take(mlp):
    solver = make_solver(mlp, LOSSES)
    constraints = Constraints(min_sparsity=0.7, max_loss=0.01)
    with pytest.raises(UnreachableError, match="together with the bound on the average") as caught:
        solver.solve("bytes", constraints)
    best = min(
        c["loss"] for _, c in cases.all_plans(mlp, LOSSES, highest=0.95) if c["sparsity"] >= 0.7
    )
    assert caught.value.quantity is Quantity.LOSS
    assert caught.value.others == (Quantity.SPARSITY,)
    assert caught.value.reachable == pytest.approx(best)
    relaxed = replace(constraints, max_loss=caught.value.reachable)
    assert solver.solve("bytes", relaxed).loss.value == pytest.approx(best)


def test_a_layer_without_a_curve_stays_dense_and_is_named(mlp):
    layers = mlp.prunable_layers
    solver = make_solver(mlp, [LOSSES[0], None, LOSSES[2]])
    solution = solver.solve("sparsity")
    assert solution.plan.sparsities[layers[1].id] == 0.0
    assert solution.without_curve == (layers[1].id,)
    codes = {reason.layer_id: reason.code for reason in solution.reasons}
    assert codes[layers[1].id] is ReasonCode.NO_CURVE
    assert codes[layers[0].id] is ReasonCode.LAST_LEVEL


def test_latency_needs_timings_and_a_layer_without_them_gains_none(mlp):
    with pytest.raises(InvalidRequestError, match="No latency was measured"):
        make_solver(mlp, LOSSES).solve("latency_ms")
    timings = [[4, 3, 2, 1, 1], None, [2, 2, 2, 2, 2]]
    solver = make_solver(mlp, LOSSES, timings, other_latency_ms=10.0)
    solution = solver.solve("latency_ms", Constraints(max_loss=10.0))
    assert solution.value == solution.latency_ms == pytest.approx(10 + 1 + 2)
    assert list(solution.plan.sparsities.values()) == [0.75, 0.0, 0.0]
    codes = [reason.code for reason in solution.reasons]
    assert codes[1:] == [ReasonCode.NOTHING_TO_GAIN] * 2
    share = solver.solve("loss", Constraints(max_latency_share=15 / 16))
    assert list(share.plan.sparsities.values()) == [0.25, 0.0, 0.0]


def test_a_level_that_was_not_timed_is_not_taken_for_latency(mlp):
    timings = [[4, np.nan, 1, np.nan, 0.5], [1] * 5, [1] * 5]
    solver = make_solver(mlp, LOSSES, timings)
    solution = solver.solve("loss", Constraints(max_latency_ms=5.0))
    assert list(solution.plan.sparsities.values()) == [0.5, 0.0, 0.0]


def test_reasons_weigh_the_next_level_against_the_marginal_price(mlp):
    solution = make_solver(mlp, LOSSES).solve("loss", Constraints(min_sparsity=0.6))
    dear = [r for r in solution.reasons if r.code is ReasonCode.TOO_DEAR]
    assert dear
    for reason in dear:
        assert reason.loss_cost > reason.fair_cost
        assert reason.gain > 0
        assert reason.gain_quantity is Quantity.SPARSITY
        assert "would add" in reason.text
        assert reason.to_document()["code"] == "too_dear"


def test_an_estimate_adds_up_as_the_planner_shows_it(mlp):
    solution = Solver(mlp.planner).solve("loss", Constraints(min_sparsity=0.5))
    assert solution.loss.value == pytest.approx(mlp.planner.estimate(solution.plan).loss)
    assert solution.loss.standard_error is None
    assert "nothing was run" in solution.loss.statement


def test_a_calibration_turns_the_bound_on_the_loss_too(mlp):
    calibration = Calibration.fit([VerifiedPoint(0.01, 0.1)])
    solver = make_solver(mlp, LOSSES, calibration=calibration)
    plain = make_solver(mlp, LOSSES).solve("bytes", Constraints(max_loss=0.05))
    learnt = solver.solve("bytes", Constraints(max_loss=0.5))
    assert learnt.plan == plain.plan
    assert learnt.loss.value == pytest.approx(10 * plain.loss.value)


@pytest.mark.parametrize(
    "bad",
    [{"min_sparsity": 1.2}, {"max_loss": float("nan")}, {"max_bytes": 1, "max_bytes_share": 0.5}],
)
def test_constraints_are_checked(bad):
    with pytest.raises(InvalidRequestError):
        Constraints(**bad)


def test_an_unknown_objective_lists_those_there_are(mlp):
    with pytest.raises(InvalidRequestError, match="latency_ms"):
        make_solver(mlp, LOSSES).solve("speed")
