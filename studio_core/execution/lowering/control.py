"""Calls, conditions and loops: operations that hold or name other operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import onnx
from onnx import helper

from studio_core.execution.lowering.builder import Builder
from studio_core.execution.lowering.tensors import (
    BOOL,
    INT64,
    CannotLowerError,
    Tensor,
    is_tensor,
)
from studio_core.execution.lowering.views import View
from studio_core.mlir.records import Block, Operation

if TYPE_CHECKING:
    from studio_core.execution.lowering.module import Env, Lowerer

_Part: TypeAlias = tuple[list[onnx.NodeProto], list[Tensor]]
"""Nodes of a branch, and what it answers."""

_CALLS = ("func.call", "ttcore.load_cached", "tt.load_cached", "stablehlo.composite")
_CONDITIONS = ("stablehlo.if", "stablehlo.case")


def handled(lowerer: Lowerer, operation: Operation, env: Env) -> bool:
    """Lower a call, condition or loop; False if it is none."""
    if operation.name in _CALLS:
        view = View(operation, (), ())
        symbol = view.symbol("callee", "decomposition")
        if symbol is None:
            raise CannotLowerError("It does not say which function it calls.")
        lowerer.call(operation, symbol, env)
        return True
    if operation.name in _CONDITIONS:
        _condition(lowerer, operation, env)
        return True
    if operation.name == "stablehlo.while":
        _loop(lowerer, operation, env)
        return True
    return False


def _given(operation: Operation, env: Env) -> list[Tensor]:
    found = [env.get(v) for v in operation.operands if is_tensor(v.type)]
    if any(t is None for t in found):
        raise CannotLowerError("It reads what cannot be made.")
    return [t for t in found if t is not None]


def _finish(
    lowerer: Lowerer, operation: Operation, env: Env, mark: int, made: list[Tensor]
) -> None:
    made = lowerer.finished(operation, made, mark)
    given = [t.name for t in _given(operation, env)]
    lowerer.enter(operation, mark, made, given)
    for result, tensor in zip(operation.results, made, strict=True):
        env[result] = tensor


def _begin(lowerer: Lowerer) -> int:
    if not lowerer.is_inside:
        lowerer.builder.begin(len(lowerer.ops))
    return len(lowerer.builder.nodes)


def _graph(
    name: str,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
) -> onnx.GraphProto:
    return helper.make_graph(nodes, name, [_info(t) for t in inputs], [_info(t) for t in outputs])


def _info(tensor: Tensor) -> onnx.ValueInfoProto:
    kind = helper.np_dtype_to_tensor_dtype(tensor.dtype)
    return helper.make_tensor_value_info(tensor.name, kind, tensor.shape)


def _condition(lowerer: Lowerer, operation: Operation, env: Env) -> None:
    b = lowerer.builder
    mark = _begin(lowerer)
    (choice, *_) = _given(operation, env)
    choice = b.reshape(choice, ())
    blocks = [View(operation, (), ()).block(i) for i in range(len(operation.regions))]
    if operation.name == "stablehlo.if":
        made = _branch(lowerer, env, b.truth(choice), blocks[0], blocks[1:])
    else:
        # An index beyond the last branch takes the last.
        made = _branches(lowerer, env, b.cast(choice, INT64), 0, blocks)
    _finish(lowerer, operation, env, mark, made)


def _branches(
    lowerer: Lowerer, env: Env, index: Tensor, at: int, blocks: list[Block]
) -> list[Tensor]:
    b = lowerer.builder
    if len(blocks) == 1:
        return lowerer.inside(blocks[0], [], env)
    here = b.binary("Equal", index, b.const(np.int64(at)))
    with b.subgraph() as then:
        first = _own(b, lowerer.inside(blocks[0], [], env))
    with b.subgraph() as other:
        rest = _own(b, _branches(lowerer, env, index, at + 1, blocks[1:]))
    return _choose(b, here, (then, first), (other, rest))


def _branch(
    lowerer: Lowerer, env: Env, choice: Tensor, block: Block, others: list[Block]
) -> list[Tensor]:
    b = lowerer.builder
    if len(others) != 1:
        raise CannotLowerError("It does not have two branches.")
    with b.subgraph() as then:
        first = _own(b, lowerer.inside(block, [], env))
    with b.subgraph() as other:
        second = _own(b, lowerer.inside(others[0], [], env))
    return _choose(b, choice, (then, first), (other, second))


def _choose(b: Builder, choice: Tensor, first: _Part, second: _Part) -> list[Tensor]:
    outputs = [(t.shape, t.dtype) for t in first[1]]
    return b.emit_many(
        "If",
        [choice],
        outputs,
        then_branch=_graph("then", first[0], [], first[1]),
        else_branch=_graph("else", second[0], [], second[1]),
    )


def _own(b: Builder, tensors: Sequence[Tensor]) -> list[Tensor]:
    """A subgraph must make itself what it answers."""
    return [b.identity(t) for t in tensors]


def _loop(lowerer: Lowerer, operation: Operation, env: Env) -> None:
    """ONNX's Loop asks for the condition after each round, StableHLO before."""
    b = lowerer.builder
    mark = _begin(lowerer)
    state = _given(operation, env)
    test, body = (View(operation, (), ()).block(i) for i in range(2))
    (first,) = lowerer.inside(test, state, env)
    place = f"loop{len(b.tensors)}"
    round_ = b.input(f"{place}/round", (), INT64)
    running = b.input(f"{place}/running", (), BOOL)
    inner = [b.input(f"{place}/{i}", t.shape, t.dtype) for i, t in enumerate(state)]
    with b.subgraph() as nodes:
        after = _own(b, lowerer.inside(body, inner, env))
        (again,) = _own(b, lowerer.inside(test, after, env))
    if [t.shape for t in after] != [t.shape for t in state]:
        raise CannotLowerError("Its body changes the shape of what it works on.")
    graph = _graph("body", nodes, [round_, running, *inner], [again, *after])
    made = b.emit_many(
        "Loop",
        [None, b.reshape(first, ()), *state],
        [(t.shape, t.dtype) for t in state],
        body=graph,
    )
    _finish(lowerer, operation, env, mark, made)
