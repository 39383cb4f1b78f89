"""Pooling: TTIR's NHWC forms, and windows of any rank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from studio_core.execution.lowering.builder import Builder
from studio_core.execution.lowering.convolutions import (
    Layout,
    Window,
    each_side,
    num_steps,
    window_of,
)
from studio_core.execution.lowering.table import lowers
from studio_core.execution.lowering.tensors import FLOAT, INT64, CannotLowerError, Shape, Tensor
from studio_core.execution.lowering.views import View


@lowers("ttir.max_pool2d", "ttir.avg_pool2d", "ttir.max_pool2d_with_indices")
def _pool(b: Builder, v: View) -> Tensor | list[Tensor]:
    size = each_side(v, "kernel", 2) if not v.has("kernel_size") else tuple(v.ints("kernel_size"))
    layout = Layout(b, v, 2)
    x = layout.enter(v.x)
    window = _old_padding(v, window_of(v, size))
    up = v.flag("ceil_mode")
    shape = (*x.shape[:2], *_pooled(x.shape[2:], window, up))
    common: dict[str, Any] = {
        "kernel_shape": list(size),
        "strides": list(window.stride),
        "pads": window.pads,
        "dilations": list(window.dilation),
        "ceil_mode": int(up),
    }
    if v.name == "avg_pool2d":
        counted = int(v.flag("count_include_pad", True))
        found = b.emit("AveragePool", [x], shape, FLOAT, count_include_pad=counted, **common)
        return layout.leave(found)
    if v.name == "max_pool2d":
        return layout.leave(b.emit("MaxPool", [x], shape, FLOAT, **common))
    both: list[tuple[Shape, np.dtype[Any]]] = [(shape, FLOAT), (shape, INT64)]
    best, places = b.emit_many("MaxPool", [x], both, **common)
    # ONNX counts over the whole tensor, the module within a picture.
    places = b.binary("Mod", places, b.const(np.int64(x.shape[2] * x.shape[3])))
    return [layout.leave(best), layout.leave(places)]


def _old_padding(v: View, window: Window) -> Window:
    if not v.has("padding_top"):
        return window
    sides = [v.whole(f"padding_{side}", 0) for side in ("top", "bottom", "left", "right")]
    padding = ((sides[0], sides[1]), (sides[2], sides[3]))
    return Window(window.size, window.stride, padding, window.dilation)


def _pooled(sizes: Sequence[int], window: Window, up: bool) -> list[int]:
    found = []
    for d, k, s, p, dil in zip(
        sizes, window.size, window.stride, window.padding, window.dilation, strict=True
    ):
        count = num_steps(d + sum(p), k, s, dil, up)
        # A window may not begin behind the padded end.
        found.append(count - 1 if up and (count - 1) * s >= d + p[0] else count)
    return found


@lowers("ttir.global_avg_pool2d")
def _global_pool(b: Builder, v: View) -> Tensor:
    return b.reshape(b.reduce("Mean", v.x, [1, 2]), v.shape)


@lowers("ttir.pooling")
def _pooling(b: Builder, v: View) -> list[Tensor]:
    method = v.text("pooling_method").lower()
    kinds = {"average": "avg", "avg": "avg", "max": "max", "sum": "sum"}
    kind = next((k for word, k in kinds.items() if word in method), "")
    return [window_reduce(b, v, x, kind) for x in v.inputs[: len(v.op.results)]]


def window_reduce(b: Builder, v: View, x: Tensor, kind: str) -> Tensor:
    """Max, min, sum or avg over windows of any rank, with padding that does not count."""
    if kind not in ("max", "min", "sum", "avg"):
        raise CannotLowerError(f"Windows are not reduced by {kind or 'this function'} here.")
    rank = x.rank
    size = v.ints("window_dimensions")
    stride = v.ints("window_strides", None) or [1] * rank
    holes = v.ints("base_dilations", None) or [1] * rank
    dilation = v.ints("window_dilations", None) or [1] * rank
    flat = v.ints("padding", None) or [0] * 2 * rank
    low, high = flat[0::2], flat[1::2]
    if any(h != 1 for h in holes):
        raise CannotLowerError("Windows over a dilated input are not known here.")
    used = [i for i in range(rank) if (size[i], stride[i], low[i], high[i]) != (1, 1, 0, 0)]
    if len(used) > 3:
        raise CannotLowerError("Windows over more than three dimensions are not known here.")
    negated = kind == "min"
    source = b.cast(x, FLOAT)
    source = b.unary("Neg", source) if negated else source
    fill = b.const(np.float32(-np.inf if kind in ("max", "min") else 0))
    source = b.pad(source, low, high, fill)
    found = _slide(b, source, used, size, stride, dilation, kind)
    return b.cast(b.unary("Neg", found) if negated else found, x.dtype)


def _slide(
    b: Builder, x: Tensor, used: list[int], size: list[int], stride: list[int],
    dilation: list[int], kind: str,
) -> Tensor:  # fmt: skip
    """Pool the dimensions in ``used``; the others become one of channels."""
    used = used or [x.rank - 1] if x.rank else used
    others = [i for i in range(x.rank) if i not in used]
    order = [*others, *used]
    moved = b.transpose(x, order)
    channels = math.prod(x.shape[i] for i in others)
    flat = b.reshape(moved, (1, channels, *(x.shape[i] for i in used)))
    window = Window(
        tuple(size[i] for i in used),
        tuple(stride[i] for i in used),
        ((0, 0),) * len(used),
        tuple(dilation[i] for i in used),
    )
    sizes = _pooled([x.shape[i] for i in used], window, False)
    common: dict[str, Any] = {
        "kernel_shape": list(window.size),
        "strides": list(window.stride),
        "dilations": list(window.dilation),
    }
    pool = "MaxPool" if kind in ("max", "min") else "AveragePool"
    found = b.emit(pool, [flat], (1, channels, *sizes), FLOAT, **common)
    if kind == "sum":
        found = b.mul(found, b.const(np.float32(math.prod(window.size))))
    back = b.reshape(found, (*(x.shape[i] for i in others), *sizes))
    return b.transpose(back, np.argsort(order).tolist())
