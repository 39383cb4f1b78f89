"""Sparsity levels: the few on which curves are drawn, and the original tool's full grid."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from studio_core.errors import InvalidRequestError
from studio_core.sensitivity.analysis import FloatArray

DEFAULT_LEVELS: tuple[float, ...] = (
    *(0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8),
    *(0.825, 0.85, 0.875, 0.9, 0.925, 0.95, 0.96, 0.97, 0.975, 0.98, 0.985, 0.99, 0.995, 1.0),
)
"""Closer together where curves bend; holds every default level of the measured sweeps."""


class Resolution(StrEnum):
    """``default``: `DEFAULT_LEVELS` for each layer. ``full``: about 1000 points a layer."""

    DEFAULT = "default"
    FULL = "full"


def full_grid(size: int) -> FloatArray:
    """The original Studio's grid for a layer of ``size`` weights, shape [ceil(size/step)].

    step = max(1, size // 1000) weights; point i is min((i + 1) · step / size, 1).
    """
    step = max(1, size // 1000)
    points = -(-size // step)
    return np.minimum(np.arange(1, points + 1, dtype=np.float64) * step / size, 1.0)


def checked_levels(levels: Sequence[float]) -> FloatArray:
    """Levels as a rising float64 array; refuses what is not a fraction above 0."""
    try:
        array = np.unique(np.asarray(levels, np.float64))
    except (TypeError, ValueError):
        raise InvalidRequestError("Sparsity levels must be a list of numbers.") from None
    array = array[array != 0.0]  # level 0 is the baseline and always there
    if not array.size:
        raise InvalidRequestError("Give at least one sparsity level above 0.")
    if not np.all((array > 0.0) & (array <= 1.0)):
        raise InvalidRequestError("Sparsity levels are fractions above 0 and at most 1.")
    return np.asarray(array, np.float64)
