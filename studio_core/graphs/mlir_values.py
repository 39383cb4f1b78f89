"""Attributes of MLIR operations as the text that is shown."""

from __future__ import annotations

import re

from studio_core.graphs.names import list_text, shape_text
from studio_core.mlir.records import (
    Attribute,
    AttributeValue,
    DenseArray,
    DenseElements,
    OpaqueValue,
    SymbolRef,
    TensorType,
    Type,
)

_WORD = re.compile(r"[\w.+-]+")
_MOST_TEXT = 2000
_MOST_ELEMENTS = 16
_MOST_LEVELS = 8


def attribute_text(attribute: Attribute) -> str:
    """The value in words: lists as ``[a, b]``, an enumeration's plain word, else as written."""
    return cut(_text(attribute.value, attribute.text, 0))


def cut(text: str, most: int = _MOST_TEXT) -> str:
    """Long text ended by ``…``: it is shown, and the file has all of it."""
    return text if len(text) <= most else f"{text[:most]}…"


def type_text(tensor: TensorType) -> str:
    """``[1, 784]``; empty for an unranked tensor."""
    return shape_text(tensor.shape) if tensor.shape is not None else ""


def _text(value: AttributeValue, written: str, level: int) -> str:
    if isinstance(value, (bool, str)):
        return str(value)
    if isinstance(value, int):
        return str(value) if abs(value) < 1 << 64 else written or hex(value)
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, DenseArray):
        return list_text(value.values, lambda v: _text(v, "", level))
    if isinstance(value, DenseElements):
        return _dense_text(value)
    if isinstance(value, OpaqueValue):
        # `#ttcore.supportedDataTypes<bf16>` is meant as `bf16`.
        return value.body if _WORD.fullmatch(value.body) else value.text
    if isinstance(value, SymbolRef):
        return "::".join(f"@{part}" for part in value.path)
    if isinstance(value, Type):
        return value.text
    if level == _MOST_LEVELS:
        return "…"
    if isinstance(value, dict):
        inner = [f"{key} = {_text(v, '', level + 1)}" for key, v in value.items()]
        return f"{{{', '.join(inner)}}}"
    return list_text(value, lambda v: _text(v, "", level + 1))


def _dense_text(dense: DenseElements) -> str:
    array = dense.array
    if array is None or array.size > _MOST_ELEMENTS or array.dtype.kind not in "biuf":
        return dense.text if 0 < len(dense.text) <= 120 else f"dense<…> : {dense.type.text}"
    values = [f"{v:.7g}" if isinstance(v, float) else str(v) for v in array.reshape(-1).tolist()]
    return values[0] if array.ndim == 0 else list_text(values)
