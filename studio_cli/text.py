"""Numbers and names as a person reads them on a terminal.

Unknown values are a dash, never 0. Sizes count in 1024s and say MB, as JupyterLab's file
browser and Studio's widgets do. Names come from a file that anyone may have written, so
`visible` makes harmless what could steer a terminal.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable

UNKNOWN = "–"

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


def count(value: float | None) -> str:
    """25557032 → '25.6 M'."""
    return _scaled(value, 1000, ("", "k", "M", "G", "T", "P"))


def size(num_bytes: float | None) -> str:
    """102228128 → '97.5 MB'."""
    return _scaled(num_bytes, 1024, ("B", "kB", "MB", "GB", "TB", "PB"))


def fraction(value: float | None) -> str:
    """0.8 → '0.80'; a fraction too small for two digits keeps three."""
    if value is None or math.isnan(value):
        return UNKNOWN
    if 0 < value < 0.005:
        return "<0.001" if value < 0.0005 else f"{value:.3f}"
    return f"{value:.2f}"


def percent(value: float | None) -> str:
    """0.2431 → '24.3 %'."""
    if value is None or math.isnan(value):
        return UNKNOWN
    return f"{100 * value:.1f} %"


def significant(value: float | None) -> str:
    """Any number in four digits: 0.43716 → '0.4372', 15823.4 → '1.582e+04'."""
    if value is None or math.isnan(value):
        return UNKNOWN
    return f"{value:.4g}"


def shape(dimensions: Iterable[int | str | None] | None) -> str:
    """(64, 3, 7, 7) → '64×3×7×7'; an unknown dimension is '?'."""
    if dimensions is None:
        return UNKNOWN
    known = ["?" if d is None else visible(str(d)) for d in dimensions]
    return "×".join(known) or UNKNOWN


def plural(number: int, noun: str) -> str:
    """1, 'layer' → '1 layer'; 2, 'layer' → '2 layers'."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


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
