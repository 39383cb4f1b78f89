"""A constant tensor of a model: known by name, type and shape, read when asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from studio_core.errors import InvalidModelError, MissingDataError

# Several elements of these types share a byte, so their storage is not element-wise.
_BITS = {"uint4": 4, "int4": 4, "float4e2m1": 4, "uint2": 2, "int2": 2}


@dataclass(frozen=True)
class Storage:
    """Where the bytes of a tensor are: ``length`` bytes of ``file`` from ``offset``."""

    file: Path
    offset: int
    length: int


@dataclass(frozen=True, eq=False)
class Tensor:
    """A constant tensor. ``storage`` is None for a small one, kept inline in ``proto``."""

    name: str
    proto: onnx.TensorProto
    storage: Storage | None
    scope: tuple[str, ...] = ()

    @cached_property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.proto.dims)

    @cached_property
    def size(self) -> int:
        return math.prod(self.shape)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Type of one element in memory; bfloat16 and 8-bit floats by ml_dtypes."""
        try:
            return onnx.helper.tensor_dtype_to_np_dtype(self.proto.data_type)
        except (KeyError, ValueError) as error:
            raise InvalidModelError(
                f"Tensor '{self.name}' has the unknown element type {self.proto.data_type}."
            ) from error

    @cached_property
    def dtype_name(self) -> str:
        """ONNX's own name of the element type, in lower case, such as ``float16``."""
        try:
            return str(onnx.TensorProto.DataType.Name(self.proto.data_type)).lower()
        except ValueError:
            return f"type {self.proto.data_type}"

    @cached_property
    def is_float(self) -> bool:
        """Floating point, the 16-bit and smaller formats included."""
        return self.dtype_name in ("double", "bfloat16") or self.dtype_name.startswith("float")

    @property
    def num_bytes(self) -> int:
        """Bytes the values take as stored."""
        bits = _BITS.get(self.dtype_name)
        return (self.size * bits + 7) // 8 if bits else self.size * self.dtype.itemsize

    @cached_property
    def key(self) -> tuple[str, int, int]:
        """The place of the bytes; equal for two names of the same stored values."""
        if self.storage is None:
            return ("/".join((*self.scope, self.name)), -1, -1)
        return (str(self.storage.file), self.storage.offset, self.storage.length)

    def read(self) -> NDArray[Any]:
        """The values, in their own dtype, shape ``shape``; a fresh, writable array."""
        if self.storage is None or self.dtype_name in _BITS:
            return self._read_by_proto()
        return self.read_flat().reshape(self.shape)

    def read_flat(self, scratch: NDArray[Any] | None = None) -> NDArray[Any]:
        """The values, flat, shape [size]; in the front of ``scratch`` where one is given."""
        if self.storage is None or self.dtype_name in _BITS:
            return self._read_by_proto().reshape(-1)
        out = np.empty(self.size, self.dtype) if scratch is None else scratch[: self.size]
        if self.storage.length != out.nbytes:
            raise InvalidModelError(
                f"Tensor '{self.name}' of shape {list(self.shape)} needs {out.nbytes} bytes; "
                f"the model stores {self.storage.length}."
            )
        self._read_bytes(out.view(np.uint8).data, self.storage)
        return out

    def _read_bytes(self, target: memoryview, storage: Storage) -> None:
        # A plain read instead of a memory map: the pages do not count as ours afterwards.
        done = 0
        with storage.file.open("rb", buffering=0) as file:
            file.seek(storage.offset)
            while done < storage.length:
                count = file.readinto(target[done:])
                if not count:
                    raise MissingDataError(
                        f"File {storage.file.name} became shorter while tensor '{self.name}' "
                        "was read. Open the model again."
                    )
                done += count

    def _read_by_proto(self) -> NDArray[Any]:
        proto = self.proto
        if self.storage is not None:
            raw = bytearray(self.storage.length)
            self._read_bytes(memoryview(raw), self.storage)
            proto = onnx.TensorProto()
            proto.dims.extend(self.proto.dims)
            proto.data_type = self.proto.data_type
            proto.raw_data = bytes(raw)
        try:
            return np.array(onnx.numpy_helper.to_array(proto))
        except (ValueError, TypeError, KeyError) as error:
            raise InvalidModelError(
                f"The values of tensor '{self.name}' cannot be read: {error}"
            ) from error
