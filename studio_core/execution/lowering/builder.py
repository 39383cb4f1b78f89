"""Building ONNX nodes with shapes known at every step: `Builder`.

Every helper answers a `Tensor` with its shape and type, so that a lowering reads as the
formula it stands for. Nodes are named ``op<number>/<kind>_<k>``, by which a profile is mapped
back to the source operation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import helper

from studio_core.execution.lowering.tensors import (
    BOOL,
    FLOAT,
    INT32,
    INT64,
    Array,
    CannotLowerError,
    Shape,
    Tensor,
    broadcast,
)

OPSET = 21
_SMALL = 64
"""Constants of at most so many elements are the same initializer wherever they occur."""

_COMPARISONS = {"Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"}


class Builder:
    """Collects nodes and constants; knows the number of the operation being lowered."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {}
        self.tensors: dict[str, Tensor] = {}
        self.notes: dict[str, None] = {}
        self.number = 0
        self._count = 0
        self._shared: dict[tuple[str, Shape, bytes], Tensor] = {}

    def begin(self, number: int) -> None:
        """Nodes from here on belong to operation ``number``."""
        self.number, self._count = number, 0

    def note(self, sentence: str) -> None:
        self.notes[sentence] = None

    @contextmanager
    def subgraph(self) -> Iterator[list[onnx.NodeProto]]:
        """Nodes emitted inside go into the list instead of the model."""
        outer, self.nodes = self.nodes, []
        try:
            yield self.nodes
        finally:
            self.nodes = outer

    # Values

    def input(self, name: str, shape: Shape, dtype: np.dtype[Any]) -> Tensor:
        tensor = Tensor(name, shape, dtype)
        self.tensors[name] = tensor
        return tensor

    def const(self, value: Any, dtype: np.dtype[Any] | None = None) -> Tensor:
        """A constant; a splat of many elements is a scalar that is expanded in the model."""
        array = np.asarray(value) if dtype is None else np.asarray(value).astype(dtype, copy=False)
        if array.size > 1 and not any(array.strides) and array.ndim:
            return self.expand(self.const(array[(0,) * array.ndim]), array.shape)
        if array.size > _SMALL:
            return self._constant(array)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._shared:
            self._shared[key] = self._constant(array)
        return self._shared[key]

    def _constant(self, array: Array) -> Tensor:
        name = f"c{len(self.constants)}"
        self.constants[name] = array
        return self.input(name, array.shape, array.dtype)

    def ints(self, values: Sequence[int]) -> Tensor:
        return self.const(np.array(values, np.int64).reshape(len(values)))

    def like(self, value: float, x: Tensor) -> Tensor:
        """A scalar of the type of ``x``."""
        return self.const(np.asarray(value, x.dtype))

    # Nodes

    def emit_many(
        self,
        kind: str,
        inputs: Sequence[Tensor | None],
        outputs: Sequence[tuple[Shape, np.dtype[Any]]],
        domain: str = "",
        **attributes: Any,
    ) -> list[Tensor]:
        """A node with several outputs of the given shapes and types."""
        place = f"op{self.number}/{kind}_{self._count}"
        self._count += 1
        made = [
            self.input(f"{place}:{i}", tuple(int(d) for d in shape), dtype)
            for i, (shape, dtype) in enumerate(outputs)
        ]
        self.nodes.append(
            helper.make_node(
                kind,
                ["" if x is None else x.name for x in inputs],
                [t.name for t in made],
                name=place,
                domain=domain,
                **attributes,
            )
        )
        return made

    def emit(
        self,
        kind: str,
        inputs: Sequence[Tensor | None],
        shape: Sequence[int],
        dtype: np.dtype[Any],
        **attributes: Any,
    ) -> Tensor:
        return self.emit_many(kind, inputs, [(tuple(shape), dtype)], **attributes)[0]

    def unary(self, kind: str, x: Tensor, **attributes: Any) -> Tensor:
        return self.emit(kind, [x], x.shape, x.dtype, **attributes)

    def binary(self, kind: str, a: Tensor, b: Tensor, **attributes: Any) -> Tensor:
        """With numpy's broadcasting; comparisons answer bool."""
        dtype = BOOL if kind in _COMPARISONS else a.dtype
        return self.emit(kind, [a, b], broadcast(a.shape, b.shape), dtype, **attributes)

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        return self.binary("Add", a, b)

    def sub(self, a: Tensor, b: Tensor) -> Tensor:
        return self.binary("Sub", a, b)

    def mul(self, a: Tensor, b: Tensor) -> Tensor:
        return self.binary("Mul", a, b)

    def div(self, a: Tensor, b: Tensor) -> Tensor:
        return self.binary("Div", a, b)

    def identity(self, x: Tensor) -> Tensor:
        return self.unary("Identity", x)

    def where(self, condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
        if a.dtype == BOOL:  # there is no kernel for it
            chosen = self.where(condition, self.cast(a, INT32), self.cast(b, INT32))
            return self.cast(chosen, BOOL)
        shape = broadcast(condition.shape, a.shape, b.shape)
        return self.emit("Where", [condition, a, b], shape, a.dtype)

    def cast(self, x: Tensor, dtype: np.dtype[Any]) -> Tensor:
        if x.dtype == dtype:
            return x
        to = helper.np_dtype_to_tensor_dtype(dtype)
        return self.emit("Cast", [x], x.shape, dtype, to=to)

    def wrap(self, x: Tensor, narrow: np.dtype[Any] | None) -> Tensor:
        """Integers brought into the range of ``narrow`` as two's complement arithmetic does."""
        if narrow is None or x.dtype not in (INT32, INT64):
            return x
        return self.cast(self.cast(x, narrow), x.dtype)

    def truth(self, x: Tensor) -> Tensor:
        """Non-zero is true."""
        return self.cast(x, BOOL)

    # Shapes

    def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        shape = tuple(int(d) for d in shape)
        if shape == x.shape:
            return x
        if prod(shape) != x.size:
            raise CannotLowerError(f"{_written(x.shape)} cannot be reshaped to {_written(shape)}.")
        if 0 in shape:
            return self.emit("Reshape", [x, self.ints(shape)], shape, x.dtype, allowzero=1)
        return self.emit("Reshape", [x, self.ints(shape)], shape, x.dtype)

    def transpose(self, x: Tensor, order: Sequence[int]) -> Tensor:
        order = [axis(i, x.rank) for i in order]
        if sorted(order) != list(range(x.rank)):
            raise CannotLowerError(f"{list(order)} is no order of {x.rank} dimensions.")
        if order == list(range(x.rank)):
            return x
        shape = [x.shape[i] for i in order]
        return self.emit("Transpose", [x], shape, x.dtype, perm=order)

    def swap(self, x: Tensor, first: int = -2, second: int = -1) -> Tensor:
        order = list(range(x.rank))
        a, b = axis(first, x.rank), axis(second, x.rank)
        order[a], order[b] = order[b], order[a]
        return self.transpose(x, order)

    def expand(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        shape = tuple(int(d) for d in shape)
        if broadcast(x.shape, shape) != shape:
            raise CannotLowerError(f"{_written(x.shape)} cannot be broadcast to {_written(shape)}.")
        if x.shape == shape:
            return x
        return self.emit("Expand", [x, self.ints(shape)], shape, x.dtype)

    def expand_like(self, x: Tensor, other: Tensor) -> Tensor:
        return self.expand(x, broadcast(x.shape, other.shape))

    def tile(self, x: Tensor, repeats: Sequence[int]) -> Tensor:
        shape = [d * r for d, r in zip(x.shape, repeats, strict=True)]
        return self.emit("Tile", [x, self.ints(repeats)], shape, x.dtype)

    def concat(self, parts: Sequence[Tensor], at: int) -> Tensor:
        first = parts[0]
        at = axis(at, first.rank)
        shape = list(first.shape)
        shape[at] = sum(p.shape[at] for p in parts)
        return self.emit("Concat", list(parts), shape, first.dtype, axis=at)

    def slice(
        self, x: Tensor, begins: Sequence[int], ends: Sequence[int], steps: Sequence[int]
    ) -> Tensor:
        """``x[b:e:s, …]`` for all dimensions, as numpy does it."""
        ranges = [
            range(*slice(b, e, s).indices(d))
            for b, e, s, d in zip(begins, ends, steps, x.shape, strict=True)
        ]
        if all(r == range(d) for r, d in zip(ranges, x.shape, strict=True)):
            return self.identity(x)
        # A backward range to before the first element cannot be written as a negative end.
        stops = [r.stop if r.step > 0 or r.stop >= 0 else -(2**62) for r in ranges]
        inputs = [[r.start for r in ranges], stops, range(x.rank), [r.step for r in ranges]]
        shape = [len(r) for r in ranges]
        return self.emit("Slice", [x, *(self.ints(list(i)) for i in inputs)], shape, x.dtype)

    def slice_axis(self, x: Tensor, at: int, begin: int, end: int, step: int = 1) -> Tensor:
        begins, ends, steps = [0] * x.rank, list(x.shape), [1] * x.rank
        at = axis(at, x.rank)
        begins[at], ends[at], steps[at] = begin, end, step
        return self.slice(x, begins, ends, steps)

    def flip(self, x: Tensor, axes: Sequence[int]) -> Tensor:
        starts, ends = self.ints([-1] * len(axes)), self.ints([-(2**62)] * len(axes))
        where, steps = self.ints([axis(a, x.rank) for a in axes]), self.ints([-1] * len(axes))
        return self.emit("Slice", [x, starts, ends, where, steps], x.shape, x.dtype)

    def pad(self, x: Tensor, low: Sequence[int], high: Sequence[int], value: Tensor) -> Tensor:
        """Constant padding; negative amounts cut."""
        if not any(low) and not any(high):
            return x
        shape = [d + a + b for d, a, b in zip(x.shape, low, high, strict=True)]
        return self.emit("Pad", [x, self.ints([*low, *high]), value], shape, x.dtype)

    def gather(self, x: Tensor, indices: Tensor, at: int) -> Tensor:
        at = axis(at, x.rank)
        shape = x.shape[:at] + indices.shape + x.shape[at + 1 :]
        return self.emit("Gather", [x, indices], shape, x.dtype, axis=at)

    # Sums and products

    def matmul(self, a: Tensor, b: Tensor) -> Tensor:
        """As numpy's; bool is computed as int32."""
        if a.dtype == BOOL:
            a, b = self.cast(a, INT32), self.cast(b, INT32)
        left = (1, *a.shape) if a.rank == 1 else a.shape
        right = (*b.shape, 1) if b.rank == 1 else b.shape
        if left[-1] != right[-2]:
            raise CannotLowerError(
                f"{_written(a.shape)} times {_written(b.shape)}: the inner sizes differ."
            )
        shape = [*broadcast(left[:-2], right[:-2])]
        shape += [left[-2]] if a.rank > 1 else []
        shape += [right[-1]] if b.rank > 1 else []
        return self.emit("MatMul", [a, b], shape, a.dtype)

    def reduce(self, kind: str, x: Tensor, axes: Sequence[int], keep: bool = True) -> Tensor:
        """``kind`` is Sum, Mean, Max, Min or Prod."""
        axes = sorted({axis(a, x.rank) for a in axes})
        if not axes:
            return self.identity(x)
        kept = [1 if i in axes else d for i, d in enumerate(x.shape)]
        shape = kept if keep else [d for i, d in enumerate(x.shape) if i not in axes]
        inputs = [x, self.ints(axes)]
        return self.emit(f"Reduce{kind}", inputs, shape, x.dtype, keepdims=int(keep))

    def scalars(self, x: Tensor, *values: float) -> list[Tensor]:
        return [self.like(v, x) for v in values]

    def floats(self, *tensors: Tensor) -> list[Tensor]:
        return [self.cast(t, FLOAT) for t in tensors]


def axis(at: int, rank: int) -> int:
    """A dimension counted from the front; raises `CannotLowerError` if there is none such."""
    if not -rank <= at < rank:
        raise CannotLowerError(f"It names dimension {at} of a tensor of rank {rank}.")
    return at % rank


def _written(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "a scalar"
