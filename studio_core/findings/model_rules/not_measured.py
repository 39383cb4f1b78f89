"""Layers that an analysis leaves out, with the reason, and levels that are missing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from studio_core.finding import Finding
from studio_core.findings.gathering import gathered, listed
from studio_core.findings.model_facts import ModelFacts, text_map
from studio_core.quantities import percent
from studio_core.sensitivity import Analysis, LossCurve


def not_measured(facts: ModelFacts) -> Iterator[Finding]:
    """Layers with a reason each, layers without one together, then missing levels."""
    for analysis in facts.measured:
        yield from gathered(_skipped(facts, analysis), facts.names)
        yield from _absent(facts, analysis)
        yield from _unfinished(analysis)


def _skipped(facts: ModelFacts, analysis: Analysis) -> Iterator[Finding]:
    for layer_id, reason in text_map(analysis.provenance.get("notMeasured")).items():
        layer = facts.layers.get(layer_id)
        asked = facts.target(layer) if layer is not None else 0.0
        yield Finding(
            "layer not measured",
            "warning" if asked > 0 else "note",
            f"How {layer.name if layer else layer_id} takes pruning is not known "
            f"({analysis.kind}).",
            reason + (f" The plan prunes it to {percent(asked)}." if asked > 0 else ""),
            "Lock it, or judge it by the estimate.",
            subject=layer_id if layer is not None else None,
        )


def _absent(facts: ModelFacts, analysis: Analysis) -> Iterator[Finding]:
    told = text_map(analysis.provenance.get("notMeasured"))
    names = [
        layer.name
        for layer in facts.session.prunable_layers
        if analysis.curve(layer.id) is None and layer.id not in told
    ]
    if names:
        yield Finding(
            "layers without a curve",
            "warning",
            f"'{analysis.name}' does not know all prunable layers.",
            f"{len(names)} of {len(facts.session.prunable_layers)} have no curve: {listed(names)}.",
            "Measure the model as it is now.",
        )


def _unfinished(analysis: Analysis) -> Iterator[Finding]:
    told = text_map(analysis.provenance.get("notMeasured"))
    losses = [
        c.losses for c in analysis.curves if isinstance(c, LossCurve) and c.layer_id not in told
    ]
    points = np.concatenate(losses) if losses else np.zeros(0)
    missing = int(np.isnan(points).sum())
    if missing:
        yield Finding(
            "unfinished analysis",
            "note",
            f"'{analysis.name}' is not finished.",
            f"{missing:,} of {points.size:,} points are not measured yet.",
            "Resume the measurement; what is known is kept.",
        )
