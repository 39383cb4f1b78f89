"""Attributes of ONNX nodes, and small constants, as the text that is shown."""

from __future__ import annotations

import onnx

from studio_core.errors import StudioError
from studio_core.graphs.names import list_text, shape_text
from studio_core.models.tensor import Tensor, dtype_name

_MOST_INTEGERS, _MOST_FLOATS = 16, 4
"""Constants of up to so many elements are shown with their values: shapes and axes, not biases."""

_MOST_TEXT = 2000
_KIND = onnx.AttributeProto


def attribute_text(attribute: onnx.AttributeProto, *, is_dtype: bool = False) -> str:
    """The value of an attribute; ``is_dtype`` says that an integer is an element type."""
    kind = attribute.type
    if kind == _KIND.INT:
        return dtype_name(attribute.i) if is_dtype else str(attribute.i)
    if kind == _KIND.INTS:
        return list_text(attribute.ints)
    if kind == _KIND.FLOAT:
        return f"{attribute.f:.7g}"
    if kind == _KIND.FLOATS:
        return list_text(attribute.floats, lambda value: f"{value:.7g}")
    if kind == _KIND.STRING:
        return _text(attribute.s)
    if kind == _KIND.STRINGS:
        return list_text(attribute.strings, _text)
    if kind == _KIND.TENSOR:
        return f"{dtype_name(attribute.t.data_type)} {shape_text(attribute.t.dims)}"
    if kind in (_KIND.GRAPH, _KIND.GRAPHS):
        return "subgraph"
    if attribute.ref_attr_name:
        return f"@{attribute.ref_attr_name}"
    return _KIND.AttributeType.Name(kind).lower()


def value_text(tensor: Tensor) -> str | None:
    """The values of a small constant that lies in the model's graph; None for any other."""
    if tensor.size > _MOST_INTEGERS or tensor.storage is not None:
        return None
    if tensor.size > _MOST_FLOATS and tensor.is_float:
        return None
    try:
        values = tensor.read().reshape(-1).tolist()
    except StudioError:
        return None
    shown = [f"{v:.7g}" if isinstance(v, float) else _plain(v) for v in values]
    return shown[0] if len(shown) == 1 and not tensor.shape else list_text(shown)


def _plain(value: object) -> str:
    return _text(value) if isinstance(value, bytes) else str(value)


def _text(value: bytes) -> str:
    text = value[:_MOST_TEXT].decode("utf-8", "replace")
    return f"{text}…" if len(value) > _MOST_TEXT else text
