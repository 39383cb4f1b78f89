"""A layer whose share of the plan's loss is much larger than its share of the zeros."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from studio_core.finding import Finding
from studio_core.findings.model_facts import ModelFacts
from studio_core.layers import Layer
from studio_core.quantities import percent
from studio_core.sensitivity import LossCurve

_LEAST_SHARE = 0.2
"""Of the plan's loss; below, another sparsity of the layer hardly changes the model."""
_LEAST_RATIO = 3.0
"""Share of the loss ÷ share of the zeros."""
_NUM_ERRORS = 2.0
"""Standard errors a loss must be away from 0 to be spoken of."""


class _Part(NamedTuple):
    layer: Layer
    curve: LossCurve
    sparsity: float
    loss: float
    num_zeros: float


def sensitive_layers(facts: ModelFacts) -> Iterator[Finding]:
    """Losses of single layers add up as the analysis's metric says (`additive_power`)."""
    parts = list(_parts(facts))
    if facts.loss is None or len(parts) < 2:
        return
    power = facts.loss.metric.additive_power
    loss = sum(part.loss**power for part in parts)
    zeros = sum(part.num_zeros for part in parts)
    if not loss > 0 or not zeros:
        return
    for part in sorted(parts, key=lambda part: -part.loss):
        loss_share, zeros_share = part.loss**power / loss, part.num_zeros / zeros
        is_dear = loss_share >= _LEAST_SHARE and loss_share >= _LEAST_RATIO * zeros_share
        if is_dear and _is_certain(part):
            yield _finding(facts, part, loss_share, zeros_share)


def _parts(facts: ModelFacts) -> Iterator[_Part]:
    for layer in facts.units:
        sparsity, curve = facts.target(layer), facts.loss_curve(layer.id)
        if curve is None or not sparsity > 0:
            continue
        loss = curve.at(sparsity)
        if math.isfinite(loss):
            yield _Part(layer, curve, sparsity, max(0.0, loss), sparsity * layer.weight_size)


def _is_certain(part: _Part) -> bool:
    """Whether the loss is away from 0 by more than its error; estimates have none."""
    errors = part.curve.standard_errors
    if errors is None:
        return True
    nearest = int(np.argmin(np.abs(part.curve.sparsities - part.sparsity)))
    error = float(errors[nearest])
    return not math.isfinite(error) or part.loss > _NUM_ERRORS * error


def _finding(facts: ModelFacts, part: _Part, loss_share: float, zeros_share: float) -> Finding:
    assert facts.loss is not None
    source = str(facts.loss.source)
    return Finding(
        "sensitive layer",
        "warning",
        f"{part.layer.name} costs much more than its pruning brings.",
        f"At {percent(part.sparsity)} it makes {percent(loss_share)} of the plan's {source} loss "
        f"and {percent(zeros_share)} of its zeros.",
        _remedy(part),
        subject=part.layer.id,
    )


def _remedy(part: _Part) -> str:
    """The highest known level at which half of the loss is spared."""
    xs, ys = part.curve.sparsities, part.curve.losses
    milder = xs[(xs < part.sparsity) & np.isfinite(ys) & (ys <= part.loss / 2)]
    if not milder.size:
        return "Lock it at 0 and let the other layers take its share."
    return f"Lock it at {percent(float(milder.max()))}: at least half of its loss is spared there."
