"""Layers whose sparsity saves no time on the runtime it was measured on."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from studio_core.finding import Finding
from studio_core.findings.gathering import gathered
from studio_core.findings.model_facts import ModelFacts
from studio_core.layers import Layer
from studio_core.pruning.masks import Granularity
from studio_core.quantities import percent
from studio_core.sensitivity import PerfCurve, Source

_LEAST_GAIN = 0.02
"""Share of a layer's time; less is no gain to a person."""

_FEW = 3
"""Layers without a gain that are told one by one, whatever the share."""

_OTHER_WAY = {
    Granularity.CHANNEL: "Take another sparsity, or leave the layer as it is.",
    Granularity.ELEMENT: "Remove channels, which makes the layer smaller, or keep the zeros for "
    "the sake of the file's compressed size.",
    Granularity.N_OF_M: "Run it where N:M patterns are exploited, or remove channels.",
}


def no_gain(facts: ModelFacts) -> Iterator[Finding]:
    """One finding for all of them, unless they are few of many."""
    known = {layer.id: gain for layer in facts.units if (gain := _gain(facts, layer)) is not None}
    without = [layer for layer in facts.units if known.get(layer.id, 1.0) < _LEAST_GAIN]
    if len(without) > max(_FEW, len(known) // 2) or (without and len(without) == len(known)):
        yield _for_many(facts, without, len(known))
    else:
        yield from gathered((_for_one(facts, x, known[x.id]) for x in without), facts.names)


def _gain(facts: ModelFacts, layer: Layer) -> float | None:
    """The share of its time that a layer saves at its target; None where it is not known."""
    curve, sparsity = facts.perf_curve(layer.id), facts.target(layer)
    if curve is None or not sparsity > 0 or not curve.baseline_timing_ms:
        return None
    times = curve.timings_of(facts.removal.of(layer.id).granularity)
    if times is None or not np.isfinite(times).any():
        return None
    after = _at(curve, times, sparsity)
    return None if math.isnan(after) else 1.0 - after / curve.baseline_timing_ms


def _at(curve: PerfCurve, times: np.ndarray, sparsity: float) -> float:
    """The time at a sparsity, linear between levels; beyond the last known one unknown."""
    known = np.isfinite(times)
    xs = np.concatenate([[0.0], curve.sparsities[known]])
    ys = np.concatenate([[curve.baseline_timing_ms], times[known]])
    return float(np.interp(sparsity, xs, ys, right=np.nan))


def _for_many(facts: ModelFacts, layers: list[Layer], num_known: int) -> Finding:
    removed = {facts.removal.of(layer.id).granularity for layer in layers}
    is_all = len(layers) == num_known
    who = f"None of the {num_known}" if is_all else f"{len(layers)} of the {num_known}"
    verb = "saves" if is_all else "do not save"
    return Finding(
        "no gain",
        "warning",
        f"The plan makes {'no layer' if is_all else 'most layers no'} faster on this runtime.",
        f"{who} pruned layers with measured times {verb} even {percent(_LEAST_GAIN)} of the time "
        f"on {_runtime(facts)}.",
        _OTHER_WAY[min(removed)],
    )


def _for_one(facts: ModelFacts, layer: Layer, gain: float) -> Finding:
    kind = facts.removal.of(layer.id).granularity
    return Finding(
        "no gain",
        "note",
        f"{layer.name} gets no faster.",
        f"At {percent(facts.target(layer))} it saves {percent(max(0.0, gain))} of its time on "
        f"{_runtime(facts)}.",
        _OTHER_WAY[kind],
        subject=layer.id,
    )


def _runtime(facts: ModelFacts) -> str:
    engine = facts.perf.provenance.get("engine") if facts.perf is not None else None
    return str(engine) if engine else "this runtime"


def time_not_measured(facts: ModelFacts) -> Iterator[Finding]:
    """A plan whose speed nobody has measured."""
    is_measured = facts.perf is not None and facts.perf.source is not Source.ESTIMATED
    has_latency = any(found.get("latency") for found in facts.verifications)
    if facts.plan is None or is_measured or has_latency or not any(map(facts.target, facts.units)):
        return
    yield Finding(
        "time not measured",
        "note",
        "Whether the plan makes the model faster is not known.",
        "The multiply-accumulates are what would be left if the runtime skipped every zero; most "
        "runtimes skip none.",
        "Measure the times of the layers, or verify the plan with timed runs.",
    )
