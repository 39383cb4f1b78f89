"""How many weights a sparsity removes: one rule for estimates, plans and pruned models."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def num_pruned(size: int, sparsity: ArrayLike) -> NDArray[np.int64]:
    """Number of weights set to zero in a layer of ``size`` weights, same shape as ``sparsity``.

    The nearest whole number to sparsity · size, halves rounded up. An exact count, not a
    threshold on the magnitude: with a threshold, weights of equal magnitude would all stay
    or all go, and a constant tensor could not be pruned at all.
    """
    counts = np.floor(np.asarray(sparsity, np.float64) * size + 0.5)
    return np.clip(counts, 0, size).astype(np.int64)
