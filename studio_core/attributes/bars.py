"""`bar_fraction`: whether an attribute of display type ``memory`` is drawn as a bar."""

from __future__ import annotations

import re

_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)


def bar_fraction(value: str) -> float | None:
    """The length of the bar, 0 to 1; None where the value is to be shown as plain text.

    By the contract the value must be a decimal number, not NaN, from 0 to 1 inclusive.
    """
    text = value.strip()
    if not _DECIMAL.fullmatch(text):
        return None
    number = float(text)
    # Adding 0.0 makes a negative zero positive.
    return number + 0.0 if 0 <= number <= 1 else None
