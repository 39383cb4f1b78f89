"""Operations that move elements: reshape, broadcast, slices, padding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from studio_core.execution.lowering.builder import Builder, axis
from studio_core.execution.lowering.convolutions import dilate
from studio_core.execution.lowering.table import lowers
from studio_core.execution.lowering.tensors import (
    BOOL,
    FLOAT,
    INT32,
    INT64,
    CannotLowerError,
    Tensor,
)
from studio_core.execution.lowering.views import View

_SAME = (
    "ttir.to_layout", "ttir.ttnn_metal_layout_cast", "ttir.view_layout", "ttnn.to_layout",
    "ttnn.to_memory_config", "ttnn.to_device", "ttnn.from_device", "ttnn.typecast_layout",
    "ttnn.reallocate", "ttnn.assign", "ttnn.clone", "stablehlo.optimization_barrier",
    "builtin.unrealized_conversion_cast", "tensor.cast", "sdy.sharding_constraint",
    "ttnn.reshard", "ttnn.interleaved_to_sharded", "ttnn.sharded_to_interleaved",
)  # fmt: skip


@lowers(*_SAME)
def _same(b: Builder, v: View) -> list[Tensor]:
    """Where the data lie and how they are laid out does not matter here."""
    given = v.inputs or tuple(t for t in v.operands if t is not None)
    return [b.identity(t) for t in given[: max(1, len(v.op.results))]]


@lowers("ttir.mesh_shard", "ttnn.mesh_shard", "ttnn.distribute_tensor", "ttnn.aggregate_tensor")
def _mesh_shard(b: Builder, v: View) -> Tensor:
    if v.x.shape != v.shape:
        raise CannotLowerError("It divides a tensor among several chips; here is only one.")
    return b.identity(v.x)


_ANNOTATIONS = ("Sharding", "tt.mark_argument", "SPMDFullToShardShape", "SPMDShardToFullShape")


@lowers("stablehlo.custom_call", inputs=0)
def _custom_call(b: Builder, v: View) -> Tensor | list[Tensor]:
    """Annotations, and functions that StableHLO itself has no name for."""
    target = v.text("call_target_name").strip('"')
    if target in _ANNOTATIONS and v.inputs and v.x.shape == v.shape:
        return b.identity(v.x)
    if target == "mhlo.erf":
        return b.unary("Erf", v.x)
    raise CannotLowerError(f"It calls {target or 'a function'}, which is not in the file.")


@lowers("ttir.reshape", "ttir.squeeze", "ttir.unsqueeze", "stablehlo.reshape", "ttnn.view")
def _reshape(b: Builder, v: View) -> Tensor:
    return b.reshape(v.x, v.shape)


@lowers("tensor.collapse_shape", "tensor.expand_shape", "ttir.flatten")
def _regroup(b: Builder, v: View) -> Tensor:
    return b.reshape(v.x, v.shape)


@lowers("ttir.transpose")
def _transpose(b: Builder, v: View) -> Tensor:
    return b.swap(v.x, v.whole("dim0"), v.whole("dim1"))


@lowers("ttir.permute")
def _permute(b: Builder, v: View) -> Tensor:
    return b.transpose(v.x, v.ints("permutation"))


@lowers("stablehlo.transpose")
def _transpose_as_listed(b: Builder, v: View) -> Tensor:
    return b.transpose(v.x, v.ints("permutation"))


@lowers("ttir.broadcast", "ttir.repeat")
def _broadcast(b: Builder, v: View) -> Tensor:
    """Each dimension so many times; where only ones are repeated nothing need be copied first."""
    x, shape = v.x, v.shape
    x = b.reshape(x, (*[1] * (len(shape) - x.rank), *x.shape))
    if all(d in (1, s) for d, s in zip(x.shape, shape, strict=True)):
        return b.expand(x, shape)
    counts = [s // d for d, s in zip(x.shape, shape, strict=True)]
    return b.tile(x, counts)


@lowers("stablehlo.broadcast_in_dim")
def _broadcast_in_dim(b: Builder, v: View) -> Tensor:
    places = v.ints("broadcast_dimensions", [])
    if len(places) != v.x.rank:
        raise CannotLowerError("Its dimensions do not fit its operand.")
    order = np.argsort(places).tolist()
    x = b.transpose(v.x, order)
    spread = [1] * len(v.shape)
    for at, size in zip(sorted(places), x.shape, strict=True):
        spread[axis(at, len(spread))] = size
    return b.expand(b.reshape(x, spread), v.shape)


@lowers("stablehlo.broadcast")
def _broadcast_front(b: Builder, v: View) -> Tensor:
    return b.expand(v.x, v.shape)


@lowers("ttir.repeat_interleave")
def _repeat_interleave(b: Builder, v: View) -> Tensor:
    x, count = v.x, v.whole("repeats")
    at = axis(v.whole("dim"), x.rank)
    wide = b.reshape(x, (*x.shape[: at + 1], 1, *x.shape[at + 1 :]))
    wide = b.expand(wide, (*x.shape[: at + 1], count, *x.shape[at + 1 :]))
    return b.reshape(wide, (*x.shape[:at], x.shape[at] * count, *x.shape[at + 1 :]))


@lowers("ttir.concat", "stablehlo.concatenate")
def _concat(b: Builder, v: View) -> Tensor:
    at = v.whole("dim", v.whole("dimension", 0))
    parts = [t for t in v.inputs if 0 not in t.shape] or list(v.inputs[:1])
    return b.concat(parts, at)


@lowers("ttir.slice_static", "ttir.slice", "stablehlo.slice")
def _slice(b: Builder, v: View) -> Tensor:
    rank = v.x.rank
    begins = v.ints("begins", v.ints("start_indices", None))
    ends = v.ints("ends", v.ints("limit_indices", None))
    steps = v.ints("step", v.ints("strides", None)) or [1] * rank
    if begins is None or ends is None:
        raise CannotLowerError("It does not say where the slice begins and ends.")
    return b.slice(v.x, begins, ends, steps)


@lowers("ttir.slice_dynamic", inputs=3)
def _slice_dynamic(b: Builder, v: View) -> Tensor:
    """The result's shape is known, so that only the beginning is read at the run."""
    x, begins, _ = v.need(3)
    steps = v.ints("step", None) or [1] * x.rank
    begins = b.cast(begins, INT64)
    # A negative beginning counts from the end.
    below = b.binary("Less", begins, b.const(np.int64(0)))
    begins = b.where(below, b.add(begins, b.ints(x.shape)), begins)
    return _take(b, x, begins, v.shape, steps)


def _take(
    b: Builder, x: Tensor, begins: Tensor, shape: Sequence[int], steps: Sequence[int]
) -> Tensor:
    """``shape`` elements of ``x`` from ``begins`` (int64, [rank]) on."""
    reach = [(size - 1) * step + 1 for size, step in zip(shape, steps, strict=True)]
    ends = b.add(begins, b.ints(reach))
    inputs = [x, begins, ends, b.ints(range(x.rank)), b.ints(list(steps))]
    return b.emit("Slice", inputs, shape, x.dtype)


@lowers("stablehlo.dynamic_slice")
def _dynamic_slice(b: Builder, v: View) -> Tensor:
    x, *starts = v.inputs
    if x.rank == 0:
        return b.identity(x)
    return _take(b, x, _clamped(b, starts, x.shape, v.shape), v.shape, [1] * x.rank)


@lowers("stablehlo.dynamic_update_slice", inputs=2)
def _dynamic_update(b: Builder, v: View) -> Tensor:
    """The update padded to the operand's size at its place, chosen by a mask padded alike."""
    x, update, *starts = v.inputs
    if x.rank == 0:
        return b.identity(update)
    return write_at(b, x, update, _clamped(b, starts, x.shape, update.shape))


def write_at(b: Builder, x: Tensor, update: Tensor, begins: Tensor) -> Tensor:
    """``x`` with ``update`` at ``begins`` (int64, [rank])."""
    rest = b.sub(b.sub(b.ints(x.shape), b.ints(update.shape)), begins)
    pads = b.concat([begins, rest], 0)
    held = b.cast(update, INT32) if update.dtype == BOOL else update
    placed = b.emit("Pad", [held, pads, b.like(0, held)], x.shape, held.dtype)
    ones = b.const(np.broadcast_to(np.int32(1), update.shape))
    mask = b.emit("Pad", [ones, pads, b.const(np.int32(0))], x.shape, INT32)
    return b.where(b.truth(mask), b.cast(placed, x.dtype), x)


def _clamped(
    b: Builder, starts: Sequence[Tensor], whole: Sequence[int], part: Sequence[int]
) -> Tensor:
    """Start indices as one vector, kept so that the part lies inside (StableHLO's rule)."""
    vector = b.concat([b.reshape(b.cast(s, INT64), (1,)) for s in starts], 0)
    most = b.ints([w - p for w, p in zip(whole, part, strict=True)])
    return b.binary("Min", b.binary("Max", vector, b.const(np.int64(0))), most)


@lowers("ttir.index")
def _index(b: Builder, v: View) -> Tensor:
    ends = (v.whole("begin"), v.whole("end"), v.whole("step", 1))
    return b.slice_axis(v.x, v.whole("dim"), *ends)


@lowers("ttir.index_select", "ttir.select")
def _index_select(b: Builder, v: View) -> Tensor:
    """``length`` elements from ``begin`` on, then again each ``stride`` further on."""
    at = axis(v.whole("dim"), v.x.rank)
    begin, length, stride = v.whole("begin"), v.whole("length"), v.whole("stride", 0)
    size = v.shape[at]
    starts = range(begin, v.x.shape[at], stride) if stride else [begin]
    places = [s + i for s in starts for i in range(length)][:size]
    if len(places) < size or max(places, default=0) >= v.x.shape[at]:
        raise CannotLowerError("It selects elements beyond the end.")
    return b.gather(v.x, b.ints(places), at)


@lowers("ttir.pad")
def _pad(b: Builder, v: View) -> Tensor:
    flat, value = v.ints("padding"), b.like(v.number("value", 0), v.x)
    return b.pad(v.x, flat[0::2], flat[1::2], value)


@lowers("stablehlo.pad", inputs=2)
def _pad_between(b: Builder, v: View) -> Tensor:
    x, value = v.need(2)
    low, high, between = _padding(v)
    if any(between):
        filled = b.sub(x, value) if x.is_float else x
        if not x.is_float:
            raise CannotLowerError("Padding between whole numbers is not known here.")
        x = b.add(dilate(b, filled, [n + 1 for n in between]), value)
    return b.pad(x, low, high, value)


def _padding(v: View) -> tuple[list[int], list[int], list[int]]:
    rank = v.x.rank
    low = v.ints("edge_padding_low", [0] * rank)
    high = v.ints("edge_padding_high", [0] * rank)
    return low, high, v.ints("interior_padding", [0] * rank)


@lowers("ttir.reverse", "stablehlo.reverse")
def _reverse(b: Builder, v: View) -> Tensor:
    axes = v.ints("dimensions")
    return b.flip(v.x, axes) if axes else b.identity(v.x)


@lowers("ttir.upsample2d", "ttnn.upsample")
def _upsample(b: Builder, v: View) -> Tensor:
    """NHWC; bilinear with the centres of pixels as the places."""
    x = b.transpose(v.x, [0, 3, 1, 2])
    factors = v.ints("scale_factor")
    factors = factors * 2 if len(factors) == 1 else factors
    shape = (*x.shape[:2], x.shape[2] * factors[0], x.shape[3] * factors[1])
    mode = v.text("mode", "nearest")
    scales = b.const(np.array([1, 1, *factors], np.float32))
    common = {"mode": "linear" if mode == "bilinear" else "nearest"}
    if mode == "nearest":
        common |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    elif mode != "bilinear":
        raise CannotLowerError(f"The mode {mode} is not known here.")
    found = b.emit("Resize", [x, None, scales], shape, FLOAT, **common)
    return b.transpose(found, [0, 2, 3, 1])
