"""The parts of a measured performance point on the wire: bytes by form, and channels removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio_core.pruning.storage_bytes import StorageBytes
from studio_core.sensitivity.analysis import ChannelCurve, FloatArray

CHANNEL_KEYS = ("numChannels", "bytes", "flops", "timing", "timingSpread")
"""In the order of `ChannelCurve`."""

_STORED_KEYS = ("numWeights", "numZeros", "dense", "sparseInitializer", "bitMask")


def channel_columns(curve: ChannelCurve) -> dict[str, FloatArray]:
    """The columns of a channel curve by their keys, each [num_levels]."""
    columns = (
        curve.num_channels,
        curve.num_bytes,
        curve.flops,
        curve.timings_ms,
        curve.spreads_ms,
    )
    return dict(zip(CHANNEL_KEYS, columns, strict=True))


def stored_document(stored: StorageBytes) -> dict[str, Any]:
    """Bytes by form; ``compressed`` is null until it has been counted."""
    values = (
        stored.num_weights,
        stored.num_zeros,
        stored.dense,
        stored.sparse_initializer,
        stored.bit_mask,
    )
    return dict(zip(_STORED_KEYS, values, strict=True)) | {"compressed": stored.compressed}


def read_stored(point: Mapping[str, Any]) -> StorageBytes | None:
    """The bytes of a point; None where it holds none, or something of the caller's own."""
    given = point.get("bytes")
    if not isinstance(given, Mapping):
        return None
    values = [given.get(key) for key in _STORED_KEYS]
    compressed = given.get("compressed")
    if not all(map(_is_count, values)) or not (compressed is None or _is_count(compressed)):
        return None
    num_weights, num_zeros, dense, sparse, mask = (int(value or 0) for value in values)
    return StorageBytes(num_weights, num_zeros, dense, sparse, mask, compressed)


def read_stored_levels(points: Sequence[Mapping[str, Any]]) -> tuple[StorageBytes, ...] | None:
    """The bytes of each point; None unless all hold them."""
    found = [stored for stored in map(read_stored, points) if stored is not None]
    return tuple(found) if found and len(found) == len(points) else None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
