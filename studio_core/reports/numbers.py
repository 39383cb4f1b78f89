"""Numbers of a report in words; what is not known is a dash."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from studio_core.quantities import UNKNOWN


def known(value: Any) -> float | None:
    """A finite number, or None for anything else; documents may come from strangers."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if math.isfinite(value) else None


def significant(value: float | None) -> str:
    """0.043716 → '0.0437'."""
    return UNKNOWN if value is None or math.isnan(value) else f"{value:.3g}"


def with_error(value: float | None, error: float | None) -> str:
    """0.0123, 0.0042 → '0.0123 ± 0.0042'."""
    if value is None or error is None:
        return significant(value)
    return f"{significant(value)} ± {error:.2g}"


def milliseconds(value: float | None) -> str:
    if value is None or math.isnan(value):
        return UNKNOWN
    return f"{1000 * value:.3g} µs" if abs(value) < 0.1 else f"{value:.3g} ms"


def part(document: Any, key: str) -> Mapping[str, Any]:
    """An object inside a document; empty where there is none."""
    found = document.get(key) if isinstance(document, Mapping) else None
    return found if isinstance(found, Mapping) else {}
