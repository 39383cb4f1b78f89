"""How many bytes pruned weights take on disk: dense, sparse, as a bit mask, compressed.

Nothing is written. A file with its zeros in place is as large as before; what pruning wins
depends on how the zeros are kept, and most runtimes expand sparse initializers when they
load them. Plans, sweeps and verifications all count here.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from studio_core.models.tensor import Tensor

Array = NDArray[Any]
IntArray = NDArray[np.int64]

ZLIB_LEVEL = 6
"""zlib's own default: close to its smallest result in a fraction of the time."""

_INDEX_BYTES = 8
_CHUNK_BYTES = 1 << 22


@dataclass(frozen=True)
class StorageBytes:
    """Bytes of one or more weights, headers and names left out.

    ``dense``: as stored. ``sparse_initializer``: the ONNX form, the non-zero values and for
    each its flat index as int64 (the linear form of SparseTensorProto). ``bit_mask``: one
    bit for each weight and the non-zero values. ``compressed``: the dense bytes, each
    weight on its own, through zlib at `ZLIB_LEVEL`; None if not counted.
    """

    num_weights: int
    num_zeros: int
    dense: int
    sparse_initializer: int
    bit_mask: int
    compressed: int | None

    @property
    def smallest(self) -> int:
        """Bytes of the smallest form."""
        forms = (self.dense, self.sparse_initializer, self.bit_mask, self.compressed)
        return min(form for form in forms if form is not None)


def non_zero_bytes(num_bytes: ArrayLike, size: ArrayLike, zeros: ArrayLike) -> IntArray:
    """Bytes of the non-zero values of a weight with ``size`` elements in ``num_bytes``.

    Whole numbers, or arrays of them for many weights; elements below a byte (int4) are
    packed, and the last byte counts whole.
    """
    dense, count = np.asarray(num_bytes, np.int64), np.asarray(size, np.int64)
    left = count - np.asarray(zeros, np.int64)
    # Divided first, so that the product of two large numbers does not overflow.
    whole, rest = np.divmod(dense, np.maximum(count, 1))
    return np.asarray(whole * left - (-rest * left // np.maximum(count, 1)), np.int64)


def bit_mask_bytes(num_bytes: ArrayLike, size: ArrayLike, zeros: ArrayLike) -> IntArray:
    """Bytes of a bit for each weight and the non-zero values; arguments as `non_zero_bytes`."""
    mask = (np.asarray(size, np.int64) + 7) // 8
    return np.asarray(non_zero_bytes(num_bytes, size, zeros) + mask, np.int64)


def sparse_bytes(num_bytes: ArrayLike, size: ArrayLike, zeros: ArrayLike) -> IntArray:
    """Bytes of a weight as a bit mask and its non-zero values where that is less, else dense."""
    masked = bit_mask_bytes(num_bytes, size, zeros)
    return np.asarray(np.minimum(masked, np.asarray(num_bytes, np.int64)), np.int64)


def counted_bytes(
    num_bytes: int, size: int, num_zeros: int, compressed: int | None = None
) -> StorageBytes:
    """The forms that follow from the number of zeros alone."""
    values = int(non_zero_bytes(num_bytes, size, num_zeros))
    return StorageBytes(
        size,
        num_zeros,
        num_bytes,
        values + (size - num_zeros) * _INDEX_BYTES,
        int(bit_mask_bytes(num_bytes, size, num_zeros)),
        compressed,
    )


def storage_bytes(
    values: Array, zero: Array | float = 0.0, *, num_bytes: int | None = None, compress: bool = True
) -> StorageBytes:
    """Bytes of the weight ``values``; ``zero`` is the stored value that stands for zero.

    ``zero`` broadcasts over ``values`` (quantized weights have one a channel). ``num_bytes``
    are the dense ones where several weights share a byte, as with int4.
    """
    dense = values.nbytes if num_bytes is None else num_bytes
    compressed = compressed_bytes(values, dense) if compress else None
    return counted_bytes(dense, values.size, int(np.count_nonzero(values == zero)), compressed)


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
        sum(part.sparse_initializer for part in parts),
        sum(part.bit_mask for part in parts),
        None if None in compressed else sum(part or 0 for part in compressed),
    )


def compressed_bytes(values: Array, num_bytes: int | None = None) -> int:
    """Length of the bytes of ``values``, as ONNX stores them in ``num_bytes``, through zlib."""
    data = _as_stored(values, values.nbytes if num_bytes is None else num_bytes)
    packer = zlib.compressobj(ZLIB_LEVEL)
    # In pieces, so that the result takes no memory.
    length = sum(
        len(packer.compress(data[i : i + _CHUNK_BYTES].data))
        for i in range(0, data.size, _CHUNK_BYTES)
    )
    return length + len(packer.flush())


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
