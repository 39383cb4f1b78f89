"""Editable attributes on the wire: `spec_to_json` and `spec_from_json`, keys of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio_core.attributes.specs import EditableSpec, GridSpec, IntListSpec, ValueListSpec
from studio_core.errors import InvalidRequestError

_KINDS = ("int_list", "value_list", "grid")


def spec_to_json(spec: EditableSpec) -> dict[str, Any]:
    """The ``editable`` object of an attribute; defaults are written out.

    One upper limit is all the wire knows: of a grid's ``max_values`` the largest.
    """
    if isinstance(spec, ValueListSpec):
        return {"input_type": "value_list", "options": list(spec.options)}
    high = spec.max_value
    if isinstance(spec, GridSpec) and spec.max_values:
        high = max(spec.max_values)
    numbers = {"min_value": spec.min_value, "max_value": high, "step": spec.step}
    if isinstance(spec, IntListSpec):
        return {"input_type": "int_list", **numbers}
    return {"input_type": "grid", **numbers, "separator": spec.separator}


def spec_from_json(content: object) -> EditableSpec:
    """What an ``editable`` object says; absent limits are the contract's defaults.

    Raises `InvalidRequestError` for an unknown ``input_type``, limits that are no whole
    numbers or leave nothing between them, and a separator that could be part of a number.
    """
    if not isinstance(content, Mapping):
        raise InvalidRequestError("An editable attribute is described by a JSON object.")
    kind = content.get("input_type")
    if kind == "value_list":
        return ValueListSpec(_options(content.get("options")))
    if kind not in ("int_list", "grid"):
        raise InvalidRequestError(f"input_type must be one of {', '.join(_KINDS)}.")
    low = _whole(content, "min_value", 0)
    high = _whole(content, "max_value", 100)
    step = _whole(content, "step", 1)
    if low > high:
        raise InvalidRequestError(f"min_value {low} is above max_value {high}.")
    if step < 1:
        raise InvalidRequestError("step must be 1 or more.")
    if kind == "int_list":
        return IntListSpec(low, high, step)
    return GridSpec(low, high, step, _separator(content.get("separator", "x"), low))


def _whole(content: Mapping[str, Any], key: str, default: int) -> int:
    value = content.get(key, default)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequestError(f"{key} must be a whole number.")
    return value


def _options(options: object) -> tuple[str, ...]:
    if not isinstance(options, list) or not all(isinstance(o, str) for o in options):
        raise InvalidRequestError("options must be a list of strings.")
    return tuple(options)


def _separator(separator: object, low: int) -> str:
    """Refused where ``4<separator>4`` could not be taken apart again."""
    if not isinstance(separator, str) or not separator.strip():
        raise InvalidRequestError("separator must be a visible character.")
    if any(c.isdigit() for c in separator) or (low < 0 and "-" in separator):
        raise InvalidRequestError("separator must not be part of a number.")
    return separator
