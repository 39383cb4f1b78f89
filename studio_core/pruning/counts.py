"""How many weights a sparsity removes: one rule for estimates, plans and pruned models."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def num_pruned(size: ArrayLike, sparsity: ArrayLike) -> NDArray[np.int64]:
    """Number of weights set to zero in a layer of ``size`` weights; the shapes broadcast.

    The nearest whole number to sparsity · size, halves rounded up. An exact count, not a
    threshold on the magnitude: with a threshold, weights of equal magnitude would all stay
    or all go, and a constant tensor could not be pruned at all.
    """
    sizes = np.asarray(size, np.int64)
    counts = np.floor(np.asarray(sparsity, np.float64) * sizes + 0.5)
    return np.asarray(np.clip(counts, 0, sizes), np.int64)
