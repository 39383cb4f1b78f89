"""The planner: targets met to the weight, optimal on the hull, honest about what it brings."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from studio_core.errors import InfeasibleError, InvalidRequestError
from studio_core.plans import Planner, PruningPlan
from studio_core.sensitivity import DEFAULT_LEVELS
from studio_core.session import Session


@st.composite
def problems(draw):
    """Sizes, levels, losses [L, K] (not sorted, not convex), work, and a limit."""
    num_layers = draw(st.integers(1, 6))
    sizes = draw(st.lists(st.integers(1, 5000), min_size=num_layers, max_size=num_layers))
    inner = draw(st.lists(st.sampled_from(DEFAULT_LEVELS[:-1]), max_size=6, unique=True))
    levels = [*sorted(inner), 1.0]
    loss = st.floats(-0.2, 3, allow_subnormal=False)
    row = st.lists(loss, min_size=len(levels), max_size=len(levels))
    losses = draw(st.lists(row, min_size=num_layers, max_size=num_layers))
    macs = draw(st.lists(st.integers(0, 10**9), min_size=num_layers, max_size=num_layers))
    limit = draw(st.sampled_from([0.5, 0.9, 0.95, 1.0]))
    return sizes, levels, losses, macs, limit


@pytest.fixture(scope="module")
def make_planner(make_layer, loss_of, perf_of):
    def make(sizes, levels, losses, macs, *, squared=False) -> Planner:
        ids = [f"layer{i}" for i in range(len(sizes))]
        layers = [make_layer(i, size, macs=m) for i, size, m in zip(ids, sizes, macs, strict=True)]
        work = {
            i: (float(m), [m * (1 - level) for level in levels])
            for i, m in zip(ids, macs, strict=True)
        }
        loss = loss_of(levels, dict(zip(ids, losses, strict=True)), squared=squared)
        return Planner(layers, loss, perf_of(levels, work))

    return make


def costs(levels, losses, macs, balance, limit) -> tuple[np.ndarray, np.ndarray]:
    """Points [K] up to the limit and costs [L, K], as the planner's text defines them."""
    xs = np.array([0.0, *levels])
    rising = np.maximum.accumulate(np.c_[np.zeros(len(losses)), np.array(losses)], axis=1)
    work = np.array(macs)[:, None] * (1 - xs)[None, :]
    both = balance * rising / len(losses) + (1 - balance) * work / (sum(macs) or 1)
    points = np.append(xs[xs < limit], limit)
    return points, np.array([np.interp(points, xs, row) for row in both])


def cheapest(points, values, sizes, wanted) -> float:
    """The optimum by linear programming: each layer is a mixture of its points."""
    num_layers, num_points = values.shape
    once = np.kron(np.eye(num_layers), np.ones(num_points))
    total = np.kron(np.array(sizes, float), points)
    found = linprog(
        values.reshape(-1),
        A_eq=np.vstack([once, total / total.max()]),
        b_eq=[*np.ones(num_layers), wanted / total.max()],
    )
    assert found.success, found.message
    return float(found.fun)


def on_hull(points, row, x) -> float:
    """The lower convex hull of a curve at x, from all pairs of points."""
    return min(
        row[a] if points[a] == points[b] else
        row[a] + (row[b] - row[a]) * (x - points[a]) / (points[b] - points[a])
        for a, b in itertools.combinations_with_replacement(range(len(points)), 2)
        if points[a] <= x + 1e-12 and x <= points[b] + 1e-12
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    problem=problems(),
    share=st.floats(0, 1),
    balance=st.sampled_from([0.0, 0.3, 1.0]),
    squared=st.booleans(),
)
def test_the_target_is_met_at_the_least_cost(make_planner, problem, share, balance, squared):
    sizes, levels, losses, macs, limit = problem
    losses = [[abs(v) for v in row] for row in losses] if squared else losses
    planner = make_planner(sizes, levels, losses, macs, squared=squared)
    losses = [[v**2 for v in row] for row in losses] if squared else losses
    target = share * limit

    plan = planner.distribute(target, balance=balance, max_sparsity=limit)

    sparsities = np.array([plan.sparsities[f"layer{i}"] for i in range(len(sizes))])
    assert np.all((sparsities >= 0) & (sparsities <= limit + 1e-12))
    reached = float(np.dot(sizes, sparsities))
    assert abs(reached - target * sum(sizes)) <= 0.5, (problem, share, balance, squared)
    points, values = costs(levels, losses, macs, balance, limit)
    mine = sum(on_hull(points, row, x) for row, x in zip(values, sparsities, strict=True))
    assert mine <= cheapest(points, values, sizes, reached) + 1e-6


@settings(max_examples=30, deadline=None)
@given(
    losses=st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=2, max_size=3),
    target=st.sampled_from([0.25, 0.5, 0.75]),
)
def test_no_choice_of_levels_is_cheaper(make_planner, losses, target):
    levels = [0.25, 0.5, 0.75, 1.0]
    sizes = [8] * len(losses)
    planner = make_planner(sizes, levels, losses, [1] * len(losses))
    points, values = costs(levels, losses, [1] * len(losses), 1.0, 1.0)
    plan = planner.distribute(target, max_sparsity=1.0)
    found = list(plan.sparsities.values())
    mine = sum(on_hull(points, row, x) for row, x in zip(values, found, strict=True))
    for choice in itertools.product(range(5), repeat=len(losses)):
        if np.isclose(points[list(choice)].sum(), target * len(losses)):
            assert mine <= values[np.arange(len(losses)), choice].sum() + 1e-9


@settings(max_examples=60, deadline=None)
@given(problem=problems(), locks=st.dictionaries(st.integers(0, 5), st.floats(0, 1)),
       target=st.floats(0, 1))  # fmt: skip
def test_locked_layers_keep_their_sparsity(make_planner, problem, locks, target):
    sizes, levels, losses, macs, limit = problem
    planner = make_planner(sizes, levels, losses, macs)
    locked = {f"layer{i}": s for i, s in locks.items() if i < len(sizes)}
    assume(locked)
    fixed = sum(sizes[int(i[5:])] * s for i, s in locked.items())
    free = sum(limit * size for i, size in enumerate(sizes) if f"layer{i}" not in locked)
    wanted = target * sum(sizes)
    try:
        plan = planner.distribute(target, locked=locked, max_sparsity=limit)
    except InfeasibleError as error:
        assert wanted < fixed - 0.4 or wanted > fixed + free + 0.4
        assert f"{target:.1%}" in str(error) and "locked layers" in str(error)
        assert f"{fixed / sum(sizes):.1%} to {(fixed + free) / sum(sizes):.1%}" in str(error)
    else:
        assert {i: plan.sparsities[i] for i in locked} == locked
        assert plan.locked == frozenset(locked)
        assert plan.locked_sparsities() == locked
        reached = sum(s * sizes[int(i[5:])] for i, s in plan.sparsities.items())
        assert abs(reached - wanted) <= 0.5 + 1e-6


def test_more_sparsity_costs_more(generated):
    planner = Session.open(generated("resnet18")).planner
    estimates = [planner.estimate(planner.distribute(t)) for t in (0.0, 0.3, 0.6, 0.9)]
    assert [e.loss for e in estimates] == sorted(e.loss for e in estimates)
    assert [e.flops for e in estimates] == sorted((e.flops for e in estimates), reverse=True)
    assert all(e.achieves_target for e in estimates)
    assert estimates[0].loss == 0
    # One of the random weights is zero as it is.
    assert estimates[0].flops_share == pytest.approx(1.0, abs=1e-6)
    for estimate, target in zip(estimates, (0.0, 0.3, 0.6, 0.9), strict=True):
        slack = 0.5 * (1 + len(planner.layers))  # each layer rounds to whole weights
        assert abs(estimate.num_zeros - target * estimate.num_weights) <= slack


def test_balance_trades_loss_for_work(generated):
    planner = Session.open(generated("mobilenet_v2")).planner
    estimates = [
        planner.estimate(planner.distribute(0.6, balance=b)) for b in (0.0, 0.25, 0.75, 1.0)
    ]
    losses, flops = [e.loss for e in estimates], [e.flops for e in estimates]
    assert losses == sorted(losses, reverse=True) and losses[0] > losses[-1]
    assert flops == sorted(flops) and flops[0] < flops[-1]


def test_the_best_plan_beats_the_uniform_one(generated):
    planner = Session.open(generated("resnet18")).planner
    best = planner.estimate(planner.distribute(0.8))
    uniform = planner.estimate(planner.uniform(0.8))
    assert best.loss < uniform.loss
    assert abs(best.sparsity - uniform.sparsity) < 1e-4


@pytest.fixture
def shared(open_text) -> Session:
    """Layers a and b use one weight of 16, y one of 64."""
    rng = np.random.default_rng(0)
    return open_text(
        "g (float[N,4] x) => (y) { a = MatMul (x, w) b = MatMul (a, w) y = MatMul (b, v) }",
        {
            "w": rng.normal(size=(4, 4)).astype(np.float32),
            "v": rng.normal(size=(4, 16)).astype(np.float32),
        },
    )


def test_a_shared_weight_is_one_decision(shared):
    planner = shared.planner
    plan = planner.distribute(0.5)
    assert plan.sparsities["a"] == plan.sparsities["b"]
    estimate = planner.estimate(plan)
    assert estimate.num_weights == 80
    assert abs(16 * plan.sparsities["a"] + 64 * plan.sparsities["y"] - 40) <= 0.5
    locked = planner.distribute(0.5, locked={"b": 0.25})
    assert locked.sparsities["a"] == locked.sparsities["b"] == 0.25
    assert locked.locked == {"a", "b"}
    # A change by hand takes the partner along, so that the locks agree.
    changed = locked.with_layer("a", 0.75)
    assert changed.sparsities["a"] == changed.sparsities["b"] == 0.75
    again = planner.distribute(0.5, locked=changed.locked_sparsities())
    assert again.sparsities["b"] == 0.75
    with pytest.raises(InvalidRequestError, match="shares its weight"):
        planner.distribute(0.5, locked={"a": 0.1, "b": 0.9})


def test_a_plan_that_names_one_of_two_partners_counts(shared):
    planner = shared.planner
    for name in ("a", "b"):
        estimate = planner.estimate(PruningPlan({name: 0.5}))
        assert estimate.num_zeros == 8
        assert estimate.flops == (16 + 16) // 2 + 64


def test_an_estimate_is_what_counting_gives(mlp):
    planner = mlp.planner
    plan = PruningPlan({"a": 0.5, "b": 0.25, "y": 1.0})
    estimate = planner.estimate(plan)
    assert estimate.num_weights == 12 + 24 + 8
    assert estimate.num_zeros == 6 + 6 + 8
    assert estimate.sparsity == pytest.approx(20 / 44)
    assert estimate.model_sparsity == pytest.approx(20 / 54)
    assert estimate.flops_dense == 44 and estimate.flops == 6 + 18
    assert estimate.flops_share == pytest.approx(24 / 44)
    # Weights of 12, 24 and 8 floats, biases of 4 and 6.
    assert estimate.bytes_dense == 54 * 4
    # A bit a weight and four bytes for each that is left, where that is less.
    a, b, y = 2 + 6 * 4, 3 + 18 * 4, 1 + 0
    assert estimate.bytes_sparse == a + b + y + (4 + 6) * 4
    losses = {c.layer_id: c for c in mlp.loss.curves}
    squares = [losses[i].at(s) ** 2 for i, s in plan.sparsities.items()]
    assert estimate.loss == pytest.approx((sum(squares) / 3) ** 0.5)
    assert estimate.achieves_target and estimate.note == ""


def test_an_empty_plan_leaves_the_model_as_it_is(mlp):
    estimate = mlp.planner.estimate(PruningPlan({}))
    assert (estimate.num_zeros, estimate.sparsity, estimate.loss) == (0, 0.0, 0.0)
    assert estimate.flops == estimate.flops_dense
    assert estimate.bytes_sparse == estimate.bytes_dense


def test_weights_that_are_zero_already(open_text):
    weight = np.ones((4, 10), np.float32)
    weight[:, :6] = 0  # 60 %
    session = open_text("g (float[N,4] x) => (y) { y = MatMul (x, w) }", {"w": weight})
    planner = session.planner
    less = planner.estimate(planner.distribute(0.5))
    assert less.num_zeros == 24 and less.sparsity == 0.6 and less.achieves_target
    assert "zero already" in less.note
    more = planner.estimate(planner.distribute(0.75))
    assert more.num_zeros == 30 and more.note == ""


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"target": 1.1}, "target"),
        ({"target": -0.1}, "target"),
        ({"target": float("nan")}, "target"),
        ({"target": 0.5, "balance": 2}, "balance"),
        ({"target": 0.5, "max_sparsity": 1.01}, "limit"),
        ({"target": 0.5, "locked": {"nobody": 0.5}}, "'nobody'"),
        ({"target": 0.5, "locked": {"a": 1.5}}, ""),
        ({"target": 0.5, "locked": {"a": float("nan")}}, ""),
    ],
)
def test_requests_that_make_no_sense(mlp, wrong, said):
    with pytest.raises((InvalidRequestError, InfeasibleError)) as error:
        mlp.planner.distribute(**wrong)
    assert said in str(error.value)


def test_a_target_beyond_the_limit_says_what_can_be_reached(mlp):
    with pytest.raises(InfeasibleError, match=r"97\.0%.*95\.0% a layer.*0\.0% to 95\.0%"):
        mlp.planner.distribute(0.97)
    assert mlp.planner.estimate(mlp.planner.distribute(0.97, max_sparsity=1.0)).sparsity > 0.95


def test_layers_without_a_curve_stay_dense_and_say_so(make_layer, loss_of):
    layers = [make_layer("a"), make_layer("b"), make_layer("c")]
    rows = {"a": [0.1, 0.4], "b": [np.nan, np.nan]}
    planner = Planner(layers, loss_of([0.5, 1.0], rows))
    plan = planner.distribute(0.3)
    assert plan.sparsities["b"] == plan.sparsities["c"] == 0.0
    assert plan.sparsities["a"] == pytest.approx(0.9)
    with pytest.raises(InfeasibleError, match="2 layers have no loss curve"):
        planner.distribute(0.5)
    # By hand a person may prune them all the same.
    assert planner.distribute(0.5, locked={"b": 1.0}).sparsities["b"] == 1.0


def test_a_curve_of_the_baseline_alone_is_unknown(make_layer, loss_of):
    planner = Planner([make_layer("a")], loss_of([0.0], {"a": [0.0]}))
    with pytest.raises(InfeasibleError):
        planner.distribute(0.5)


def test_a_curve_goes_on_behind_its_last_level(make_layer, loss_of):
    # Measured to 0.5 only: beyond, the layer must not look free.
    layers = [make_layer("a", 100), make_layer("b", 100)]
    rows = {"a": [0.5, np.nan], "b": [0.6, 1.2]}
    planner = Planner(layers, loss_of([0.5, 1.0], rows))
    plan = planner.distribute(0.9, max_sparsity=1.0)
    assert plan.sparsities == {"a": 1.0, "b": pytest.approx(0.8)}


def test_nothing_to_prune():
    planner = Planner([], _nothing())
    assert planner.distribute(0.0).sparsities == {}
    estimate = planner.estimate(planner.distribute(0.0))
    assert estimate.num_weights == 0 and estimate.loss is None


def _nothing():
    from studio_core.sensitivity import estimate_loss

    return estimate_loss([])


def test_unknown_work_is_unknown_in_the_estimate(open_text):
    session = open_text("g (float[N,S,3] x) => (y) { y = MatMul (x, w) }",
                        {"w": np.ones((3, 4), np.float32)})  # fmt: skip
    for balance in (0.0, 0.5, 1.0):
        plan = session.planner.distribute(0.5, balance=balance)
        estimate = session.planner.estimate(plan)
        assert estimate.flops is None and estimate.flops_share is None
        assert estimate.num_zeros == 6


def test_levels_of_many_lengths_are_brought_together(mlp):
    from studio_core.sensitivity import estimate_loss, estimate_perf

    planner = Planner(
        mlp.layers,
        estimate_loss(mlp.layers, resolution="full"),
        estimate_perf(mlp.layers, resolution="full"),
    )
    assert planner.estimate(planner.distribute(0.5)).sparsity == pytest.approx(0.5, abs=0.04)


def test_five_hundred_layers(generated):
    planner = Session.open(generated("many_layers", num_layers=500)).planner
    plan = planner.distribute(0.7)
    assert planner.estimate(plan).achieves_target and len(plan.sparsities) == 500
