"""Masks: which weights of a tensor stay, for a sparsity and a granularity.

All masks prune by magnitude with an exact count (`num_pruned`), and break ties by
position: of equal magnitudes the one stored first goes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from studio_core.errors import InvalidRequestError
from studio_core.pruning.counts import num_pruned

BoolArray = NDArray[np.bool_]
Magnitudes = NDArray[np.float32]


class Granularity(StrEnum):
    """What is removed as one: single weights, N of every M in a row, or output channels."""

    ELEMENT = "element"
    N_OF_M = "n:m"
    CHANNEL = "channel"


@dataclass(frozen=True)
class ElementRanking:
    """The magnitudes of one tensor, ranked once; masks at many sparsities follow quickly."""

    magnitudes: Magnitudes
    ordered: Magnitudes

    @classmethod
    def of(cls, magnitudes: Magnitudes) -> ElementRanking:
        """Rank flat ``magnitudes``, shape [size]."""
        return cls(magnitudes, np.sort(magnitudes))

    def threshold(self, sparsity: float) -> float | None:
        """The magnitude up to which all weights go, and no others, at ``sparsity``.

        None where weights of one magnitude have to be told apart by their positions.
        """
        count = int(num_pruned(self.ordered.size, sparsity))
        if count == 0:
            return -1.0
        last = self.ordered[count - 1]
        is_clear = count == self.ordered.size or bool(self.ordered[count] > last)
        return float(last) if is_clear else None

    def pruned(self, sparsity: float) -> BoolArray:
        """True for each weight that is removed, shape [size], exactly `num_pruned` of them."""
        count = int(num_pruned(self.magnitudes.size, sparsity))
        if count == 0:
            return np.zeros(self.magnitudes.size, np.bool_)
        threshold = self.ordered[count - 1]
        removed: BoolArray = np.asarray(self.magnitudes < threshold)
        missing = count - int(np.count_nonzero(removed))
        ties = np.flatnonzero(self.magnitudes == threshold)
        removed[ties[:missing]] = True
        return removed


def element_mask(magnitudes: Magnitudes, sparsity: float) -> BoolArray:
    """Unstructured mask of flat ``magnitudes`` [size]; True = kept."""
    return ~ElementRanking.of(magnitudes).pruned(sparsity)


def n_of_m_mask(magnitudes: Magnitudes, kept: int, group: int, axis: int) -> BoolArray:
    """Mask that keeps ``kept`` of every ``group`` weights along ``axis``; True = kept.

    ``axis`` is the dimension that the layer sums over, as 2:4 hardware wants it. A rest
    that does not fill a group stays.
    """
    if not 0 <= kept <= group or group < 1:
        raise InvalidRequestError(f"{kept}:{group} is no N:M pattern; N is from 0 to M.")
    moved = np.moveaxis(magnitudes, axis, -1)
    whole = moved.shape[-1] // group * group
    blocks = moved[..., :whole].reshape(*moved.shape[:-1], -1, group)
    order = np.argsort(blocks, axis=-1, kind="stable")
    keep = np.ones(blocks.shape, np.bool_)
    np.put_along_axis(keep, order[..., : group - kept], False, axis=-1)
    mask = np.ones(moved.shape, np.bool_)
    mask[..., :whole] = keep.reshape(*moved.shape[:-1], whole)
    return np.moveaxis(mask, -1, axis)


def channel_mask(magnitudes: Magnitudes, sparsity: float, axis: int) -> BoolArray:
    """Mask of output channels along ``axis`` [channels], by L2 norm; True = kept."""
    moved = np.moveaxis(magnitudes, axis, 0).reshape(magnitudes.shape[axis], -1)
    norms = np.sqrt(np.sum(np.square(moved, dtype=np.float64), axis=1))
    count = int(num_pruned(norms.size, sparsity))
    keep = np.ones(norms.size, np.bool_)
    keep[np.argsort(norms, kind="stable")[:count]] = False
    return keep
