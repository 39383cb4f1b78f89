"""New values for a stored tensor, written the way the file holds the old ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from studio_core.errors import InvalidModelError
from studio_core.models.tensor import Tensor
from studio_core.pruning.spans import TensorSpan, tensor_edit
from studio_core.pruning.splice import Buffer, Edit, key, varint

_DIMS, _RAW_DATA = 1, 9
_VALUE_FIELDS = ("int32_data", "int64_data", "uint64_data", "float_data", "double_data")
_NUMBERS_OF_VALUES = frozenset({4, 5, 6, 7, 9, 10, 11})
_SHARE_BYTES = frozenset({"int4", "uint4", "float4e2m1", "int2", "uint2"})


@dataclass(frozen=True, eq=False)
class Rewrite:
    """New ``values`` of ``tensor``, made when they are written; the type stays.

    ``shape`` differs from the tensor's where channels are removed.
    """

    tensor: Tensor
    span: TensorSpan
    shape: tuple[int, ...]
    values: Callable[[], NDArray[Any]]

    @property
    def keeps_shape(self) -> bool:
        return self.shape == self.tensor.shape

    @property
    def num_bytes(self) -> int:
        """Bytes that the new values take."""
        proto = onnx.TensorProto(dims=self.shape, data_type=self.tensor.proto.data_type)
        return Tensor(self.tensor.name, proto, None).num_bytes

    def stored(self) -> Buffer:
        """The new values as bytes, in the order of raw_data."""
        values = self.values()
        if values.shape != self.shape:
            raise ValueError(f"New values of '{self.tensor.name}' have shape {values.shape}.")
        return stored_bytes(values, self.tensor.dtype_name)


def stored_bytes(values: NDArray[Any], dtype_name: str) -> Buffer:
    """Values as raw_data holds them: little-endian, small types packed."""
    if dtype_name in _SHARE_BYTES:
        return bytes(onnx.numpy_helper.from_array(values).raw_data)
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8).data


def embedded_edit(data: memoryview, rewrite: Rewrite) -> Edit:
    """The edit for a tensor whose values are in the model file itself.

    In place where the file holds the values as they are in memory; otherwise the tensor's
    own message is written anew, in the field it used.
    """
    span = rewrite.span
    if not rewrite.keeps_shape:
        return _resized(data, rewrite)
    field = span.values(data, rewrite.tensor.num_bytes)
    if field is not None:
        return Edit(field.body, field.end, rewrite.tensor.num_bytes, rewrite.stored)
    return tensor_edit(span, _encoded(span.proto(data), rewrite))


def resized_header(data: memoryview, rewrite: Rewrite) -> bytes:
    """The tensor's message without its values and with its new dimensions."""
    kept = [
        bytes(data[f.start : f.end])
        for f in rewrite.span.fields(data)
        if f.number != _DIMS and f.number not in _NUMBERS_OF_VALUES
    ]
    return b"".join(kept) + onnx.TensorProto(dims=rewrite.shape).SerializeToString()


def _resized(data: memoryview, rewrite: Rewrite) -> Edit:
    header = resized_header(data, rewrite) + key(_RAW_DATA) + varint(rewrite.num_bytes)

    def content() -> bytes:
        return header + bytes(rewrite.stored())

    span, length = rewrite.span, len(header) + rewrite.num_bytes
    return Edit(span.start, span.end, length, content, span.enclosing)


def _encoded(proto: onnx.TensorProto, rewrite: Rewrite) -> bytes:
    """The message with new values in whichever field holds the old ones."""
    stored = bytes(rewrite.stored())
    if proto.HasField("raw_data"):
        proto.raw_data = stored
        return proto.SerializeToString()
    used = [name for name in _VALUE_FIELDS if len(getattr(proto, name))]
    if len(used) != 1:
        raise InvalidModelError(
            f"Tensor '{rewrite.tensor.name}' keeps values in {len(used)} fields; Studio cannot "
            "write it. Save the model once with onnx.save."
        )
    entries = getattr(proto, used[0])
    fresh = _entries(stored, len(entries), used[0], rewrite)
    for index, value in enumerate(fresh):
        entries[index] = value
    return proto.SerializeToString()


def _entries(
    stored: bytes, num_entries: int, field: str, rewrite: Rewrite
) -> list[int] | list[float]:
    """The values as entries of a typed field, as onnx.proto lays them down for each type."""
    name = rewrite.tensor.dtype_name
    if name in _SHARE_BYTES:
        values: NDArray[Any] = np.frombuffer(stored, np.uint8)
    elif field == "int32_data" and rewrite.tensor.is_float:
        width = rewrite.tensor.dtype.itemsize  # the bits of the float as a whole number
        values = np.frombuffer(stored, np.dtype(f"u{width}"))
    else:
        values = np.frombuffer(stored, rewrite.tensor.dtype)
    if values.size != num_entries:
        raise InvalidModelError(
            f"Tensor '{rewrite.tensor.name}' has {num_entries} entries in {field} instead of "
            f"{values.size}. Save the model once with onnx.save."
        )
    entries: list[int] | list[float] = values.tolist()
    return entries
