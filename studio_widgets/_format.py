"""Numbers as the widgets show them; ``static/_shared.js`` writes the same ones.

The words are those of `studio_core.quantities`, set with a thin space before the unit.
"""

from __future__ import annotations

from studio_core import quantities
from studio_core.quantities import UNKNOWN, exact, fraction, shape

__all__ = ["UNKNOWN", "count", "exact", "fraction", "percent", "shape", "shortened", "size"]

_THIN_SPACE = "\u2009"


def count(value: float | None) -> str:
    """25557032 → '25.6 M'."""
    return quantities.count(value).replace(" ", _THIN_SPACE)


def size(num_bytes: float | None) -> str:
    """102228128 → '97.5 MB'."""
    return quantities.size(num_bytes).replace(" ", _THIN_SPACE)


def percent(value: float | None) -> str:
    """0.2431 → '24.3 %'."""
    return quantities.percent(value).replace(" ", _THIN_SPACE)


def shortened(name: str, length: int) -> str:
    """A name in at most ``length`` letters; layers differ at the end as much as in front."""
    if len(name) <= length:
        return name
    tail = (length * 2) // 3
    return f"{name[: length - tail - 1]}…{name[-tail:]}"
