"""Losses whose errors are large against the differences between the layers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from studio_core.finding import Finding
from studio_core.findings.model_facts import ModelFacts
from studio_core.quantities import percent
from studio_core.sensitivity import Analysis, LossCurve

_MOST_UNSETTLED = 0.5
"""Share of pairs of layers whose order may be told either way."""
_NUM_ERRORS = 2.0
_MOST_LAYERS = 400
"""Layers that are compared with each other; more of them say the same, squared."""


def few_samples(facts: ModelFacts) -> Iterator[Finding]:
    """At the level where most layers have a loss with an error, and the losses differ most."""
    for analysis in facts.measured:
        curves = [c for c in analysis.curves if isinstance(c, LossCurve)]
        if len(curves) < 2:
            continue
        if all(c.standard_errors is None or np.isnan(c.standard_errors).all() for c in curves):
            yield _no_errors(analysis)
            continue
        settled = _unsettled(curves)
        if settled is not None and settled[1] > _MOST_UNSETTLED:
            yield _finding(analysis, *settled)


def _unsettled(curves: list[LossCurve]) -> tuple[float, float] | None:
    """A level, and the share of pairs of layers that differ by less than 2 errors there."""
    levels = curves[0].sparsities
    if any(not np.array_equal(curve.sparsities, levels) for curve in curves):
        return None
    step = -(-len(curves) // _MOST_LAYERS)
    some = curves[::step]
    losses = np.array([c.losses for c in some])
    unknown = np.full(levels.shape, np.nan)
    errors = np.array([unknown if c.standard_errors is None else c.standard_errors for c in some])
    known = np.isfinite(losses) & np.isfinite(errors)
    num_known = known.sum(axis=0)
    if num_known.max(initial=0) < 2:
        return None
    spreads = np.array(
        [np.ptp(losses[known[:, k], k]) if num_known[k] > 1 else -1 for k in range(levels.size)]
    )
    level = int(np.argmax(np.where(num_known == num_known.max(), spreads, -1.0)))
    rows = known[:, level]
    return float(levels[level]), _share(losses[rows, level], errors[rows, level])


def _share(losses: np.ndarray, errors: np.ndarray) -> float:
    apart = np.abs(losses[:, None] - losses[None, :])
    error = _NUM_ERRORS * np.hypot(errors[:, None], errors[None, :])
    pairs = np.triu_indices(losses.size, 1)
    return float(np.mean(apart[pairs] <= error[pairs]))


def _finding(analysis: Analysis, level: float, share: float) -> Finding:
    count = analysis.provenance.get("numSamples")
    return Finding(
        "too few samples",
        "warning",
        "The order of the layers is not settled.",
        f"At {percent(level)}, {percent(share)} of the pairs of layers differ by less than "
        f"{_NUM_ERRORS:g} standard errors ('{analysis.name}', {count} samples).",
        "Measure with more samples: four times as many halve the errors.",
    )


def _no_errors(analysis: Analysis) -> Finding:
    count = analysis.provenance.get("numSamples")
    return Finding(
        "no errors known",
        "note",
        "How precise the losses are is not known.",
        f"'{analysis.name}' was measured on {count} sample(s), without standard errors.",
        "Measure with several samples.",
    )
