"""The constant weight of a layer: where it is stored and what its values are.

A weight may sit behind other operators (Transpose, Cast, DequantizeLinear …). Pruning
acts on the stored tensor, so a `Weight` describes that tensor; `magnitudes` gives the
values as the layer sees them, quantization undone, in the order in which they are stored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studio_core.models.tensor import Tensor


@dataclass(frozen=True, eq=False)
class Quantization:
    """Scale and zero point of a DequantizeLinear: real = (stored − zero_point) · scale.

    ``scale`` and ``zero_point`` are scalars or 1-D along ``axis``, or have the blocked
    shape of ONNX opset 21 where ``block_size`` is above 0.
    """

    scale: NDArray[np.float64]
    zero_point: NDArray[np.float64]
    axis: int
    block_size: int = 0

    def misfit(self, shape: tuple[int, ...], *, moved: bool) -> str:
        """Why this does not fit a stored tensor of ``shape``; empty if it does.

        ``moved``: an operator between the two changes the shape, so that the axis is
        another one than that of the stored tensor.
        """
        several = [p for p in (self.scale, self.zero_point) if p.size != 1]
        if not several:
            return ""
        if moved:
            return "Its scales follow a Transpose or Reshape of the stored weight."
        if not -len(shape) <= self.axis < len(shape):
            return f"Its scales lie along axis {self.axis}, which the weight does not have."
        if any(p.shape != self._expected(shape) for p in several):
            return "The number of its scales or zero points does not fit its shape."
        return ""

    def _expected(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        axis = self.axis % len(shape)
        if self.block_size <= 0:
            return (shape[axis],)
        return (*shape[:axis], -(-shape[axis] // self.block_size), *shape[axis + 1 :])


@dataclass(frozen=True, eq=False)
class Weight:
    """A stored weight tensor.

    ``steps`` names the operators between the tensor and the layer, nearest the tensor
    first. ``key`` is the place of the bytes: two weights with one key are the same weight.
    ``fault`` says why the values cannot be told, where the quantization does not fit.
    """

    tensor: Tensor
    steps: tuple[str, ...] = ()
    quantization: Quantization | None = None
    fault: str = ""

    @property
    def name(self) -> str:
        return self.tensor.name

    @property
    def shape(self) -> tuple[int, ...]:
        return self.tensor.shape

    @property
    def size(self) -> int:
        return self.tensor.size

    @property
    def num_bytes(self) -> int:
        return self.tensor.num_bytes

    @property
    def key(self) -> tuple[str, int, int]:
        return self.tensor.key

    def magnitudes(self, scratch: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Absolute values, flat, shape [size], in storage order.

        ``scratch`` (float32, at least [size]) is used instead of new memory where the
        tensor is stored as float32; the caller may then sort the answer in place.
        """
        if self.quantization is not None:
            return np.abs(_dequantize(self.tensor.read(), self.quantization)).reshape(-1)
        if self.tensor.dtype == np.float32:
            flat = self.tensor.read_flat(scratch)
            np.abs(flat, out=flat)
            return flat
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite
            return np.abs(self.tensor.read().astype(np.float32)).reshape(-1)

    def stored_zero(self) -> NDArray[np.generic]:
        """The stored value that stands for zero, in a shape that broadcasts over the tensor."""
        if self.quantization is None:
            return np.zeros((), self.tensor.dtype)
        zero_point = _spread(self.quantization.zero_point, self.shape, self.quantization)
        return np.asarray(zero_point.astype(self.tensor.dtype))

    def count_zeros(self) -> int | None:
        """Number of weights whose real value is zero; None where the values cannot be told."""
        if self.fault:
            return None
        if self.quantization is None:
            return self.size - int(np.count_nonzero(self.tensor.read()))
        return self.size - int(np.count_nonzero(self.magnitudes()))


def _dequantize(stored: NDArray[np.generic], q: Quantization) -> NDArray[np.float32]:
    scale, zero_point = (_spread(p, stored.shape, q) for p in (q.scale, q.zero_point))
    with np.errstate(over="ignore"):
        return ((stored.astype(np.float64) - zero_point) * scale).astype(np.float32)


def _spread(
    parameter: NDArray[np.float64], shape: tuple[int, ...], q: Quantization
) -> NDArray[np.float64]:
    """Scale or zero point in a shape that broadcasts over the stored tensor."""
    if parameter.size == 1:
        return parameter.reshape(())
    axis = q.axis % len(shape)
    if q.block_size:
        block = min(q.block_size, shape[axis])
        return np.repeat(parameter, block, axis=axis).take(range(shape[axis]), axis=axis)
    return parameter.reshape([-1 if i == axis else 1 for i in range(len(shape))])
