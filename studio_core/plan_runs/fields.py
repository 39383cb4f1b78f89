"""Single fields of a document, read with a sentence where they are wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from studio_core.errors import InvalidRequestError


def refuse_unknown(given: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    """Raise for a key that nobody reads: a slip must not be passed over."""
    for key in given:
        if key not in known:
            raise InvalidRequestError(
                f"{where} has no field '{str(key)[:100]}'. It has: {', '.join(known)}."
            )


def number(given: Mapping[str, Any], key: str, *, most: float = math.inf) -> float | None:
    """A number from 0 to ``most``, None where it is absent or null."""
    value = given.get(key)
    if value is None:
        return None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= most or not _is_finite(value):
        wanted = "a fraction from 0 to 1" if most == 1 else "a number, 0 or above"
        raise InvalidRequestError(f"'{key}' must be {wanted}.")
    return float(value)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:  # an int with more digits than a float can have
        return False


def fractions(given: Mapping[str, Any], key: str) -> dict[str, float]:
    """Fractions by the name of a layer, empty where they are absent."""
    value = given.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidRequestError(f"'{key}' must be an object: a fraction by layer.")
    found = {}
    for name in value:
        fraction = number(value, name, most=1)
        if fraction is None:
            raise InvalidRequestError(f"'{key}' of layer '{name}' must be a fraction from 0 to 1.")
        found[str(name)] = fraction
    return found


def text(given: Mapping[str, Any], key: str) -> str | None:
    value = given.get(key)
    if value is not None and not isinstance(value, str):
        raise InvalidRequestError(f"'{key}' must be a text.")
    return value


def whole(given: Mapping[str, Any], key: str, *, least: int = 0) -> int | None:
    """A whole number from ``least`` up, None where it is absent or null."""
    value = given.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InvalidRequestError(f"'{key}' must be a whole number, {least} or above.")
    return value


def switch(given: Mapping[str, Any], key: str, default: bool) -> bool:
    value = given.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise InvalidRequestError(f"'{key}' must be true or false.")
    return value
