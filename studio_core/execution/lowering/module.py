"""From a function to ONNX: which operations stand in the way, and the lowering."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, MutableMapping, Sequence

from studio_core.errors import InvalidRequestError
from studio_core.execution.lowering import control
from studio_core.execution.lowering.builder import OPSET, Builder
from studio_core.execution.lowering.entries import entry, functions
from studio_core.execution.lowering.lowered import Input, Lowered
from studio_core.execution.lowering.refusals import reason_of
from studio_core.execution.lowering.table import Entry, entry_of
from studio_core.execution.lowering.tensors import (
    CannotLowerError,
    Tensor,
    element_of,
    held_type,
    is_tensor,
    shape_of,
    storage_of,
)
from studio_core.execution.lowering.views import View, source_operands
from studio_core.execution.program import Program, ProgramOp, names_read
from studio_core.execution.records import Unlowerable
from studio_core.mlir.records import Block, Operation, Value

_SKIPPED = {
    "deallocate", "dealloc", "get_device", "return", "yield", "empty", "dump_tensor", "annotate",
    "dealloc_tensor", "begin_trace_capture", "end_trace_capture",
}  # fmt: skip
_MALFORMED = (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError)
"""What a lowering runs into where attributes are not of the kind it reads."""
_DEEPEST = 40
_SHOWN = 5

Env = MutableMapping[Value, Tensor | None]
"""Tensors by value; None where the operation that makes it cannot be lowered."""


def unlowerable(module: Operation, function: str | None = None) -> tuple[Unlowerable, ...]:
    """Every operation that the CPU cannot run, before anything runs; empty if all can be."""
    lowerer = Lowerer(module, entry(module, function))
    lowerer.run()
    return tuple(lowerer.failures)


def lower(module: Operation, function: str | None = None) -> Lowered:
    """The function as ONNX. Raises `InvalidRequestError` naming what cannot be lowered."""
    lowerer = Lowerer(module, entry(module, function))
    lowered = lowerer.run()
    if lowerer.failures or lowered is None:
        raise InvalidRequestError(_refusal(lowerer.failures))
    return lowered


def _refusal(failures: Sequence[Unlowerable]) -> str:
    shown = " ".join(str(f) for f in failures[:_SHOWN])
    more = len(failures) - _SHOWN
    also = f" And {more} more." if more > 0 else ""
    return f"The CPU cannot run this function. {shown}{also}"


class Lowerer:
    """Lowers one function; collects what fails instead of stopping at it."""

    def __init__(self, module: Operation, function: Operation) -> None:
        self.function = function
        self.builder = Builder()
        self.failures: list[Unlowerable] = []
        self.ops: list[ProgramOp] = []
        self._symbols = {f.symbol: f for f in reversed(functions(module))}
        self._calls: list[Operation] = [function]
        self._inside = 0

    @property
    def is_inside(self) -> bool:
        """True in the body of a loop or branch, whose operations belong to the one around."""
        return self._inside > 0

    def run(self) -> Lowered | None:
        """None if an argument or a result has no tensor."""
        block = next(self.function.blocks())
        try:
            inputs = [self._input(i, value) for i, value in enumerate(block.arguments)]
        except CannotLowerError as error:
            self.failures.append(Unlowerable(self.function, str(error)))
            return None
        env: Env = {i.value: i.tensor for i in inputs}
        results = self.block(block, env)
        mark = len(self.builder.nodes)
        outputs = self._outputs(results, inputs)
        if outputs is None:
            return None
        program = Program(
            self.function.symbol or "",
            tuple(self.ops),
            outputs,
            self.builder.constants,
            {"": OPSET},
            tuple(self.builder.nodes[mark:]),
            tuple(self.builder.notes),
            {i.tensor.name: storage_of(i.value.type) or "" for i in inputs},
        )
        return Lowered(self.function, tuple(inputs), program)

    def _input(self, position: int, value: Value) -> Input:
        given = value.attributes.get("ttir.name")
        name = given.value if given is not None and isinstance(given.value, str) else ""
        element = element_of(value.type)
        tensor = self.builder.input(f"arg{position}", shape_of(value.type), held_type(element))
        return Input(name or value.name.lstrip("%"), position, tensor, element, value)

    def _outputs(
        self, results: Sequence[Tensor | None], inputs: Sequence[Input]
    ) -> tuple[tuple[str, str], ...] | None:
        names = _result_names(self.function, len(results))
        arguments = {i.tensor.name for i in inputs}
        self.builder.begin(len(self.ops))
        found = []
        for name, tensor in zip(names, results, strict=True):
            if tensor is None:
                if not self.failures:
                    reason = f"Its result {name} is made by nothing."
                    self.failures.append(Unlowerable(self.function, reason))
                return None
            made = self.builder.identity(tensor) if tensor.name in arguments else tensor
            found.append((name, made.name))
        return tuple(found)

    # Blocks and calls

    def block(self, block: Block, env: Env) -> list[Tensor | None]:
        """Lower all operations; the tensors that the last one answers."""
        for operation in block.operations:
            if operation.name.rpartition(".")[2] in ("return", "yield"):
                return [env.get(v) for v in operation.operands if is_tensor(v.type)]
            if operation.name.rpartition(".")[2] not in _SKIPPED:
                self.operation(operation, env)
        return []

    def region(self, block: Block, arguments: Sequence[Tensor | None], env: Env) -> list[Tensor]:
        """A region inlined with its arguments; it sees the values around it."""
        inner: Env = ChainMap(dict(zip(block.arguments, arguments, strict=False)), env)
        answers = self.block(block, inner)
        if any(t is None for t in answers):
            raise CannotLowerError("Its region holds operations that cannot be lowered.")
        return [t for t in answers if t is not None]

    def inside(self, block: Block, arguments: Sequence[Tensor | None], env: Env) -> list[Tensor]:
        """As `region`, for the body of a loop: its operations are part of the one that holds it."""
        if self._inside > _DEEPEST:
            raise CannotLowerError("Its regions are nested too deeply.")
        failed = len(self.failures)
        self._inside += 1
        try:
            answers = self.region(block, arguments, env)
        finally:
            self._inside -= 1
        if len(self.failures) > failed:
            raise CannotLowerError("Its region holds operations that cannot be lowered.")
        return answers

    def call(self, operation: Operation, symbol: str, env: Env) -> None:
        """A called function inlined; what it writes in place the caller sees."""
        function = self._symbols.get(symbol)
        if function is None:
            raise CannotLowerError(f"It calls @{symbol}, which is not in the file.")
        if function in self._calls or len(self._calls) > _DEEPEST:
            raise CannotLowerError(f"@{symbol} calls itself.")
        given = [v for v in operation.operands if is_tensor(v.type)]
        block = next(function.blocks())
        inner: Env = {p: env.get(v) for p, v in zip(block.arguments, given, strict=False)}
        self._calls.append(function)
        try:
            answers = self.block(block, inner)
        finally:
            self._calls.pop()
        for parameter, value in zip(block.arguments, given, strict=False):
            env[value] = inner[parameter]
        for result, answer in zip(operation.results, answers, strict=False):
            env[result] = answer

    # One operation

    def operation(self, operation: Operation, env: Env) -> None:
        for result in operation.results:
            env[result] = None
        try:
            if not control.handled(self, operation, env):
                self._plain(operation, env)
        except CannotLowerError as error:
            self._fail(operation, str(error), env)
        except _MALFORMED as error:
            self._fail(operation, f"It is not written as this operation is ({error}).", env)

    def _plain(self, operation: Operation, env: Env) -> None:
        entry = entry_of(operation.name)
        if entry is None:
            raise CannotLowerError(reason_of(operation.name))
        values = source_operands(operation, entry.least, entry.exact)
        self._fill_empty(values, env)
        inputs = tuple(env.get(v) for v in values)
        for value in values:
            if value not in env:
                raise CannotLowerError(f"It reads {value.name}, which nothing makes.")
        if any(t is None for t in inputs):
            return  # what it reads cannot be made, and has been named
        known = tuple(t for t in inputs if t is not None)
        kept = set(values)
        operands = tuple(env.get(v) if v in kept else None for v in operation.operands)
        view = View(operation, known, operands)
        with_results = self.made(operation, view, entry, [t.name for t in known])
        for result, tensor in zip(operation.results, with_results, strict=False):
            env[result] = tensor
        if entry.in_place:
            env[values[0]] = with_results[0]

    def _fill_empty(self, values: Iterable[Value], env: Env) -> None:
        """An empty tensor that is read for its content holds zeros."""
        for value in values:
            producer = value.producer
            if value not in env and producer is not None and producer.name.endswith(".empty"):
                self.operation(producer, env)

    def made(
        self, operation: Operation, view: View, entry: Entry, operands: Sequence[str]
    ) -> list[Tensor]:
        """Emit the nodes of an operation and enter it in the list."""
        if not self._inside:
            self.builder.begin(len(self.ops))
        mark = len(self.builder.nodes)
        try:
            answer = entry.lower(self.builder, view)
            tensors = [answer] if isinstance(answer, Tensor) else list(answer)
            tensors = self.finished(operation, tensors, mark)
        except (CannotLowerError, *_MALFORMED):
            del self.builder.nodes[mark:]
            raise
        self.enter(operation, mark, tensors, operands)
        return tensors

    def finished(self, operation: Operation, tensors: list[Tensor], mark: int) -> list[Tensor]:
        """Results in the types and shapes that the module says, each by a node of its own."""
        if len(tensors) < len(operation.results):
            raise CannotLowerError(
                f"It has {len(operation.results)} results; {len(tensors)} are known."
            )
        found: list[Tensor] = []
        for at, tensor in enumerate(tensors[: max(1, len(operation.results))]):
            if at < len(operation.results):
                tensor = _as_declared(self.builder, operation.results[at], tensor)
            own = {name for node in self.builder.nodes[mark:] for name in node.output}
            fresh = tensor.name in own and tensor not in found
            found.append(tensor if fresh else self.builder.identity(tensor))
        return found

    def enter(
        self, operation: Operation, mark: int, tensors: Sequence[Tensor], operands: Sequence[str]
    ) -> None:
        if self._inside:
            return
        nodes = tuple(self.builder.nodes[mark:])
        made = {name for node in nodes for name in node.output}
        read = dict.fromkeys(n for node in nodes for n in sorted(names_read(node)))
        outside = tuple(n for n in read if n not in made and n not in self.builder.constants)
        data_type = storage_of(operation.results[0].type) if operation.results else None
        self.ops.append(
            ProgramOp(
                operation,
                operation.name,
                nodes,
                outside,
                tuple(t.name for t in tensors),
                data_type,
                tuple(operands),
            )
        )

    def _fail(self, operation: Operation, reason: str, env: Env) -> None:
        """Name it, and go on with a stand-in for its results, so that others are checked too."""
        self.failures.append(Unlowerable(operation, reason))
        for result in operation.results:
            try:
                dtype = held_type(element_of(result.type))
                name = f"absent{len(self.builder.tensors)}"
                env[result] = self.builder.input(name, shape_of(result.type), dtype)
            except CannotLowerError:
                env[result] = None


def _as_declared(b: Builder, result: Value, tensor: Tensor) -> Tensor:
    shape, dtype = shape_of(result.type), held_type(element_of(result.type))
    if tensor.size != _size(shape):
        written = ["x".join(map(str, s)) or "a scalar" for s in (tensor.shape, shape)]
        raise CannotLowerError(f"Its result would be {written[0]}, the module says {written[1]}.")
    return b.cast(b.reshape(tensor, shape), dtype)


def _size(shape: Sequence[int]) -> int:
    size = 1
    for d in shape:
        size *= d
    return size


def _result_names(function: Operation, count: int) -> list[str]:
    """What the module calls its results, made unique; else result_0 and so on."""
    attributes = function.attributes.get("res_attrs")
    given = attributes.value if attributes is not None else ()
    names: list[str] = []
    for i in range(count):
        own = given[i] if isinstance(given, tuple) and i < len(given) else None
        name = own.get("ttir.name") if isinstance(own, dict) else None
        text = name if isinstance(name, str) and name else f"result_{i}"
        names.append(text if text not in names else f"{text}_{i}")
    return names
