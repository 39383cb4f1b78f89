"""Numbers and names as a person reads them on a terminal.

Names come from a file that anyone may have written, so `visible` makes harmless what could
steer a terminal.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable

from studio_core import quantities
from studio_core.quantities import UNKNOWN, count, exact, fraction, percent, size

__all__ = [
    "UNKNOWN",
    "count",
    "exact",
    "fraction",
    "percent",
    "plural",
    "shape",
    "significant",
    "size",
    "visible",
    "visible_lines",
    "with_error",
]

# Control and format characters (escape sequences, right-to-left overrides), separators of
# lines, surrogates: nothing that a reader could see.
_HIDDEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})


def visible(text: str) -> str:
    r"""``text`` with each character that cannot be seen written as ``\x1b``, ``\u202e`` …"""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(c) if unicodedata.category(c) in _HIDDEN else c for c in text)


def visible_lines(text: str) -> str:
    """As `visible`, with the line ends kept."""
    return "\n".join(visible(line) for line in text.split("\n"))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def significant(value: float | None) -> str:
    """Any number in four digits: 0.43716 → '0.4372', 15823.4 → '1.582e+04'."""
    if value is None or math.isnan(value):
        return UNKNOWN
    return f"{value:.4g}"


def with_error(value: float | None, error: float | None) -> str:
    """0.0123, 0.0042 → '0.0123 ±0.0042'; an unknown error is left out."""
    if value is None or math.isnan(value):
        return UNKNOWN
    shown = f"{value:.3g}"
    return shown if error is None or math.isnan(error) else f"{shown} ±{error:.2g}"


def shape(dimensions: Iterable[int | str | None] | None) -> str:
    """As `quantities.shape`, the names of dimensions made visible."""
    return visible(quantities.shape(dimensions))


def plural(number: int, noun: str) -> str:
    """1, 'layer' → '1 layer'; 2, 'layer' → '2 layers'."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
