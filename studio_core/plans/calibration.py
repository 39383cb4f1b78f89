"""How single-layer losses add up in this model, learnt from plans that were verified.

    actual = a · predicted ^ b

fitted by weighted least squares on logarithms: log actual = log a + b · log predicted. a
tells how much worse (or better) layers do together than alone, b whether that grows with
the damage (b > 1) or saturates (b < 1). Both stay positive, so that a plan predicted to be
better stays better. A weak prior holds b at 1 (as if its standard deviation were 0.5), so
that two close points do not turn the curve; with one point only a is fitted, with none the
prediction stays as it is.

Limits: it holds for one model, one loss analysis and one metric of verification; it knows
one number of a plan, its predicted loss, so plans that spread the same damage differently
are one to it; beyond the fitted range it extrapolates, and says so. Points at which
nothing was predicted or lost have no logarithm and are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from studio_core.errors import InvalidRequestError
from studio_core.plans.prediction import PredictedLoss

_PRIOR_SPREAD = 0.5
_SCATTER = 0.2
"""How far log actual lies from its curve, about; the prior gives way to points farther apart."""
_LEAST_EXPONENT = 0.1
_LEAST_ERROR = 0.05
"""Relative error that a verified point has at the least: layers interact in more ways."""


@dataclass(frozen=True)
class VerifiedPoint:
    """A prediction, as it was before any calibration, and what the run gave."""

    predicted: float
    actual: float
    standard_error: float | None = None

    @property
    def is_usable(self) -> bool:
        values = (self.predicted, self.actual)
        return all(math.isfinite(v) and v > 0 for v in values)


@dataclass(frozen=True)
class Calibration:
    """actual = ``scale`` · predicted ^ ``exponent``.

    ``residual`` is the standard deviation of log actual about the fit, None with fewer
    than two points. ``lowest`` and ``highest`` bound the fitted predictions.
    """

    scale: float = 1.0
    exponent: float = 1.0
    num_points: int = 0
    residual: float | None = None
    lowest: float = 0.0
    highest: float = 0.0

    @classmethod
    def fit(cls, points: Iterable[VerifiedPoint]) -> Calibration:
        """The calibration of all usable points; the neutral one if there are none."""
        usable = [p for p in points if p.is_usable]
        if not usable:
            return cls()
        x = np.log([p.predicted for p in usable])
        y = np.log([p.actual for p in usable])
        weights = np.array([_weight(p) for p in usable])
        exponent = _exponent(x, y, weights)
        offset = float(np.average(y - exponent * x, weights=weights))
        errors = y - offset - exponent * x
        residual = None
        if len(usable) > 1:
            freedom = max(1, len(usable) - 2)
            residual = math.sqrt(float(np.sum(errors**2)) / freedom)
        bounds = math.exp(float(x.min())), math.exp(float(x.max()))
        return cls(math.exp(offset), exponent, len(usable), residual, *bounds)

    def value(self, predicted: float) -> float:
        """The calibrated loss; a prediction of no loss stays so."""
        return self.scale * predicted**self.exponent if predicted > 0 else predicted

    def invert(self, loss: float) -> float:
        """The uncalibrated prediction whose calibrated value is ``loss``."""
        return (loss / self.scale) ** (1.0 / self.exponent) if loss > 0 else loss

    def predict(self, predicted: PredictedLoss) -> PredictedLoss:
        """The prediction, calibrated; its error is that of the layers and of the fit."""
        if not self.num_points:
            return predicted
        value = self.value(predicted.value)
        of_layers = 0.0
        if predicted.standard_error is not None and predicted.value > 0:
            of_layers = value * self.exponent * predicted.standard_error / predicted.value
        error = None
        if self.residual is not None:
            error = math.hypot(of_layers, value * max(self.residual, _LEAST_ERROR))
        text = f"{predicted.statement} Calibrated by {self.num_points} verified plans."
        if not self.lowest <= predicted.value <= self.highest:
            text += " It lies outside what they cover."
        return replace(predicted, value=value, standard_error=error, statement=text)

    def to_document(self) -> dict[str, Any]:
        """The calibration as JSON-ready values; `from_document` reads it back equal."""
        return {
            "scale": self.scale,
            "exponent": self.exponent,
            "numPoints": self.num_points,
            "residual": self.residual,
            "lowest": self.lowest,
            "highest": self.highest,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Calibration:
        """Read a calibration; raises `InvalidRequestError` where it is none."""
        try:
            residual = document["residual"]
            return cls(
                float(document["scale"]),
                float(document["exponent"]),
                int(document["numPoints"]),
                None if residual is None else float(residual),
                float(document["lowest"]),
                float(document["highest"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidRequestError(
                "A calibration needs 'scale', 'exponent', 'numPoints', 'residual', 'lowest' "
                "and 'highest'."
            ) from error


def _weight(point: VerifiedPoint) -> float:
    """One over the variance of log actual."""
    relative = (point.standard_error or 0.0) / point.actual
    return 1.0 / (relative**2 + _LEAST_ERROR**2)


def _exponent(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> float:
    """Slope of the weighted line with the prior that holds it at 1."""
    if x.size < 2:
        return 1.0
    dx, dy = x - np.average(x, weights=weights), y - np.average(y, weights=weights)
    shares = weights / weights.sum()
    pull = (_SCATTER / _PRIOR_SPREAD) ** 2 / x.size
    slope = float(np.sum(shares * dx * dy) + pull) / float(np.sum(shares * dx * dx) + pull)
    return max(slope, _LEAST_EXPONENT)
