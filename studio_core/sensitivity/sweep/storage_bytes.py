"""How many bytes pruned weights take on disk: dense, sparse, as a bit mask, compressed.

Nothing is written. A file with its zeros in place is as large as before; what pruning wins
depends on how the zeros are kept, and most runtimes expand sparse initializers when they
load them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from studio_core.evaluation.runtime import Array
from studio_core.models.tensor import Tensor

ZLIB_LEVEL = 6
"""zlib's own default: close to its smallest result in a fraction of the time."""

_INDEX_BYTES = 8
_CHUNK_BYTES = 1 << 22


@dataclass(frozen=True)
class StorageBytes:
    """Bytes of one or more weights, headers and names left out.

    ``dense``: as stored. ``sparse``: an ONNX sparse initializer, the non-zero values and
    for each its flat index as int64 (the linear form of SparseTensorProto). ``bit_mask``:
    one bit for each weight and the non-zero values. ``compressed``: the dense bytes, each
    weight on its own, through zlib at `ZLIB_LEVEL`; None if not asked for.
    """

    num_weights: int
    num_zeros: int
    dense: int
    sparse: int
    bit_mask: int
    compressed: int | None

    @property
    def smallest(self) -> int:
        """Bytes of the smallest form."""
        forms = (self.dense, self.sparse, self.bit_mask, self.compressed)
        return min(form for form in forms if form is not None)


def storage_bytes(
    values: Array, zero: Array | float = 0.0, *, num_bytes: int | None = None, compress: bool = True
) -> StorageBytes:
    """Bytes of the weight ``values``; ``zero`` is the stored value that stands for zero.

    ``zero`` broadcasts over ``values`` (quantized weights have one a channel). ``num_bytes``
    are the dense ones where several weights share a byte, as with int4.
    """
    num_zeros = int(np.count_nonzero(values == zero))
    dense = values.nbytes if num_bytes is None else num_bytes
    left = values.size - num_zeros
    stored = -(-dense * left // values.size) if values.size else 0
    return StorageBytes(
        values.size,
        num_zeros,
        dense,
        stored + left * _INDEX_BYTES,
        stored + -(-values.size // 8),
        _compressed_bytes(_as_stored(values, dense)) if compress else None,
    )


def tensor_bytes(tensor: Tensor, *, compress: bool = True) -> StorageBytes:
    """Bytes of a stored weight as it is in its file."""
    return storage_bytes(tensor.read(), num_bytes=tensor.num_bytes, compress=compress)


def total_bytes(weights: Mapping[str, StorageBytes] | Iterable[StorageBytes]) -> StorageBytes:
    """The sum; name each stored weight once, also where several layers read it."""
    parts = list(weights.values() if isinstance(weights, Mapping) else weights)
    compressed = [part.compressed for part in parts]
    return StorageBytes(
        sum(part.num_weights for part in parts),
        sum(part.num_zeros for part in parts),
        sum(part.dense for part in parts),
        sum(part.sparse for part in parts),
        sum(part.bit_mask for part in parts),
        None if None in compressed else sum(part or 0 for part in compressed),
    )


def _as_stored(values: Array, num_bytes: int) -> Array:
    """The bytes as ONNX stores them: little-endian, two of int4 in one byte."""
    data = np.ascontiguousarray(values).reshape(-1)
    if num_bytes < data.nbytes:
        bits = num_bytes * 8 // data.size
        data = _packed(data.astype(np.int8).view(np.uint8), bits)
    return data.view(np.uint8)


def _packed(values: Array, bits: int) -> Array:
    """Values of 2 or 4 bits, the first in the lowest bits of a byte, as ONNX packs them."""
    per_byte = 8 // bits
    padded = np.zeros(-(-values.size // per_byte) * per_byte, np.uint8)
    padded[: values.size] = values & ((1 << bits) - 1)
    parts = padded.reshape(-1, per_byte) << (np.arange(per_byte, dtype=np.uint8) * bits)
    return np.asarray(np.bitwise_or.reduce(parts, axis=1), np.uint8)


def _compressed_bytes(data: Array) -> int:
    """Length of the bytes ``data`` through zlib, in pieces, so that the result takes no memory."""
    packer = zlib.compressobj(ZLIB_LEVEL)
    num_bytes = sum(
        len(packer.compress(data[i : i + _CHUNK_BYTES].data))
        for i in range(0, data.size, _CHUNK_BYTES)
    )
    return num_bytes + len(packer.flush())
