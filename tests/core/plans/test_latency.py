"""The time of a plan: what was measured counts, and nothing else is taken for faster."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from studio_core.errors import InvalidRequestError
from studio_core.plans import Planner, PruningPlan
from studio_core.plans.constraints import Constraints, Limits, UnreachableError
from studio_core.plans.latency import LatencyModel
from studio_core.plans.solver import Solver
from studio_core.pruning.masks import Granularity
from studio_core.sensitivity.analysis import ChannelCurve, Source

from .small_cases import LEVELS, loss_analysis, perf_analysis

CHANNEL = Granularity.CHANNEL
DENSE = [[8, 8, 8, 8, 8], [4, 4, 4, 4, 4], [2, 2, 2, 2, 2]]
FEWER = [[7, 6, 3, 2], [4, 2, 2, 1], [2, 2, np.nan, 1]]
RUN = {"run": {"total": {"median": 20.0}}, "engine": "onnxruntime", "numThreads": 1}
LOSSES = [[0.1, 0.2, 0.4, 0.9], [0.2, 0.3, 0.5, 0.8], [0.1, 0.2, 0.3, 0.4]]


def both(layers):
    """Single weights that gain nothing, channels that do; the run takes 6 ms more than them."""
    analysis = perf_analysis(layers, DENSE)
    unknown = np.full(len(LEVELS), np.nan)
    curves = tuple(
        dataclasses.replace(
            curve,
            channels=ChannelCurve(unknown, unknown, unknown, np.array(row, float), unknown),
        )
        for curve, row in zip(analysis.curves, FEWER, strict=True)
    )
    return dataclasses.replace(analysis, curves=curves, provenance=RUN)


def planner_of(session, granularity=None, losses=None):
    layers = session.prunable_layers
    loss = losses or loss_analysis(layers, LOSSES)
    return Planner(session.layers, loss, both(layers), granularity=granularity)


def plan_of(session, *sparsities):
    return PruningPlan(
        {layer.id: s for layer, s in zip(session.prunable_layers, sparsities, strict=True)}
    )


def test_layers_and_the_rest_are_the_run(mlp):
    found = planner_of(mlp).predict_latency(plan_of(mlp, 0, 0, 0))
    assert found.dense_ms == found.value_ms == pytest.approx(20.0)
    assert found.share == 1.0


def test_zeros_that_are_not_skipped_bring_nothing_and_channels_do(mlp):
    plan = plan_of(mlp, 0.75, 0.5, 0.0)
    zeros = planner_of(mlp).predict_latency(plan)
    assert (zeros.value_ms, zeros.share) == (pytest.approx(20.0), 1.0)
    assert "zeros as the runtime takes them; onnxruntime, 1 thread" in zeros.statement
    channels = planner_of(mlp, CHANNEL).predict_latency(plan)
    assert channels.value_ms == pytest.approx(6 + 3 + 2 + 2)
    assert channels.source is Source.MEASURED and channels.granularity is CHANNEL
    assert "channels really removed" in channels.statement


def test_between_two_levels_the_slower_one_counts_and_beyond_the_last_none(mlp):
    planner = planner_of(mlp, CHANNEL)
    assert planner.predict_latency(plan_of(mlp, 0.6, 0, 0)).value_ms == pytest.approx(6 + 6 + 4 + 2)
    # 0.75 of the third layer was not timed: its neighbours are 0.5 and 0.9.
    assert planner.predict_latency(plan_of(mlp, 0, 0, 0.75)).value_ms == pytest.approx(20.0)
    beyond = planner.predict_latency(plan_of(mlp, 0.95, 0, 0))
    assert beyond.value_ms == pytest.approx(20.0)
    assert beyond.unknown == (mlp.prunable_layers[0].id,)
    assert "count as unchanged" in beyond.statement


def test_without_times_the_share_is_that_of_the_work_and_says_so(mlp):
    planner = Planner(mlp.layers, loss_analysis(mlp.prunable_layers, LOSSES), mlp.perf)
    plan = planner.distribute(0.5)
    found = planner.predict_latency(plan)
    assert found.value_ms is None and found.dense_ms is None
    assert found.share == planner.estimate(plan).flops_share
    assert found.source is Source.ESTIMATED and "no time was measured" in found.statement
    json.dumps(found.to_document(), allow_nan=False)


def test_what_was_removed_for_the_losses_is_what_the_plan_removes(mlp):
    layers = mlp.prunable_layers
    losses = loss_analysis(layers, LOSSES, provenance={"granularity": "channel"})
    assert planner_of(mlp, losses=losses).granularity is CHANNEL
    losses = loss_analysis(layers, LOSSES, provenance={"granularity": "2:4"})
    assert planner_of(mlp, losses=losses).granularity is Granularity.ELEMENT


def test_a_latency_bound_is_met_by_channels_and_not_by_zeros(mlp):
    bound = Constraints(max_latency_ms=15.0)
    solution = Solver(planner_of(mlp, CHANNEL)).solve("loss", bound)
    assert solution.latency_ms == pytest.approx(solution.latency.value_ms)
    assert solution.latency_ms <= 15.0
    # 5 ms must go: 0.4 of loss for them in the first layer, 0.9 for them spread over all.
    assert list(solution.plan.sparsities.values()) == [0.75, 0.0, 0.0]
    with pytest.raises(UnreachableError, match="best that known levels"):
        Solver(planner_of(mlp)).solve("loss", bound)


def test_a_share_of_the_run_counts_what_is_no_layers(mlp):
    limits = Limits(max_sparsity=0.9)
    solution = Solver(planner_of(mlp, CHANNEL)).solve("latency_ms", limits=limits)
    assert solution.latency_ms == pytest.approx(6 + 2 + 1 + 1)
    share = Solver(planner_of(mlp, CHANNEL)).solve("loss", Constraints(max_latency_share=0.5))
    assert share.latency_ms <= 10.0 and share.latency.share == pytest.approx(0.5)


def test_channels_that_were_not_timed_are_missed_by_name(mlp):
    layers = mlp.prunable_layers
    planner = Planner(
        mlp.layers, loss_analysis(layers, LOSSES), perf_analysis(layers, DENSE), None, CHANNEL
    )
    with pytest.raises(InvalidRequestError, match="measured for channel pruning"):
        Solver(planner).solve("loss", Constraints(max_latency_ms=15.0))


def test_an_analysis_that_does_not_know_its_run_leaves_the_rest_out(mlp):
    layers = mlp.prunable_layers
    model = LatencyModel(perf_analysis(layers, DENSE), [[layer] for layer in layers])
    assert (model.other_ms, model.dense_ms) == (0.0, 14.0)
    given = LatencyModel(perf_analysis(layers, DENSE), [[x] for x in layers], other_ms=3.0)
    assert given.dense_ms == 17.0


def test_a_weight_of_two_layers_has_a_time_only_if_both_do(mlp):
    a, b, c = mlp.prunable_layers
    timings = [DENSE[0], None, DENSE[2]]
    analysis = dataclasses.replace(perf_analysis((a, b, c), timings), provenance=RUN)
    model = LatencyModel(analysis, [[a, b], [c]])
    assert np.isnan(model.timings(0, np.array([0.0, 0.5]))).all()
    assert model.dense_ms == pytest.approx(20.0)  # what is not told apart is in the rest
    assert model.other_ms == pytest.approx(18.0)
