"""Values of editable attributes: parsed, checked, formatted and stepped, for REST and widgets.

A value is a tuple of whole numbers for `IntListSpec` and `GridSpec`, and text for
`ValueListSpec`. On the wire and in a graph it is always text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

from studio_core.attributes.specs import EditableSpec, GridSpec, IntListSpec, ValueListSpec
from studio_core.errors import InvalidRequestError

EditableValue: TypeAlias = tuple[int, ...] | str

# Eighteen digits fit in 64 bits: more is no size of anything, and slow to read.
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_MOST_NUMBERS = 1000
_SHOWN = 40


def parse_value(spec: EditableSpec, text: str) -> EditableValue:
    """The value that ``text`` writes; limits are not looked at (`check_value` does).

    Raises `InvalidRequestError` where it is not written as the kind demands: ``[1, 2, 3]`` for
    a list of integers, ``4x4x2`` for a grid.
    """
    if isinstance(spec, ValueListSpec):
        return text
    if isinstance(spec, IntListSpec):
        inner = text.strip()
        if not (inner.startswith("[") and inner.endswith("]") and len(inner) > 1):
            raise InvalidRequestError(
                f"{_quoted(text)} is no list of whole numbers. Write it as [1, 2, 3]."
            )
        parts = inner[1:-1].split(",") if inner[1:-1].strip() else []
        return _numbers(parts, text, "Write it as [1, 2, 3].")
    example = spec.separator.join("44")
    return _numbers(text.strip().split(spec.separator), text, f"Write it as {example}.")


def format_value(spec: EditableSpec, value: EditableValue) -> str:
    """``value`` as text, in the form that `parse_value` reads."""
    if isinstance(value, str):
        return value
    if isinstance(spec, GridSpec):
        return spec.separator.join(map(str, value))
    return f"[{', '.join(map(str, value))}]"


def check_value(
    spec: EditableSpec, value: EditableValue, *, current: EditableValue | None = None
) -> None:
    """Refuse a value that ``spec`` does not allow; ``current``, the value now, always is.

    Raises `InvalidRequestError` with the limit that is broken and what is allowed.
    """
    if current is not None and value == current:
        return
    if isinstance(spec, ValueListSpec):
        _check_option(spec, value)
    elif isinstance(value, str):
        raise InvalidRequestError(f"{_quoted(value)} is no list of whole numbers.")
    else:
        _check_numbers(spec, value)


def read_value(spec: EditableSpec, text: str, *, current: str | None = None) -> EditableValue:
    """`parse_value` and `check_value` in one: what a requested change goes through.

    ``current`` is the attribute's text now; it is allowed even where the limits are narrower.
    """
    value = parse_value(spec, text)
    if current is None or text.strip() != current.strip():
        check_value(spec, value)
    return value


def step_value(
    spec: EditableSpec, value: EditableValue, index: int, direction: int
) -> EditableValue:
    """``value`` with number ``index`` one step up (``direction`` 1) or down (-1).

    It stops at the limits, and a number beyond them comes back to them. In a list of options the
    next or previous one is taken, ``index`` is not used, and the ends hold. Raises
    `InvalidRequestError` for an index that is not there.
    """
    if isinstance(spec, ValueListSpec):
        options = options_of(spec, str(value))
        place = options.index(str(value)) + (1 if direction > 0 else -1)
        return options[min(max(place, 0), len(options) - 1)]
    if isinstance(value, str) or not 0 <= index < len(value):
        raise InvalidRequestError(f"There is no number {index} in {_quoted(str(value))}.")
    low, high = limits(spec, index)
    stepped = value[index] + (spec.step if direction > 0 else -spec.step)
    return (*value[:index], min(max(stepped, low), high), *value[index + 1 :])


def limits(spec: IntListSpec | GridSpec, index: int) -> tuple[int, int]:
    """The least and the largest that number ``index`` may be, both inclusive."""
    if isinstance(spec, GridSpec) and spec.max_values and 0 <= index < len(spec.max_values):
        return spec.min_value, spec.max_values[index]
    return spec.min_value, spec.max_value


def options_of(spec: ValueListSpec, current: str) -> tuple[str, ...]:
    """What to choose from: the options and the current value, each once."""
    return tuple(dict.fromkeys((*spec.options, current)))


def _numbers(parts: Sequence[str], text: str, remedy: str) -> tuple[int, ...]:
    if len(parts) > _MOST_NUMBERS:
        raise InvalidRequestError(f"More than {_MOST_NUMBERS} numbers are not read.")
    stripped = [part.strip() for part in parts]
    for part in stripped:
        if not _WHOLE_NUMBER.fullmatch(part):
            raise InvalidRequestError(
                f"{_quoted(part)} in {_quoted(text)} is no whole number. {remedy}"
            )
    return tuple(map(int, stripped))


def _check_option(spec: ValueListSpec, value: EditableValue) -> None:
    if value not in spec.options:
        raise InvalidRequestError(
            f"{_quoted(str(value))} is not one of the options: {', '.join(spec.options)}."
        )


def _check_numbers(spec: IntListSpec | GridSpec, value: tuple[int, ...]) -> None:
    if isinstance(spec, GridSpec):
        _check_axes(spec, value)
    for index, number in enumerate(value):
        low, high = limits(spec, index)
        if not low <= number <= high:
            where = f" on axis {index}" if isinstance(spec, GridSpec) and spec.max_values else ""
            raise InvalidRequestError(f"{number}{where} is not from {low} to {high}.")


def _check_axes(spec: GridSpec, value: tuple[int, ...]) -> None:
    axes = len(spec.max_values) if spec.max_values else None
    if axes is not None and len(value) != axes:
        raise InvalidRequestError(
            f"{format_value(spec, value)} has {len(value)} axes; this grid has {axes}."
        )


def _quoted(text: str) -> str:
    """A piece of somebody else's text for a message: short, and seen for what it is."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
