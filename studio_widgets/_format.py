"""Numbers as the widgets show them; ``static/_shared.js`` writes the same ones.

The words are those of `studio_core.quantities`, set with a thin space before the unit.
"""

from __future__ import annotations

import math

from studio_core import quantities
from studio_core.quantities import UNKNOWN, exact, fraction, shape

__all__ = [
    "UNKNOWN",
    "count",
    "exact",
    "fraction",
    "percent",
    "shape",
    "shortened",
    "size",
    "value",
]

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


def value(number: float | None, error: float | None = None) -> str:
    """A loss, with its standard error to as many digits: 0.0469, 0.0264 → '0.047 ± 0.026'."""
    if number is None or not math.isfinite(number):
        return UNKNOWN
    if error is None or not math.isfinite(error):
        return f"{number:.3g}"
    if error <= 0:
        return f"{number:.3g} ± 0"
    digits = max(0, 1 - math.floor(math.log10(error)))
    number = round(number, digits) + 0.0  # no -0.00
    return f"{number:.{digits}f} ± {error:.{digits}f}" if digits < 7 else f"{number:.3g}"


def shortened(name: str, length: int) -> str:
    """A name in at most ``length`` letters; layers differ at the end as much as in front."""
    if len(name) <= length:
        return name
    tail = (length * 2) // 3
    return f"{name[: length - tail - 1]}…{name[-tail:]}"
