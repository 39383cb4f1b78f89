"""What an argument of a function must be, so that generated data make sense: `roles_of`.

An argument that ends as an index must stay below the size of what it indexes; one under a
root or logarithm must be positive; a weight is scaled by what it sums over. The demands are
found where the values are used and followed back to the arguments.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from studio_core.execution.lowering.tensors import CannotLowerError, shape_of
from studio_core.execution.lowering.views import View
from studio_core.mlir.records import Operation, TensorType, Value


@dataclass(frozen=True, slots=True)
class Role:
    """``limit``: whole numbers stay below it; ``fan_in``: elements summed over by a weight."""

    limit: int | None = None
    positive: bool = False
    fan_in: int | None = None

    def with_(self, other: Role) -> Role:
        limits = [r.limit for r in (self, other) if r.limit is not None]
        return Role(
            min(limits, default=None),
            self.positive or other.positive,
            self.fan_in or other.fan_in,
        )


_ARRANGING = {
    "reshape", "transpose", "permute", "squeeze", "unsqueeze", "broadcast", "repeat", "convert",
    "broadcast_in_dim", "typecast", "to_layout", "to_memory_config", "to_device", "from_device",
    "slice", "slice_static", "concat", "concatenate", "repeat_interleave", "mesh_shard", "index",
    "reverse", "to_dtype", "dynamic_slice", "pad",
}  # fmt: skip
"""Operations whose result holds elements of their operands."""

_INDEX_ARITHMETIC = {
    "add", "subtract", "where", "select", "maximum", "minimum", "clamp", "remainder",
    "clamp_scalar",
}  # fmt: skip
"""What a whole number commonly goes through before it is an index."""

_POSITIVE = {"sqrt", "rsqrt", "log", "log2", "log10"}


def roles_of(function: Operation) -> Mapping[Value, Role]:
    """The role of each argument of the function for which there is something to say."""
    roles: dict[Value, Role] = {}
    for operation in reversed(list(function.walk())):
        for at, role in _demands(operation):
            if at < len(operation.operands):
                value = operation.operands[at]
                roles[value] = roles.get(value, Role()).with_(role)
        _follow(operation, roles)
    return {v: r for v, r in roles.items() if v.producer is None}


def _follow(operation: Operation, roles: dict[Value, Role]) -> None:
    """Hand the demand on a result on to the operands it comes from."""
    found = [roles[r] for r in operation.results if r in roles]
    short = operation.name.partition(".")[2]
    if not found or not (short in _ARRANGING or short in _INDEX_ARITHMETIC):
        return
    role = found[0]
    if short in _INDEX_ARITHMETIC:
        role = replace(role, fan_in=None, positive=False)
    for value in operation.operands:
        if role != Role():
            roles[value] = roles.get(value, Role()).with_(role)


def _demands(operation: Operation) -> Iterator[tuple[int, Role]]:
    """Operand numbers with what must hold of them."""
    short = operation.name.partition(".")[2]
    if short in _POSITIVE:
        yield 0, Role(positive=True)
    if short in ("div", "divide"):
        yield 1, Role(positive=True)
    if short in ("batch_norm", "batch_norm_inference", "batch_norm_training"):
        yield 2 if operation.dialect == "ttnn" else 4, Role(positive=True)
    try:
        yield from _sized_demands(operation, short)
    except (CannotLowerError, IndexError, ValueError):
        return  # whoever lowers it says what is wrong


def _sized_demands(operation: Operation, short: str) -> Iterator[tuple[int, Role]]:
    shapes = [
        shape_of(v.type) if isinstance(v.type, TensorType) else () for v in operation.operands
    ]
    if short in ("matmul", "linear"):
        inner = -1 if View(operation, (), ()).flag("transpose_b") else -2
        yield 1, Role(fan_in=shapes[1][inner])
    elif short in ("dot_general", "dot"):
        # Result sizes are free sizes: what is left of both operands is summed over.
        out = math.prod(shape_of(operation.results[0].type))
        yield 1, Role(fan_in=round(math.sqrt(math.prod(shapes[0]) * math.prod(shapes[1]) / out)))
    elif short.startswith("conv"):
        yield 1, Role(fan_in=max(1, math.prod(shapes[1]) // max(shapes[1])))
    elif short in ("embedding", "embedding_backward", "embedding_bw"):
        yield 0, Role(limit=shapes[1][-2])
    elif short in ("gather_dim", "gather", "scatter", "torch_index_select"):
        yield 1, Role(limit=_index_limit(operation, shapes[0]))
    elif short == "update_cache":
        yield 2, Role(limit=shapes[0][-2])
    elif short == "paged_update_cache":
        yield 2, Role(limit=shapes[0][2] * shapes[3][-1])
        yield 3, Role(limit=shapes[0][0])
    elif short == "paged_fill_cache":
        yield 2, Role(limit=shapes[0][0])
    elif short in ("dynamic_slice", "slice_dynamic"):
        for at in range(1, len(shapes)):
            yield at, Role(limit=1)


def _index_limit(operation: Operation, shape: tuple[int, ...]) -> int:
    view = View(operation, (), ())
    dim = view.value("dim")
    return shape[dim] if isinstance(dim, int) else min(shape)
