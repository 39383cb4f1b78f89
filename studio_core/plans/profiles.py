"""The original Studio's four pruning profiles: which layers get which of a few sparsities.

The first prunable layer is never pruned. The rules are those of the contract
(``config/export``); `Planner` makes better plans.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from studio_core.errors import InvalidRequestError
from studio_core.layers.layer import Layer
from studio_core.plans.recipe import Schedule
from studio_core.sensitivity.analysis import Analysis, LossCurve, PerfCurve

_TIMING_LEVEL = 0.875


class Profile(StrEnum):
    UNIFORM = "uniform"
    LOSS = "loss"
    PERFORMANCE = "performance"
    BALANCED = "balanced"


@dataclass(frozen=True)
class ExportSettings:
    """The ``config_fields`` of an export request, checked."""

    sparsities: tuple[float, ...]
    profile: Profile
    loss_analysis: str | None
    perf_analysis: str | None
    schedule: Schedule

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> ExportSettings:
        """Read ``config_fields``; raises `InvalidRequestError` naming the field at fault."""
        for required in ("sparsities", "pruning_profile"):
            if required not in fields:
                raise InvalidRequestError(f"Missing required field '{required}'")
        return cls(
            _sparsities(fields["sparsities"]),
            _profile(fields["pruning_profile"]),
            _name(fields, "loss_analysis"),
            _name(fields, "perf_analysis"),
            Schedule(**_schedule_fields(fields)),
        )


def _sparsities(given: Any) -> tuple[float, ...]:
    if not isinstance(given, list) or not given or len(given) > 100:
        raise InvalidRequestError("'sparsities' must be a list of 1 to 100 fractions, low to high.")
    for value in given:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise InvalidRequestError(f"'sparsities' holds {value!r}; give fractions from 0 to 1.")
    return tuple(sorted(float(value) for value in given))


def _profile(given: Any) -> Profile:
    if given not in [p.value for p in Profile]:
        names = ", ".join(Profile)
        raise InvalidRequestError(f"'pruning_profile' must be one of {names}; it is {given!r}.")
    return Profile(given)


def _name(fields: Mapping[str, Any], key: str) -> str | None:
    value = fields.get(key)
    if value is not None and not isinstance(value, str):
        raise InvalidRequestError(f"'{key}' must be the name of an analysis, or null.")
    return value or None


def _schedule_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    kinds: dict[str, tuple[type, ...]] = {
        "training_epochs": (int,),
        "pruning_update_frequency": (int, float),
        "init_training_lr": (int, float),
        "final_training_lr": (int, float),
    }
    given = {key: fields[key] for key in kinds if fields.get(key) is not None}
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, kinds[key]):
            raise InvalidRequestError(f"'{key}' must be a number; it is {value!r}.")
    return given


def sparsities_by_weight(
    settings: ExportSettings,
    layers: Sequence[Layer],
    loss: Analysis,
    perf: Analysis,
) -> dict[str, float]:
    """Sparsity by weight name, as the profile of ``settings`` distributes them."""
    candidates = [layer for layer in layers if layer.is_prunable][1:]
    if settings.profile is Profile.UNIFORM:
        return {layer.name: settings.sparsities[0] for layer in candidates}
    ordered = _ordered(settings.profile, [layer.id for layer in candidates], loss, perf)
    names = {layer.id: layer.name for layer in candidates}
    # The first of the order is the layer to spare; the rest is split evenly, low to high,
    # and a remainder that does not fill a part stays dense.
    rest = ordered[1:]
    part = len(rest) // len(settings.sparsities)
    return {
        names[layer_id]: sparsity
        for i, sparsity in enumerate(settings.sparsities)
        for layer_id in rest[i * part : (i + 1) * part]
    }


def _ordered(profile: Profile, ids: Sequence[str], loss: Analysis, perf: Analysis) -> list[str]:
    """Layer ids, those that should be pruned least first."""
    if profile is Profile.LOSS:
        return _by_loss(ids, loss)
    if profile is Profile.PERFORMANCE:
        return _by_gain(ids, perf)
    loss_rank = {layer_id: rank for rank, layer_id in enumerate(_by_loss(ids, loss))}
    perf_rank = {layer_id: rank for rank, layer_id in enumerate(_by_gain(ids, perf))}
    both = [layer_id for layer_id in ids if layer_id in loss_rank and layer_id in perf_rank]
    # Python's round() is the banker's rounding that the rule asks for.
    return sorted(both, key=lambda i: round((loss_rank[i] + perf_rank[i]) / 2))


def _by_loss(ids: Sequence[str], analysis: Analysis) -> list[str]:
    """By the greatest loss over the levels, the most sensitive first."""
    highest: dict[str, float] = {}
    for curve in analysis.curves:
        if isinstance(curve, LossCurve) and not np.all(np.isnan(curve.losses)):
            highest[curve.layer_id] = float(np.nanmax(curve.losses))
    return sorted((i for i in ids if i in highest), key=lambda i: -highest[i])


def _by_gain(ids: Sequence[str], analysis: Analysis) -> list[str]:
    """By what a sparsity of 0.875 saves, the least first."""
    gains: dict[str, float] = {}
    for curve in analysis.curves:
        gain = _gain(curve) if isinstance(curve, PerfCurve) else None
        if gain is not None:
            gains[curve.layer_id] = gain
    return sorted((i for i in ids if i in gains), key=lambda i: gains[i])


def _gain(curve: PerfCurve) -> float | None:
    """Milliseconds saved where they were measured, otherwise FLOPs; None if unknown."""
    if curve.timings_ms is not None and curve.baseline_timing_ms is not None:
        start, values = curve.baseline_timing_ms, curve.timings_ms
    elif curve.baseline_flops is not None:
        start, values = curve.baseline_flops, curve.flops
    else:
        return None
    gain = start - float(np.interp(_TIMING_LEVEL, curve.sparsities, values))
    return None if np.isnan(gain) else gain
