"""What an MLIR file holds: modules, operations, values, types, attributes, locations.

Everything is written once by the reader and read by everyone else; aliases are resolved.
What the reader cannot take apart is still there as text: an operation with ``is_opaque``, a
type with nothing but its ``text``, an attribute value that is `OpaqueValue`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np


@dataclass(frozen=True, slots=True)
class Location:
    """Where an operation or an argument comes from.

    ``text`` is the whole location with aliases resolved, such as
    ``loc("relu_3"("model.py":10:3))``; ``names`` are its name locations from the outermost
    in, here ``("relu_3",)``; empty where there is no name.
    """

    text: str
    names: tuple[str, ...] = ()

    @property
    def name(self) -> str | None:
        """The named location, by which overrides find an operation; None where there is none."""
        return self.names[0] if self.names else None


@dataclass(frozen=True, slots=True)
class Type:
    """A type; ``text`` is as written, aliases resolved."""

    text: str


@dataclass(frozen=True, slots=True)
class TensorType(Type):
    """A tensor: ``shape`` with None for an unknown dimension, and None if unranked.

    ``element`` is the element type's text (``f32``, ``bf16``, ``ui8``, ``complex<f32>`` …),
    ``encoding`` the text of the layout or other encoding, aliases resolved.
    """

    shape: tuple[int | None, ...] | None
    element: str
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class OpaqueValue:
    """An attribute of a dialect of which only the text is known.

    ``text`` is whole, such as ``#ttnn.conv2d_config<weights_dtype = bf16>``; ``name`` is
    ``ttnn.conv2d_config``, ``body`` what stands between its outer brackets.
    """

    text: str
    name: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class SymbolRef:
    """A reference to a symbol: ``@forward`` has the path ``("forward",)``, nested ones follow."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DenseArray:
    """``array<i64: 1, 2>``: the element type and the numbers (booleans for i1)."""

    element: str
    values: tuple[int | float | bool, ...]


@dataclass(frozen=True, slots=True, eq=False)
class DenseElements:
    """``dense<…> : tensor<…>`` (and ``dense_resource``): a constant tensor.

    ``array`` has the tensor's shape, a splat broadcast without copying; bfloat16 is held as
    float32, f8 types likewise. None where the data are not in the file (elided, a resource that is
    absent) or of an element type without a numpy equivalent.
    """

    type: TensorType
    array: np.ndarray | None
    text: str = ""


AttributeValue: TypeAlias = (
    "bool | int | float | str | Type | SymbolRef | DenseArray | DenseElements"
    " | OpaqueValue | tuple[AttributeValue, ...] | dict[str, AttributeValue]"
)


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute: ``value`` typed where we know how, ``text`` as written, aliases resolved.

    A unit attribute has the value True and an empty text. A number's type suffix is kept in
    the text only (``1 : i32`` has the value 1).
    """

    value: AttributeValue
    text: str


@dataclass(slots=True, eq=False)
class Value:
    """A result of an operation or an argument of a block.

    ``name`` is how the file refers to it, such as ``%0``, ``%3#1`` or ``%arg0``.
    """

    name: str
    type: Type
    index: int
    """The number of the result or of the argument."""
    producer: Operation | None = None
    """The operation of which this is a result; None for an argument."""
    location: Location | None = None
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    """Attributes of a function's argument, such as ``ttir.name``."""


@dataclass(slots=True, eq=False)
class Block:
    """A list of operations with their arguments."""

    arguments: tuple[Value, ...] = ()
    operations: list[Operation] = field(default_factory=list)
    label: str = ""


@dataclass(slots=True, eq=False)
class Operation:
    """One operation: its name with the dialect, operands, results, attributes, regions.

    Properties (``<{…}>``) and discardable attributes are one mapping. What a custom assembly
    says in its own words is put under the names that the generic form uses, where the operation
    is known (``func.func``: ``sym_name``, ``function_type``; StableHLO's pretty forms:
    ``dot_dimension_numbers`` and so on); otherwise ``is_opaque`` is set and ``text`` has it all.
    """

    name: str
    operands: tuple[Value, ...] = ()
    results: tuple[Value, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    regions: tuple[tuple[Block, ...], ...] = ()
    successors: tuple[str, ...] = ()
    location: Location | None = None
    text: str = ""
    """The operation as written, without its regions."""
    line: int = 0
    """Line in the file, from 1."""
    column: int = 0
    is_opaque: bool = False

    @property
    def dialect(self) -> str:
        return self.name.partition(".")[0]

    @property
    def symbol(self) -> str | None:
        """The name by which the operation is called, such as a function's; None without one."""
        name = self.attributes.get("sym_name")
        return name.value if name is not None and isinstance(name.value, str) else None

    def blocks(self) -> Iterator[Block]:
        for region in self.regions:
            yield from region

    def walk(self) -> Iterator[Operation]:
        """This operation and all inside it, in the order of the file; without recursion."""
        waiting = [self]
        while waiting:
            operation = waiting.pop()
            yield operation
            inner = [o for block in operation.blocks() for o in block.operations]
            waiting.extend(reversed(inner))


@dataclass(frozen=True, slots=True, eq=False)
class MlirFile:
    """A file's modules: those split by ``// -----``, each with what it holds.

    Operations outside any ``module`` stand in an implicit ``builtin.module``, as in MLIR.
    """

    modules: tuple[Operation, ...]
    path: Path | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Attribute and type aliases, resolved: ``#dram`` → ``#ttnn.buffer_type<dram>``."""
    notes: tuple[str, ...] = ()
    """What the reader passed over or could not resolve, in sentences with line numbers."""
