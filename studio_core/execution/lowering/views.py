"""An operation as the lowerings see it: operands without outputs, attributes as numbers.

Attribute values come in several shapes for one meaning (``[1 : i32]``, ``array<i64: 1>``,
``dense<1>``, ``#ttnn.shape<1x2>``, ``#stablehlo.dot<…>``); here they are one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio_core.execution.lowering.tensors import (
    CannotLowerError,
    Shape,
    Tensor,
    element_of,
    held_type,
    is_tensor,
    shape_of,
)
from studio_core.mlir.records import (
    AttributeValue,
    Block,
    DenseArray,
    DenseElements,
    OpaqueValue,
    Operation,
    SymbolRef,
    Value,
)

_EMPTY = ("ttir.empty", "tensor.empty", "ttnn.empty")
_MISSING: Any = object()
_NUMBER = re.compile(r"-?\d+")


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """``op`` with ``inputs``, its tensor operands without those that only receive the output.

    ``operands`` holds all tensors by their place in the source (None: not a tensor).
    """

    op: Operation
    inputs: tuple[Tensor, ...]
    operands: tuple[Tensor | None, ...]

    @property
    def name(self) -> str:
        """Without the dialect."""
        return self.op.name.partition(".")[2]

    @property
    def shapes(self) -> tuple[Shape, ...]:
        return tuple(shape_of(r.type) for r in self.op.results)

    @property
    def shape(self) -> Shape:
        """Of the only result."""
        return shape_of(self.op.results[0].type)

    @property
    def element(self) -> str:
        """Element type of the first result, as the module writes it."""
        return element_of(self.op.results[0].type)

    @property
    def dtype(self) -> Any:
        return held_type(self.element)

    def input_element(self, at: int = 0) -> str:
        return element_of(self.op.operands[at].type)

    def need(self, count: int) -> tuple[Tensor, ...]:
        """The first ``count`` inputs; raises where there are fewer."""
        if len(self.inputs) < count:
            raise CannotLowerError(f"It has {len(self.inputs)} inputs; {count} are needed.")
        return self.inputs[:count]

    @property
    def x(self) -> Tensor:
        return self.need(1)[0]

    def segments(self) -> list[list[Tensor]] | None:
        """Tensors by operand group, where the operation says how its operands are grouped."""
        sizes = self.ints("operandSegmentSizes", None)
        if sizes is None or sum(sizes) != len(self.operands):
            return None
        groups, at = [], 0
        for size in sizes:
            groups.append([t for t in self.operands[at : at + size] if t is not None])
            at += size
        return groups

    def optional(self, names: Sequence[str]) -> dict[str, Tensor]:
        """Operands by name, when the last of ``names`` are optional."""
        groups = self.segments()
        if groups is None:
            return dict(zip(names, self.inputs, strict=False))
        return {name: g[0] for name, g in zip(names, groups, strict=False) if g}

    # Attributes

    def value(self, *names: str) -> AttributeValue | None:
        """The first attribute of these names; older versions spell some differently."""
        for name in names:
            if name in self.op.attributes:
                return self.op.attributes[name].value
        return None

    def has(self, name: str) -> bool:
        return name in self.op.attributes

    def text(self, name: str, default: str = "") -> str:
        """An attribute as text: a string's content, otherwise as written."""
        if name not in self.op.attributes:
            return default
        attribute = self.op.attributes[name]
        return attribute.value if isinstance(attribute.value, str) else attribute.text

    def number(self, name: str, default: Any = _MISSING) -> Any:
        """An int or float."""
        found = self.value(name)
        if found is None:
            return self._default(name, default)
        if isinstance(found, DenseArray) and len(found.values) == 1:
            return found.values[0]
        if isinstance(found, DenseElements) and found.array is not None and found.array.size == 1:
            return found.array.reshape(-1)[0].item()
        if isinstance(found, (bool, int, float)):
            return found
        raise CannotLowerError(f"Its attribute {name} is not a number.")

    def whole(self, name: str, default: Any = _MISSING) -> Any:
        """An int."""
        found = self.number(name, default)
        return found if found is None else int(found)

    def flag(self, name: str, default: bool = False) -> bool:
        return bool(self.number(name, default))

    def ints(self, name: str, default: Any = _MISSING) -> Any:
        """A list of whole numbers, however it is written."""
        found = self.value(name)
        if found is None:
            return self._default(name, default)
        return whole_numbers(found, name)

    def fields(self, name: str) -> dict[str, str]:
        """``#x<a = 1, b = [2, 3]>`` as texts by key."""
        found = self.value(name)
        if not isinstance(found, OpaqueValue):
            raise CannotLowerError(f"It has no attribute {name}.")
        return fields_of(found.body or found.text)

    def symbol(self, *names: str) -> str | None:
        found = self.value(*names)
        return found.path[-1] if isinstance(found, SymbolRef) else None

    def _default(self, name: str, default: Any) -> Any:
        if default is _MISSING:
            raise CannotLowerError(f"It has no attribute {name}.")
        return default

    def block(self, at: int = 0) -> Block:
        """The only block of a region."""
        regions = self.op.regions
        if at >= len(regions) or len(regions[at]) != 1:
            raise CannotLowerError("Its region is not one block.")
        return regions[at][0]


def whole_numbers(found: AttributeValue, name: str = "") -> list[int]:
    """Numbers of a list attribute in any of its written forms."""
    if isinstance(found, DenseArray):
        return [int(v) for v in found.values]
    if isinstance(found, DenseElements) and found.array is not None:
        return [int(v) for v in found.array.reshape(-1)]
    if isinstance(found, tuple):
        return [n for part in found for n in whole_numbers(part, name)]
    if isinstance(found, (bool, int)):
        return [int(found)]
    if isinstance(found, OpaqueValue):
        return [int(n) for n in _NUMBER.findall(found.body or found.text)]
    raise CannotLowerError(f"Its attribute {name} is not a list of whole numbers.")


def fields_of(body: str) -> dict[str, str]:
    """``a = 1, b = [2, 3], c = <x, y>`` as texts by key; a leading word is passed over."""
    found: dict[str, str] = {}
    start = depth = 0
    for i, letter in enumerate(body + ","):
        if letter in "[<({":
            depth += 1
        elif letter in "])}" or (letter == ">" and body[i - 1] != "-"):
            depth -= 1
        elif letter == "," and depth == 0:
            key, equals, value = body[start:i].partition("=")
            if equals:
                found[key.split()[-1]] = value.strip()
            start = i + 1
    return found


def listed(text: str) -> list[int]:
    """The numbers of ``[1, 2]``, ``2x3`` or ``4``."""
    return [int(n) for n in _NUMBER.findall(text)]


def source_operands(op: Operation, least: int, exact: bool) -> tuple[Value, ...]:
    """Tensor operands without outputs passed as operands and without devices.

    Older versions of the dialects pass an empty tensor for each result; ``exact`` says that the
    operation has ``least`` inputs and no more.
    """
    tensors = tuple(v for v in op.operands if is_tensor(v.type))
    if exact and len(tensors) > least:
        return tensors[:least]
    for _ in op.results:
        last = tensors[-1] if len(tensors) > least else None
        if last is None or last.producer is None or last.producer.name not in _EMPTY:
            break
        tensors = tensors[:-1]
    return tensors
