"""Editable attributes: parsed, validated, formatted and stepped in one place."""

from __future__ import annotations

from studio_core.attributes.bars import bar_fraction
from studio_core.attributes.specs import EditableSpec, GridSpec, IntListSpec, ValueListSpec
from studio_core.attributes.values import (
    EditableValue,
    check_value,
    format_value,
    limits,
    options_of,
    parse_value,
    read_value,
    step_value,
)
from studio_core.attributes.wire import spec_from_json, spec_to_json

__all__ = [
    "EditableSpec",
    "EditableValue",
    "GridSpec",
    "IntListSpec",
    "ValueListSpec",
    "bar_fraction",
    "check_value",
    "format_value",
    "limits",
    "options_of",
    "parse_value",
    "read_value",
    "spec_from_json",
    "spec_to_json",
    "step_value",
]
