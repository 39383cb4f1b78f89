"""What each pruned weight takes on disk, level by level: `StoredCurve`.

The forms that follow from the number of zeros are known at once; compressed sizes are those
of the very bytes that pruning leaves, and come one weight after the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from studio_core.layers.layer import Layer
from studio_core.layers.weight import Weight
from studio_core.pruning.counts import num_pruned
from studio_core.pruning.masks import ElementRanking
from studio_core.pruning.storage_bytes import StorageBytes, compressed_bytes, counted_bytes
from studio_core.sensitivity.analysis import FloatArray

_THREADS = 2
"""zlib lets other threads run; more of them hold more weights in memory."""


@dataclass(frozen=True)
class StoredCurve:
    """Bytes of one layer's weight as it is and at each level."""

    layer_id: str
    baseline: StorageBytes
    levels: tuple[StorageBytes, ...]

    @property
    def is_compressed(self) -> bool:
        """Whether the compressed sizes are known."""
        return all(part.compressed is not None for part in (self.baseline, *self.levels))


def counted_curve(layer: Layer, levels: FloatArray) -> StoredCurve | None:
    """All but the compressed sizes; None where the weight's values cannot be told."""
    weight, zeros = layer.weight, layer.num_zeros
    if weight is None or zeros is None:
        return None
    counts = np.maximum(num_pruned(weight.size, levels), zeros).tolist()
    baseline, *rest = (counted_bytes(weight.num_bytes, weight.size, n) for n in (zeros, *counts))
    return StoredCurve(layer.id, baseline, tuple(rest))


def compressed_curves(layers: Sequence[Layer], levels: FloatArray) -> Iterator[StoredCurve]:
    """The curve of each of ``layers`` with its compressed sizes; a shared weight is read once."""
    groups: dict[tuple[str, int, int], list[tuple[Layer, StoredCurve]]] = {}
    for layer in layers:
        curve = counted_curve(layer, levels)
        if layer.weight is not None and curve is not None:
            groups.setdefault(layer.weight.key, []).append((layer, curve))
    pool = ThreadPoolExecutor(_THREADS)
    try:
        firsts = [group[0] for group in groups.values()]
        found = pool.map(lambda first: _compressed(first[0], first[1], levels), firsts)
        for group, curve in zip(groups.values(), found, strict=True):
            yield from (replace(curve, layer_id=layer.id) for layer, _ in group)
    finally:  # also where nobody asks for more
        pool.shutdown(cancel_futures=True)


def _compressed(layer: Layer, curve: StoredCurve, levels: FloatArray) -> StoredCurve:
    assert layer.weight is not None
    weight: Weight = layer.weight
    values, zero = weight.tensor.read(), weight.stored_zero()
    ranking = ElementRanking.of(weight.magnitudes())
    pruned = (
        np.where(ranking.pruned(level).reshape(values.shape), zero, values)
        for level in levels.tolist()
    )
    baseline, *rest = (
        replace(part, compressed=compressed_bytes(array, weight.num_bytes))
        # Chained, not gathered: one pruned copy at a time is enough.
        for part, array in zip(
            (curve.baseline, *curve.levels), chain([values], pruned), strict=True
        )
    )
    return StoredCurve(curve.layer_id, baseline, tuple(rest))
