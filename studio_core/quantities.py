"""Quantities in words, the same at every door: counts, sizes, fractions, shapes.

Unknown values are a dash, never 0. Sizes count in 1024s and say MB, as JupyterLab's file
browser does, so that a model has one size wherever it is shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

UNKNOWN = "–"


def count(value: float | None) -> str:
    """25557032 → '25.6 M'."""
    return _scaled(value, 1000, ("", "k", "M", "G", "T", "P"))


def size(num_bytes: float | None) -> str:
    """102228128 → '97.5 MB'."""
    return _scaled(num_bytes, 1024, ("B", "kB", "MB", "GB", "TB", "PB"))


def fraction(value: float | None) -> str:
    """0.8 → '0.80'; a fraction too small for two digits keeps three, and none at all is '0'."""
    if value is None or math.isnan(value):
        return UNKNOWN
    if value == 0:
        return "0"
    if 0 < value < 0.005:
        return "<0.001" if value < 0.0005 else f"{value:.3f}"
    return f"{value:.2f}"


def percent(value: float | None) -> str:
    """0.2431 → '24.3 %'."""
    if value is None or math.isnan(value):
        return UNKNOWN
    return f"{100 * value:.1f} %"


def exact(value: float | None, unit: str) -> str:
    """25557032, 'parameters' → '25,557,032 parameters'."""
    if value is None or math.isnan(value):
        return "not known"
    return f"{value:,.0f} {unit}"


def shape(dimensions: Iterable[int | str | None] | None) -> str:
    """(64, 3, 7, 7) → '64×3×7×7'; an unknown dimension is '?'."""
    if dimensions is None:
        return UNKNOWN
    return "×".join("?" if d is None else str(d) for d in dimensions) or UNKNOWN


def _scaled(value: float | None, step: int, units: tuple[str, ...]) -> str:
    if value is None or math.isnan(value):
        return UNKNOWN
    scaled, index = float(value), 0
    while abs(scaled) >= step * 0.9995 and index < len(units) - 1:
        scaled, index = scaled / step, index + 1
    if index == 0:
        return f"{scaled:.0f} {units[0]}".rstrip()
    digits = 2 if abs(scaled) < 9.995 else 1 if abs(scaled) < 99.95 else 0
    return f"{scaled:.{digits}f} {units[index]}"
