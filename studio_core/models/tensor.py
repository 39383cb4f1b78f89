"""A constant tensor of a model: known by name, type and shape, read when asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from studio_core.errors import InvalidModelError, MissingDataError

# Several elements of these types share a byte, so their storage is not element-wise.
_BITS = {"uint4": 4, "int4": 4, "float4e2m1": 4, "uint2": 2, "int2": 2}
# A typed field (int32_data …) keeps at most a byte an entry: four elements of two bits.
_MOST_PER_ENTRY = 4


@lru_cache
def _np_dtype(data_type: int) -> np.dtype[Any]:
    return onnx.helper.tensor_dtype_to_np_dtype(data_type)


@lru_cache
def dtype_name(data_type: int) -> str:
    """ONNX's own name of an element type, in lower case, such as ``float16``."""
    try:
        return str(onnx.TensorProto.DataType.Name(data_type)).lower()
    except ValueError:
        return f"type {data_type}"


@lru_cache
def _num_bits(data_type: int) -> int:
    """Bits that one element takes as stored."""
    return _BITS.get(dtype_name(data_type)) or 8 * _np_dtype(data_type).itemsize


def _num_entries(proto: onnx.TensorProto) -> int:
    """Entries of the typed fields; a well-formed tensor uses one of them."""
    num_whole = len(proto.int32_data) + len(proto.int64_data) + len(proto.uint64_data)
    return num_whole + len(proto.float_data) + len(proto.double_data) + len(proto.string_data)


@dataclass(frozen=True, slots=True)
class Storage:
    """Where the bytes of a tensor are: ``length`` bytes of ``file`` from ``offset``."""

    file: Path
    offset: int
    length: int


# Not frozen, as `Node` of graph_index.py: a large model has tens of thousands.
@dataclass(eq=False, slots=True)
class Tensor:
    """A constant tensor. ``storage`` is None for a small one, kept inline in ``proto``."""

    name: str
    proto: onnx.TensorProto
    storage: Storage | None
    scope: tuple[str, ...] = ()
    shape: tuple[int, ...] = field(init=False)
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.shape = tuple(self.proto.dims[:])
        self.size = math.prod(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one element in memory; bfloat16 and 8-bit floats by ml_dtypes."""
        try:
            return _np_dtype(self.proto.data_type)
        except (KeyError, ValueError) as error:
            raise self._unknown_type() from error

    def _unknown_type(self) -> InvalidModelError:
        return InvalidModelError(
            f"Tensor '{self.name}' has the unknown element type {self.proto.data_type}."
        )

    @property
    def dtype_name(self) -> str:
        """ONNX's own name of the element type, in lower case, such as ``float16``."""
        return dtype_name(self.proto.data_type)

    @property
    def is_float(self) -> bool:
        """Floating point, the 16-bit and smaller formats included."""
        return self.dtype_name in ("double", "bfloat16") or self.dtype_name.startswith("float")

    @property
    def num_bytes(self) -> int:
        """Bytes the values take as stored."""
        try:
            return (self.size * _num_bits(self.proto.data_type) + 7) // 8
        except (KeyError, ValueError) as error:
            raise self._unknown_type() from error

    def check(self) -> None:
        """Refuse a tensor whose stored values cannot fill its shape, before memory is taken."""
        if min(self.shape, default=0) < 0:
            raise InvalidModelError(
                f"Tensor '{self.name}' has shape {list(self.shape)}, with a negative dimension."
            )
        if self.storage is not None:
            self._check_stored(self.storage.length)
        elif self.proto.HasField("raw_data"):
            self._check_stored(len(self.proto.raw_data))
        elif self.size > _MOST_PER_ENTRY * _num_entries(self.proto):
            raise InvalidModelError(
                f"Tensor '{self.name}' of shape {list(self.shape)} has too few values in the model."
            )

    def _check_stored(self, num_bytes: int) -> None:
        if num_bytes != self.num_bytes:
            raise InvalidModelError(
                f"Tensor '{self.name}' of shape {list(self.shape)} needs {self.num_bytes} bytes; "
                f"the model stores {num_bytes}."
            )

    @property
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
        self._check_stored(self.storage.length)
        out = np.empty(self.size, self.dtype) if scratch is None else scratch[: self.size]
        self._read_bytes(out.view(np.uint8).data, self.storage)
        return out

    def _read_bytes(self, target: memoryview, storage: Storage) -> None:
        # A plain read instead of a memory map: the pages do not count as ours afterwards.
        try:
            with storage.file.open("rb", buffering=0) as file:
                self._fill(target, file, storage)
        except OSError as error:
            raise MissingDataError(
                f"File {storage.file.name} cannot be read any more ({error.strerror}), and tensor "
                f"'{self.name}' lies in it. Open the model again."
            ) from error

    def _fill(self, target: memoryview, file: FileIO, storage: Storage) -> None:
        done = 0
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
