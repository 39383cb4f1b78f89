"""What the charts are drawn from (`ChartFacts`), and the numbers of each layer in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from studio_core.layers import Layer
from studio_core.plan_runs.solving import PlanRoom
from studio_core.plans import PruningPlan
from studio_core.plans.verification import Verification
from studio_core.sensitivity import Analysis
from studio_core.sensitivity.sweep.perf_documents import run_profile_of
from studio_core.sensitivity.sweep.profile import RuntimeProfile
from studio_widgets import _format
from studio_widgets._curves import CurveSet, curve_set, source_in_words
from studio_widgets._performance import time_text

Floats = NDArray[np.float64]


class LayerQuantity(StrEnum):
    """A number that each layer has."""

    PARAMETERS = "parameters"
    MACS = "MACs"
    SIZE = "size"
    SPARSITY = "planned sparsity"
    SENSITIVITY = "sensitivity"
    TIME = "measured time"

    @property
    def adds_up(self) -> bool:
        """Whether the sum over layers is a number of the model."""
        return self not in (LayerQuantity.SPARSITY, LayerQuantity.SENSITIVITY)

    def text(self, value: float) -> str:
        """``value`` as a person reads it; unknown is a dash."""
        if self is LayerQuantity.SIZE:
            return _format.size(value)
        if self is LayerQuantity.TIME:
            return time_text(value)
        if self is LayerQuantity.SPARSITY:
            return _format.fraction(value)
        return _format.value(value) if self is LayerQuantity.SENSITIVITY else _format.count(value)


@dataclass(frozen=True, eq=False)
class ChartFacts:
    """All that a chart may show of one model; what is None is not known.

    ``layers`` are all layers in the order of the model. ``loss`` and ``perf`` are the curves in
    use; times are there only where ``perf`` was measured. ``room`` gives the trade-off and
    judges ``plan``; ``verified`` are plans that were run.
    """

    layers: tuple[Layer, ...]
    plan: PruningPlan | None = None
    loss: Analysis | None = None
    perf: Analysis | None = None
    verified: tuple[Verification, ...] = ()
    room: PlanRoom | None = None

    @cached_property
    def curves(self) -> CurveSet | None:
        return None if self.loss is None else curve_set(self.loss)

    @cached_property
    def scores(self) -> Mapping[str, float]:
        """Sensitivity by layer id: the mean loss over the levels, as in the layer table."""
        if self.curves is None:
            return {}
        return dict(zip(self.curves.ids, self.curves.scores.tolist(), strict=True))

    @cached_property
    def profile(self) -> RuntimeProfile | None:
        """Where the time of a run goes; None where none was measured."""
        return None if self.perf is None else run_profile_of(self.perf)

    def values(self, quantity: LayerQuantity) -> Floats:
        """The numbers of all layers, shape [num_layers], NaN unknown: counts, bytes, ms."""
        found = [self._value(layer, quantity) for layer in self.layers]
        return np.array([np.nan if value is None else value for value in found], np.float64)

    def _value(self, layer: Layer, quantity: LayerQuantity) -> float | None:
        if quantity is LayerQuantity.PARAMETERS:
            return layer.num_params
        if quantity is LayerQuantity.MACS:
            return layer.macs
        if quantity is LayerQuantity.SIZE:
            return layer.num_bytes
        if quantity is LayerQuantity.SENSITIVITY:
            return self.scores.get(layer.id)
        if quantity is LayerQuantity.TIME:
            timing = self.profile.layers.get(layer.id) if self.profile is not None else None
            return None if timing is None else timing.median_ms
        if self.plan is None or not layer.is_prunable:
            return None
        return self.plan.sparsities.get(layer.id, 0.0)

    def label(self, quantity: LayerQuantity) -> str:
        """The quantity with unit and source, as on an axis."""
        if quantity is LayerQuantity.MACS:
            return "multiply-accumulates of one sample"
        if quantity is LayerQuantity.SIZE:
            return "bytes of weight and bias"
        if quantity is LayerQuantity.TIME:
            return "time of the layer in a run [ms], measured"
        if quantity is LayerQuantity.SENSITIVITY and self.loss is not None:
            source = source_in_words(self.loss)
            return f"sensitivity: mean {self.loss.metric.label} over the levels, {source}"
        return str(quantity)

    def short_label(self, quantity: LayerQuantity) -> str:
        """Two or three words for the axis of a small plot."""
        if quantity is LayerQuantity.SENSITIVITY and self.loss is not None:
            return f"sensitivity, {source_in_words(self.loss)}"
        units = {LayerQuantity.TIME: "time [ms]", LayerQuantity.SIZE: "bytes"}
        return units.get(quantity, str(quantity))

    def known(self) -> tuple[LayerQuantity, ...]:
        """The quantities of which something is known."""
        missing = set()
        if self.plan is None:
            missing.add(LayerQuantity.SPARSITY)
        if self.loss is None:
            missing.add(LayerQuantity.SENSITIVITY)
        if self.profile is None:
            missing.add(LayerQuantity.TIME)
        return tuple(quantity for quantity in LayerQuantity if quantity not in missing)
