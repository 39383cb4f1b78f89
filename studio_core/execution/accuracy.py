"""How alike two tensors are: `pearson`, the PCC of the hardware's golden comparisons."""

from __future__ import annotations

import numpy as np

from studio_core.execution.records import Array

_CHUNK = 1 << 15
"""Elements at a time: as many as the processor's cache holds in float64."""


def pearson(actual: Array, reference: Array) -> float | None:
    """Pearson correlation of all elements, computed in float64; 1 for equal tensors.

    Elements that are the same infinity or NaN in both are left out. None where there is none:
    no elements, shapes that differ, other values that are not finite, or one side constant
    (unless both are equal).
    """
    if actual.shape != reference.shape or actual.size == 0:
        return None
    x, y = actual.reshape(-1), reference.reshape(-1)
    if actual is reference or _equal(x, y):
        return 1.0
    with np.errstate(invalid="ignore", over="ignore"):
        sums = _sums(x, y)
        if not np.isfinite(sums).all():
            finite = np.isfinite(x) & np.isfinite(y)
            if not _equal(x[~finite], y[~finite]):
                return None
            x, y = x[finite], y[finite]
            sums = _sums(x, y)
    return _correlation(x, y, sums)


def _equal(x: Array, y: Array) -> bool:
    """Ends at the first chunk that differs, mostly the first of all."""
    float_ = x.dtype.kind == "f"
    return all(
        np.array_equal(x[at : at + _CHUNK], y[at : at + _CHUNK], equal_nan=float_)
        for at in range(0, x.size, _CHUNK)
    )


def _sums(x: Array, y: Array) -> Array:
    """Means of both, and sums of squares and products around them."""
    if x.size == 0:
        return np.zeros(5)
    mean_x, mean_y = (np.mean(a, dtype=np.float64) for a in (x, y))
    xx = yy = xy = 0.0
    for at in range(0, x.size, _CHUNK):
        a = x[at : at + _CHUNK].astype(np.float64)
        b = y[at : at + _CHUNK].astype(np.float64)
        a -= mean_x
        b -= mean_y
        # Not as products of BLAS, whose threads wait for each other on a busy machine.
        xx, yy, xy = xx + _dot(a, a), yy + _dot(b, b), xy + _dot(a, b)
    return np.array([mean_x, mean_y, xx, yy, xy])


def _dot(a: Array, b: Array) -> float:
    return float(np.einsum("i,i->", a, b))


def _correlation(x: Array, y: Array, sums: Array) -> float | None:
    mean_x, mean_y, xx, yy, xy = sums.tolist()
    # What is left of a constant is the rounding of its mean.
    if xx <= _noise(x, mean_x) or yy <= _noise(y, mean_y):
        return None
    return min(1.0, max(-1.0, float(xy / (xx * yy) ** 0.5)))


def _noise(x: Array, mean: float) -> float:
    return x.size * (1e-12 * abs(mean)) ** 2
