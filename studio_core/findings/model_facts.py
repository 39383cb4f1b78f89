"""What the rules about a model may look at: the session, a plan, analyses, runs of the plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from studio_core.documents import Document
from studio_core.layers import Layer
from studio_core.plan_runs.removal import Removal
from studio_core.plans import PruningPlan
from studio_core.sensitivity import Analysis, LossCurve, PerfCurve, Source
from studio_core.session import Session


@dataclass(frozen=True, eq=False)
class ModelFacts:
    """Facts of a model. What is None is not known, and rules about it say nothing.

    ``verifications`` are documents as a saved plan keeps them, the oldest first. ``removal``
    is what the plan removes, single weights unless told.
    """

    session: Session
    plan: PruningPlan | None = None
    loss: Analysis | None = None
    perf: Analysis | None = None
    verifications: tuple[Document, ...] = ()
    removal: Removal = field(default_factory=Removal)

    @cached_property
    def layers(self) -> Mapping[str, Layer]:
        return {layer.id: layer for layer in self.session.layers}

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Names of the layers by id."""
        return {layer.id: layer.name for layer in self.session.layers}

    @cached_property
    def units(self) -> tuple[Layer, ...]:
        """One prunable layer for each weight, the first that has it."""
        found: dict[object, Layer] = {}
        for layer in self.session.prunable_layers:
            if layer.weight is not None:
                found.setdefault(layer.weight.key, layer)
        return tuple(found.values())

    @property
    def analyses(self) -> Iterator[Analysis]:
        """Those that are given."""
        yield from filter(None, (self.loss, self.perf))

    @property
    def measured(self) -> Iterator[Analysis]:
        yield from (analysis for analysis in self.analyses if analysis.source is Source.MEASURED)

    def target(self, layer: Layer) -> float:
        """What the plan asks of a layer; 0 without one."""
        return self.plan.sparsities.get(layer.id, 0.0) if self.plan is not None else 0.0

    def loss_curve(self, layer_id: str) -> LossCurve | None:
        curve = self.loss.curve(layer_id) if self.loss is not None else None
        return curve if isinstance(curve, LossCurve) else None

    def perf_curve(self, layer_id: str) -> PerfCurve | None:
        curve = self.perf.curve(layer_id) if self.perf is not None else None
        return curve if isinstance(curve, PerfCurve) else None


def text_map(value: Any) -> dict[str, str]:
    """A mapping of texts from a provenance, which a stranger may have written; else empty."""
    if not isinstance(value, Mapping):
        return {}
    return {str(key): str(reason) for key, reason in value.items()}
