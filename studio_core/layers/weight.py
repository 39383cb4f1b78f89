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


@dataclass(frozen=True, eq=False)
class Weight:
    """A stored weight tensor.

    ``steps`` names the operators between the tensor and the layer, nearest the tensor
    first. ``key`` is the place of the bytes: two weights with one key are the same weight.
    """

    tensor: Tensor
    steps: tuple[str, ...] = ()
    quantization: Quantization | None = None

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
            values = _dequantize(self.tensor.read(), self.quantization)
        elif self.tensor.dtype == np.float32:
            flat = self.tensor.read_flat(scratch)
            np.abs(flat, out=flat)
            return flat
        else:
            values = self.tensor.read().astype(np.float32)
        return np.abs(values, dtype=np.float32).reshape(-1)

    def count_zeros(self) -> int:
        """Number of weights whose real value is zero."""
        if self.quantization is None:
            return self.size - int(np.count_nonzero(self.tensor.read()))
        return self.size - int(np.count_nonzero(self.magnitudes()))


def _dequantize(stored: NDArray[np.generic], q: Quantization) -> NDArray[np.float32]:
    scale, zero_point = (_spread(p, stored.shape, q) for p in (q.scale, q.zero_point))
    return ((stored.astype(np.float64) - zero_point) * scale).astype(np.float32)


def _spread(
    parameter: NDArray[np.float64], shape: tuple[int, ...], q: Quantization
) -> NDArray[np.float64]:
    """Scale or zero point in a shape that broadcasts over the stored tensor."""
    if parameter.size == 1:
        return parameter.reshape(())
    axis = q.axis % len(shape)
    if q.block_size:
        return np.repeat(parameter, q.block_size, axis=axis).take(range(shape[axis]), axis=axis)
    return parameter.reshape([-1 if i == axis else 1 for i in range(len(shape))])
