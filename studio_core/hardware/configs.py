"""Configurations of ops, such as ``#ttnn.conv2d_config<…>``, as keys and values.

A value is the plain word (``bf16``, ``relu``, ``height_sharded``, ``true``, ``32``); what is
nested deeper stays its own text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from studio_core.hardware.attribute_text import assignments, inside

CONV2D_CONFIG = "conv2d_config"
COMPUTE_CONFIG = "device_compute_kernel_config"

_CONFIG = re.compile(r"#ttnn\.(\w+_config)\s*<")
_WRAPPED_WORD = re.compile(r"(?:#\w+(?:\.\w+)*)?<\s*([\w.-]+)\s*>")


def parse_config(text: str, name: str | None = None) -> dict[str, str] | None:
    """The keys and values of a configuration; None for anything else, or another than ``name``."""
    match = _CONFIG.match(text.strip())
    body = inside(text)
    if match is None or body is None or name not in (None, match.group(1)):
        return None
    return {key: _plain(value) for key, value in assignments(body).items()}


def format_config(name: str, values: Mapping[str, str]) -> str:
    """A configuration as MLIR text."""
    return f"#ttnn.{name}<{', '.join(f'{key} = {value}' for key, value in values.items())}>"


def _plain(value: str) -> str:
    wrapped = _WRAPPED_WORD.fullmatch(value)
    return wrapped.group(1) if wrapped else value.strip('"')
