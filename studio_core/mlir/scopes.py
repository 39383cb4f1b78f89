"""Names of values and what they stand for, resolved once the whole file is read.

A name may be used before it is defined (in a graph region, or after a branch), so uses wait
until the end. Inside a region the names of the regions around it hold too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from studio_core.mlir.records import Block, Operation, Type, Value
from studio_core.mlir.source import Source


@dataclass(slots=True, eq=False)
class Scope:
    """The names of one region. ``is_certain`` is False where we may have misread what defines
    them: inside an operation whose assembly we do not know."""

    parent: Scope | None = None
    is_certain: bool = True
    names: dict[str, Value] = field(default_factory=dict)

    def find(self, name: str) -> Value | None:
        """The value called ``name``; ``%0`` and ``%0#0`` both name a first result."""
        other = name.removesuffix("#0") if name.endswith("#0") else f"{name}#0"
        scope: Scope | None = self
        while scope is not None:
            value = scope.names.get(name) or scope.names.get(other)
            if value is not None:
                return value
            scope = scope.parent
        return None


@dataclass(slots=True, eq=False)
class Uses:
    """The operands of ``operation`` by name, with the types its text gives them, if any.

    ``body`` is the scope of its first region, whose arguments those names become that nobody
    defines: so loops of unknown dialects bind their counters.
    """

    operation: Operation
    position: int
    scope: Scope
    names: Sequence[str]
    types: Sequence[Type] = ()
    body: Scope | None = None


def resolve(uses: Sequence[Uses], source: Source, notes: list[str]) -> None:
    """Give every operation its operands; an undefined name is an error or, in doubt, a note."""
    for use in uses:
        types = use.types if len(use.types) == len(use.names) else ()
        found: list[Value] = []
        for number, name in enumerate(use.names):
            value = use.scope.find(name)
            kind = types[number] if types else None
            if value is None:
                value = _undefined(use, name, kind, source, notes)
            elif kind is not None and not value.type.text:
                value.type = kind
            if value is not None:
                found.append(value)
        use.operation.operands = tuple(found)


def _undefined(
    use: Uses, name: str, kind: Type | None, source: Source, notes: list[str]
) -> Value | None:
    operation = use.operation
    if use.body is not None and operation.regions and operation.regions[0]:
        _bind(operation.regions[0][0], use.body, name, kind)
        return None
    if use.scope.is_certain and not operation.is_opaque:
        raise source.error(
            use.position,
            f"'{operation.name}' uses {name}, which nothing here defines. Check the name, and "
            "that the file is complete.",
        )
    line, column = source.place(use.position)
    notes.append(f"Line {line}, column {column}: '{operation.name}' uses {name}, not defined here.")
    return Value(name, kind or Type(""), 0)


def _bind(block: Block, scope: Scope, name: str, kind: Type | None) -> None:
    argument = Value(name, kind or Type(""), len(block.arguments))
    block.arguments = (*block.arguments, argument)
    scope.names[name] = argument
