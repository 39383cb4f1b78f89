"""Trade-offs: falling, and each point the best of all combinations for the value it reaches."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio_core.errors import InvalidRequestError
from studio_core.plans import Planner
from studio_core.plans.constraints import Constraints, Limits, Quantity, UnreachableError
from studio_core.plans.pareto import pareto_points
from studio_core.plans.solver import Solver

from . import small_cases as cases

SHARED = [HealthCheck.function_scoped_fixture]
ANY_LIMIT = Limits(max_sparsity=1.0)


def make_solver(session, losses):
    loss = cases.loss_analysis(session.prunable_layers, losses)
    return Solver(Planner(session.layers, loss, session.perf))


@settings(max_examples=15, deadline=None, suppress_health_check=SHARED)
@given(
    losses=st.lists(
        st.lists(st.floats(0, 2, width=32), min_size=4, max_size=4), min_size=3, max_size=3
    ),
    quantity=st.sampled_from([Quantity.SPARSITY, Quantity.BYTES, Quantity.FLOPS]),
    exact=st.booleans(),
)
def test_points_are_falling_and_each_is_the_best_of_all_combinations(mlp, losses, quantity, exact):
    solver = make_solver(mlp, losses)
    points = list(pareto_points(solver, quantity, num_points=8, limits=ANY_LIMIT, exact=exact))
    sign = -1.0 if quantity is Quantity.SPARSITY else 1.0
    values, found = [sign * p.value for p in points], [p.loss.value for p in points]
    assert values == sorted(values, reverse=True)
    assert all(a <= b + 1e-9 for a, b in pairwise(found))
    everything = [c for _, c in cases.all_plans(mlp, losses)]
    assert values[-1] == pytest.approx(min(sign * c[quantity] for c in everything), abs=1)
    for value, loss in zip(values, found, strict=True):
        # The estimate counts whole multiply-accumulates, the solver parts of one.
        slack = 0.51 if quantity is Quantity.FLOPS else 1e-9
        best = min(c["loss"] for c in everything if sign * c[quantity] <= value + slack)
        assert loss == pytest.approx(best, abs=1e-6)


LOSSES = [[0.01, 0.02, 0.04, 0.9], [0.001, 0.01, 0.03, 0.05], [0.2, 0.3, 0.4, 0.8]]


def test_points_come_one_by_one_and_keep_constraints_and_locks(mlp):
    a = mlp.prunable_layers[0].id
    constraints, limits = Constraints(max_flops_share=0.6), Limits(locked={a: 0.5})
    points = pareto_points(
        make_solver(mlp, LOSSES), "bytes", constraints=constraints, limits=limits, num_points=5
    )
    assert iter(points) is points
    dense = mlp.planner.estimate(mlp.planner.uniform(0.0)).flops
    for point in points:
        assert point.plan.sparsities[a] == 0.5
        assert mlp.planner.estimate(point.plan).flops <= 0.6 * dense + 1
        assert point.gap == 0.0


def test_what_cannot_be_met_or_asked_is_refused(mlp):
    solver = make_solver(mlp, LOSSES)
    with pytest.raises(InvalidRequestError, match="trade-off"):
        pareto_points(solver, "loss")
    with pytest.raises(UnreachableError):
        list(pareto_points(solver, constraints=Constraints(max_bytes=1)))
