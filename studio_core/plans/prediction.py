"""The loss of a whole plan, predicted from single-layer losses, with an error bar and its origin.

Each layer's loss was found with that layer alone pruned. They are put together as

    loss = (w · Σ l_i ^ p) ^ (1/p)

with p the metric's `additive_power` (2 for relative errors, 1 otherwise), and w = 1 / number
of layers for estimates from the weights (a power mean, the number that `PlanEstimate` shows)
and w = 1 for measured losses (to first order, the effects of small changes add). A higher
sparsity is never taken to do less harm: a dip in a measured curve is noise, and a solver
would go looking for it. Layers interact, so the sum is a prediction; `verify` gives the
true value and `Calibration` learns from it.

Error bar: single-layer standard errors propagated to first order, layers taken as
independent. Between two known levels the loss is linear, with the standard deviation of a
uniform distribution over the two, (l₂ − l₁) / √12, as its own error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from studio_core.layers.layer import Layer
from studio_core.plans.plan import PruningPlan
from studio_core.sensitivity.analysis import Analysis, FloatArray, LossCurve, Source

_EQUAL = 1e-9
_LEAST_LOSS = 1e-12


@dataclass(frozen=True)
class PredictedLoss:
    """A predicted loss in the analysis's own metric; positive is worse.

    ``standard_error`` is None where nothing was measured. ``unknown`` names the pruned
    layers without a known loss, which ``value`` leaves out.
    """

    value: float
    standard_error: float | None
    metric: str
    aggregation: str
    source: Source
    on_random_data: bool
    statement: str
    unknown: tuple[str, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """The prediction as JSON-ready values."""
        return {
            "value": self.value,
            "standardError": self.standard_error,
            "metric": self.metric,
            "aggregation": self.aggregation,
            "source": str(self.source),
            "onRandomData": self.on_random_data,
            "statement": self.statement,
            "unknown": list(self.unknown),
        }


@dataclass(frozen=True, eq=False)
class KnownLosses:
    """The known levels of one unit, level 0 first: sparsities, losses, errors, each [K].

    ``errors`` hold NaN where no standard error is known.
    """

    sparsities: FloatArray
    losses: FloatArray
    errors: FloatArray

    def at(self, sparsity: float) -> tuple[float, float]:
        """Loss and its standard error; NaN beyond the last known level."""
        right = int(np.searchsorted(self.sparsities, sparsity - _EQUAL))
        if right >= self.sparsities.size:
            return math.nan, math.nan
        if abs(self.sparsities[right] - sparsity) <= _EQUAL:
            return float(self.losses[right]), float(self.errors[right])
        low, high = self.losses[right - 1 : right + 1].tolist()
        start, end = self.sparsities[right - 1 : right + 1].tolist()
        t = (sparsity - start) / (end - start)
        errors = self.errors[right - 1 : right + 1]
        measured = math.hypot((1 - t) * float(errors[0]), t * float(errors[1]))
        return low + t * (high - low), math.hypot(measured, (high - low) / math.sqrt(12))


class LossModel:
    """How the single-layer losses of ``analysis`` add up to the loss of a plan."""

    def __init__(self, analysis: Analysis, units: Sequence[Sequence[Layer]]) -> None:
        self.analysis = analysis
        self.units = units
        self.power = analysis.metric.additive_power
        self.is_mean = analysis.source is Source.ESTIMATED
        self.known = [known_losses(analysis, group) for group in units]
        counts = [len(g) for g, k in zip(units, self.known, strict=True) if k is not None]
        self.weight = 1.0 / max(1, sum(counts)) if self.is_mean else 1.0

    def damage(self, unit: int, losses: FloatArray) -> FloatArray:
        """What adds up: the share of each loss in (whole loss) ^ p, same shape."""
        # A measured loss of a shared weight is that of all its layers at once already.
        copies = len(self.units[unit]) if self.is_mean else 1
        return np.asarray(self.weight * copies * np.maximum(losses, 0.0) ** self.power)

    def variance(self, unit: int, losses: FloatArray, errors: FloatArray) -> FloatArray:
        """Variance of `damage`, to first order."""
        copies = len(self.units[unit]) if self.is_mean else 1
        # Below power 1 the slope is infinite at 0: take it no nearer than the error itself.
        least = np.zeros_like(errors) if self.power >= 1.0 else np.maximum(errors, _LEAST_LOSS)
        slope = self.power * np.maximum(losses, least) ** (self.power - 1.0)
        return np.asarray((self.weight * copies * slope * errors) ** 2)

    def to_loss(self, damage: float) -> float:
        return float(max(damage, 0.0) ** (1.0 / self.power))

    def to_damage(self, loss: float) -> float:
        return float(loss**self.power)

    def predicted(
        self, damage: float, variance: float, unknown: tuple[str, ...] = ()
    ) -> PredictedLoss:
        """The prediction of a summed damage; ``variance`` NaN where no error is known."""
        loss = self.to_loss(damage)
        error = None if math.isnan(variance) else self._error(damage, variance)
        source, metric = self.analysis.source, self.analysis.metric
        random = bool(self.analysis.provenance.get("generatedData"))
        aggregation = _aggregation(self.is_mean, self.power)
        statement = _statement(self.analysis, aggregation, error, unknown)
        return PredictedLoss(
            loss, error, metric.name, aggregation, source, random, statement, unknown
        )

    def _error(self, damage: float, variance: float) -> float:
        if self.power == 1.0 or damage <= 0.0:
            return float(math.sqrt(variance) ** (1.0 / self.power))
        return float(math.sqrt(variance) * damage ** (1.0 / self.power - 1.0) / self.power)

    def predict(self, plan: PruningPlan) -> PredictedLoss:
        """The predicted loss of any plan, levels between the known ones included."""
        damage = variance = 0.0
        unknown: list[str] = []
        for i, group in enumerate(self.units):
            sparsity = max(plan.sparsities.get(layer.id, 0.0) for layer in group)
            known = self.known[i]
            loss, error = (math.nan, math.nan) if known is None else known.at(sparsity)
            if math.isnan(loss):
                unknown += [layer.id for layer in group if sparsity > 0]
                continue
            damage += float(self.damage(i, np.array(loss)))
            variance += float(self.variance(i, np.array(loss), np.array(error)))
        if self.analysis.source is Source.ESTIMATED:
            variance = math.nan
        return self.predicted(damage, variance, tuple(unknown))


def known_losses(analysis: Analysis, group: Sequence[Layer]) -> KnownLosses | None:
    """The levels of a unit that are known, as degradations that never fall; None without any."""
    curve = next(
        (c for layer in group if isinstance(c := analysis.curve(layer.id), LossCurve)), None
    )
    if curve is None or not math.isfinite(curve.baseline_loss):
        return None
    worse = curve.losses - curve.baseline_loss
    keep = np.isfinite(worse) & (curve.sparsities > 0.0)
    if not keep.any():
        return None
    sparsities, first = np.unique(curve.sparsities[keep], return_index=True)
    errors = np.full(worse.size, np.nan)
    if curve.standard_errors is not None:
        errors = curve.standard_errors
    losses = np.concatenate([[0.0], worse[keep][first]])
    highest = np.maximum.accumulate(losses)
    # The error goes with the level whose loss is taken.
    owner = np.maximum.accumulate(np.where(losses >= highest, np.arange(losses.size), 0))
    return KnownLosses(
        np.concatenate([[0.0], sparsities]),
        highest,
        np.concatenate([[0.0], errors[keep][first]])[owner],
    )


def _aggregation(is_mean: bool, power: float) -> str:
    kind = "mean" if is_mean else "sum"
    if power == 1.0:
        return kind
    if power == 2.0:
        return "root mean square" if is_mean else "root of the sum of squares"
    return f"{kind} of losses to the power {power:g}, its root"


def _statement(
    analysis: Analysis, aggregation: str, error: float | None, unknown: Sequence[str]
) -> str:
    metric = analysis.metric.label or analysis.metric.name
    text = {
        Source.ESTIMATED: f"Estimated from the weights ({metric}): the {aggregation} "
        "over the layers; nothing was run.",
        Source.DATA_AWARE: f"The {aggregation} of single-layer losses ({metric}).",
        Source.MEASURED: f"The {aggregation} of measured single-layer losses ({metric}).",
        Source.UPLOADED: f"The {aggregation} of uploaded single-layer losses ({metric}).",
    }[analysis.source]
    if error is not None:
        text += " The error takes the layers as independent."
    elif analysis.source is not Source.ESTIMATED:
        text += " No error bar: a standard error is missing for some layer."
    if analysis.provenance.get("generatedData"):
        text += " Measured on random data: it ranks layers, it does not tell the true loss."
    if unknown:
        text += f" Without {len(unknown)} pruned layers of unknown loss."
    return text
