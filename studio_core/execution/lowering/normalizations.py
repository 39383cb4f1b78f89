"""Normalizations: by layer, root mean square, group and batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from studio_core.execution.lowering.builder import Builder, axis
from studio_core.execution.lowering.table import lowers
from studio_core.execution.lowering.tensors import FLOAT, CannotLowerError, Tensor
from studio_core.execution.lowering.views import View


def _normalized(b: Builder, x: Tensor, axes: Sequence[int], epsilon: float) -> Tensor:
    """Mean 0, variance 1 along ``axes``."""
    centred = b.sub(x, b.reduce("Mean", x, axes))
    variance = b.reduce("Mean", b.mul(centred, centred), axes)
    return b.div(centred, b.unary("Sqrt", b.add(variance, b.like(epsilon, x))))


def _scaled(b: Builder, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    x = x if weight is None else b.mul(x, weight)
    return x if bias is None else b.add(x, bias)


def _last_axes(v: View, x: Tensor) -> list[int]:
    shape = v.ints("normalized_shape", [x.shape[-1]])
    return list(range(x.rank - len(shape), x.rank))


@lowers("ttir.layer_norm")
def _layer_norm(b: Builder, v: View) -> Tensor:
    given = v.optional(("input", "weight", "bias"))
    x, weight = v.x, given.get("weight")
    axes, epsilon = _last_axes(v, x), float(v.number("epsilon", 1e-5))
    if weight is None or weight.shape != tuple(x.shape[a] for a in axes):
        return _scaled(b, _normalized(b, x, axes, epsilon), weight, given.get("bias"))
    inputs = [x, weight, given.get("bias")]
    inputs = inputs if inputs[2] is not None else inputs[:2]
    return b.emit("LayerNormalization", inputs, x.shape, FLOAT, axis=axes[0], epsilon=epsilon)


@lowers("ttir.rms_norm")
def _rms_norm(b: Builder, v: View) -> Tensor:
    given = v.optional(("input", "weight", "bias"))
    x = v.x
    square = b.reduce("Mean", b.mul(x, x), _last_axes(v, x))
    root = b.unary("Sqrt", b.add(square, b.like(float(v.number("epsilon", 1e-5)), x)))
    return _scaled(b, b.div(x, root), given.get("weight"), given.get("bias"))


@lowers("ttir.group_norm")
def _group_norm(b: Builder, v: View) -> Tensor:
    given = v.optional(("input", "input_mask", "weight", "bias"))
    if "input_mask" in given:
        raise CannotLowerError("A mask of its input is not known here.")
    x = v.x
    groups, at = v.whole("num_groups"), axis(v.whole("channel_dim", -1), x.rank)
    channels = x.shape[at]
    order = [0, at, *(i for i in range(1, x.rank) if i != at)]
    moved = b.transpose(x, order)
    grouped = b.reshape(moved, (x.shape[0], groups, x.size // (x.shape[0] * groups)))
    found = _normalized(b, grouped, [2], float(v.number("epsilon", 1e-5)))
    back = b.transpose(b.reshape(found, moved.shape), np.argsort(order).tolist())
    column = [channels if i == at else 1 for i in range(x.rank)]
    weight, bias = (given.get(n) for n in ("weight", "bias"))
    weight = None if weight is None else b.reshape(weight, column)
    return _scaled(b, back, weight, None if bias is None else b.reshape(bias, column))


_BATCH_NORM = ("operand", "scale", "offset", "mean", "variance")


@lowers("ttir.batch_norm", "ttir.batch_norm_inference", "stablehlo.batch_norm_inference", inputs=5)
def _batch_norm(b: Builder, v: View) -> Tensor:
    if v.flag("training"):
        raise CannotLowerError("Batch normalization in training has several results.")
    x, scale, offset, mean, variance = v.need(5)
    return _by_statistics(b, v, x, (scale, offset, mean, variance), _feature(v))


@lowers("ttnn.batch_norm_inference", inputs=3)
def _ttnn_batch_norm(b: Builder, v: View) -> Tensor:
    """TTNN has the statistics first, and the features in dimension 1."""
    names = ("input", "mean", "variance", "weight", "bias")
    given = v.optional(names)
    x, mean, variance = v.x, given["mean"], given["variance"]
    scale = given.get("weight") or b.const(np.ones(x.shape[1], np.float32))
    offset = given.get("bias") or b.const(np.zeros(x.shape[1], np.float32))
    return _by_statistics(b, v, x, (scale, offset, mean, variance), 1)


def _by_statistics(b: Builder, v: View, x: Tensor, columns: Sequence[Tensor], at: int) -> Tensor:
    scale, offset, mean, variance = (_column(b, c, x, at) for c in columns)
    root = b.unary("Sqrt", b.add(variance, b.like(float(v.number("epsilon", 1e-5)), x)))
    return b.add(b.mul(b.div(b.sub(x, mean), root), scale), offset)


@lowers("ttir.batch_norm_training", "stablehlo.batch_norm_training", inputs=3)
def _batch_norm_training(b: Builder, v: View) -> list[Tensor]:
    """Normalized by the batch; the mean and variance answered are the running ones, if any."""
    x, scale, offset, *running = v.inputs
    at = _feature(v)
    axes = [i for i in range(x.rank) if i != axis(at, x.rank)]
    mean = b.reduce("Mean", x, axes)
    centred = b.sub(x, mean)
    variance = b.reduce("Mean", b.mul(centred, centred), axes)
    root = b.unary("Sqrt", b.add(variance, b.like(float(v.number("epsilon")), x)))
    found = b.mul(b.div(centred, root), _column(b, scale, x, at))
    found = b.add(found, _column(b, offset, x, at))
    statistics = [b.reshape(s, scale.shape) for s in (mean, variance)]
    if len(running) >= 2:
        share = float(v.number("momentum", 0.1))
        keep, take = b.const(np.float32(1 - share)), b.const(np.float32(share))
        statistics = [
            b.add(b.mul(old, keep), b.mul(new, take))
            for old, new in zip(running, statistics, strict=False)
        ]
    return [found, *statistics]


def _feature(v: View) -> int:
    return int(v.whole("dimension", v.whole("feature_index", 1)))


def _column(b: Builder, values: Tensor, x: Tensor, at: int) -> Tensor:
    at = axis(at, x.rank)
    return b.reshape(values, [x.shape[at] if i == at else 1 for i in range(x.rank)])
