"""What a plan removes as one from each layer: single weights, N of every M, whole channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from studio_core.errors import InvalidRequestError
from studio_core.plan_runs import fields
from studio_core.plan_runs.layer_names import find_layer
from studio_core.pruning.channels import channel_groups
from studio_core.pruning.masks import Granularity
from studio_core.pruning.weights import GROUP_SIZE
from studio_core.quantities import percent
from studio_core.sensitivity import Analysis, LossCurve
from studio_core.sensitivity.sweep.pattern import Pattern

if TYPE_CHECKING:
    from studio_core.layers import Layer
    from studio_core.models.model import Model
    from studio_core.plans import PruningPlan

_FIELDS = ("default", "layers")


@dataclass(frozen=True)
class Removal:
    """A `Pattern` for all layers, and others for some, by layer id."""

    default: Pattern = field(default_factory=Pattern)
    layers: Mapping[str, Pattern] = field(default_factory=dict)

    @classmethod
    def from_document(cls, given: Any) -> Removal:
        """``"2:4"``, or ``{"default": "element", "layers": {"conv1.weight": "channel"}}``."""
        if given is None:
            return cls()
        if isinstance(given, str):
            return cls(Pattern.named(given))
        if not isinstance(given, Mapping):
            raise InvalidRequestError(
                "'granularity' must be element, channel, N:M such as 2:4, or an object with "
                "'default' and 'layers'."
            )
        fields.refuse_unknown(given, _FIELDS, "'granularity'")
        layers = given.get("layers") or {}
        if not isinstance(layers, Mapping) or not all(isinstance(v, str) for v in layers.values()):
            raise InvalidRequestError("'layers' of 'granularity' must be an object: one a layer.")
        default = fields.text(given, "default") or "element"
        named = {str(name): Pattern.named(text) for name, text in layers.items()}
        return cls(Pattern.named(default), named)

    def to_document(self) -> dict[str, Any]:
        layers = {name: str(pattern) for name, pattern in self.layers.items()}
        return {"default": str(self.default), "layers": layers}

    def of(self, layer_id: str) -> Pattern:
        return self.layers.get(layer_id, self.default)

    @property
    def is_plain(self) -> bool:
        """Whether single weights go everywhere."""
        return {p.granularity for p in (self.default, *self.layers.values())} == {
            Granularity.ELEMENT
        }

    def for_layers(self, layers: Sequence[Layer]) -> Removal:
        """The same by layer id, given by id or weight's name; layers of one weight go together."""
        found: dict[str, Pattern] = {}
        for name, pattern in self.layers.items():
            layer = find_layer(layers, name)
            if layer.weight is None:
                raise InvalidRequestError(f"Layer '{name}' cannot be pruned: {layer.reason}")
            same = [x for x in layers if x.weight is not None and x.weight.key == layer.weight.key]
            found.update({x.id: pattern for x in same})
        removal = Removal(self.default, found)
        removal.group_size  # noqa: B018 - raises where a model would get two
        return removal

    @property
    def group_size(self) -> int:
        """M of all N:M patterns; raises `InvalidRequestError` where there are several."""
        patterns = (self.default, *self.layers.values())
        sizes = {p.group_size for p in patterns if p.granularity is Granularity.N_OF_M}
        if len(sizes) > 1:
            raise InvalidRequestError("All N:M patterns of a plan must have the same M.")
        return sizes.pop() if sizes else GROUP_SIZE

    def granularities(self, plan: PruningPlan) -> dict[str, Granularity]:
        """What goes as one, by layer id, for the layers that ``plan`` prunes."""
        return {i: self.of(i).granularity for i, s in plan.sparsities.items() if s > 0}

    def channels(self, plan: PruningPlan) -> dict[str, float]:
        """The sparsities of the layers that lose whole channels."""
        kinds = self.granularities(plan)
        return {i: plan.sparsities[i] for i, k in kinds.items() if k is Granularity.CHANNEL}

    @property
    def timed(self) -> Granularity | None:
        """The granularity whose measured times count for all layers; None where they differ."""
        kinds = {p.granularity for p in (self.default, *self.layers.values())}
        return kinds.pop() if len(kinds) == 1 else None

    def refusals(self, model: Model, layers: Sequence[Layer]) -> dict[str, str]:
        """Why prunable layers cannot be pruned by their pattern, by layer id."""
        prunable = [layer for layer in layers if layer.is_prunable]
        found = {layer.id: self.of(layer.id).refusal(model, layer) for layer in prunable}
        if any(self.of(x.id).granularity is Granularity.CHANNEL for x in prunable):
            groups = channel_groups(model, layers)
            for layer in prunable:
                is_channel = self.of(layer.id).granularity is Granularity.CHANNEL
                if is_channel and groups.of(layer.id) is None:
                    found[layer.id] = groups.refusals.get(layer.id, "It makes no channels.")
        return {layer_id: reason for layer_id, reason in found.items() if reason}

    def fitted(self, plan: PruningPlan) -> tuple[PruningPlan, tuple[str, ...]]:
        """The plan with the sparsity of each N:M pattern where it prunes, and what that changed."""
        only = {i: self.of(i).only_level for i, s in plan.sparsities.items() if s > 0}
        wanted = {i: level for i, level in only.items() if level is not None}
        changed = [i for i, level in wanted.items() if plan.sparsities[i] != level]
        if not changed:
            return plan, ()
        notes = tuple(
            f"{pattern} is a sparsity of {percent(pattern.only_level)}; the plan had another "
            f"for {count} layer{'s' * (count != 1)}"
            for pattern in dict.fromkeys(map(self.of, changed))
            if (count := sum(self.of(i) == pattern for i in changed))
        )
        sparsities = {**plan.sparsities, **wanted}
        return replace(plan, sparsities=sparsities, target=None, balance=None), notes

    def aligned(
        self, model: Model, layers: Sequence[Layer], plan: PruningPlan
    ) -> tuple[PruningPlan, tuple[str, ...]]:
        """The plan with one sparsity, the lowest, for layers that lose the same channels."""
        asked = self.channels(plan)
        if not asked:
            return plan, ()
        changed: dict[str, float] = {}
        for group in channel_groups(model, layers).groups:
            of_channels = {i: plan.sparsities.get(i, 0.0) for i in group.layers if i in asked}
            if len(set(of_channels.values())) > 1:
                changed.update(dict.fromkeys(of_channels, min(of_channels.values())))
        if not changed:
            return plan, ()
        names = ", ".join(f"'{i}'" for i in changed)
        note = (
            f"These layers lose channels together and got the lowest of their sparsities: {names}."
        )
        return replace(plan, sparsities={**plan.sparsities, **changed}), (note,)

    def curves(self, analysis: Analysis) -> Analysis:
        """``analysis`` with the one level of each N:M pattern in place of the levels known."""
        if all(self.of(i).only_level is None for i in analysis.layer_ids):
            return analysis
        kept = tuple(_at_only_level(c, self.of(c.layer_id)) for c in _loss_curves(analysis))
        return replace(analysis, curves=kept)


def _loss_curves(analysis: Analysis) -> list[LossCurve]:
    return [curve for curve in analysis.curves if isinstance(curve, LossCurve)]


def _at_only_level(curve: LossCurve, pattern: Pattern) -> LossCurve:
    level = pattern.only_level
    if level is None:
        return curve
    known = np.isfinite(curve.losses)
    xs = np.concatenate([[0.0], curve.sparsities[known]])
    ys = np.concatenate([[curve.baseline_loss], curve.losses[known]])
    loss = np.interp(level, xs, ys, right=np.nan)
    errors = None
    if curve.standard_errors is not None:
        error_ys = np.concatenate([[0.0], curve.standard_errors[known]])
        errors = np.array([np.interp(level, xs, error_ys, right=np.nan)])
    return replace(
        curve, sparsities=np.array([level]), losses=np.array([loss]), standard_errors=errors
    )
