"""Operations, blocks and regions of one split of a file, read with a stack of our own."""

from __future__ import annotations

import re
from dataclasses import dataclass

from studio_core.mlir.assembly import Assembly
from studio_core.mlir.context import ArgumentText, Context
from studio_core.mlir.custom import read_custom
from studio_core.mlir.generic import read_generic
from studio_core.mlir.records import Block, Operation, Type, Value
from studio_core.mlir.scopes import Scope, Uses, resolve
from studio_core.mlir.statements import BARE, RESULTS, statement
from studio_core.mlir.types import split

_RESULTS = re.compile(RESULTS)
_RESULT = re.compile(r"(%[\w$.-]++)(?:\s*:\s*(\d++))?+")
_WORD = re.compile(r"[A-Za-z_][\w$]*+(?:(?:\.|::)[\w$]++)*+")
_LABEL = re.compile(r"\^[\w$.-]++")
_BARE = frozenset(BARE.split("|"))
_OF_BUILTIN = frozenset(("module", "unrealized_conversion_cast"))
_OF_CF = frozenset(("br", "cond_br"))

MOST_RESULTS = 10_000
"""Of one operation; ``%0:4000000000`` is short to write."""


@dataclass(slots=True)
class _Work:
    """A region still to be read, and the operation whose region of that number it is."""

    position: int
    limit: int
    scope: Scope
    arguments: tuple[Value, ...] = ()
    owner: Operation | None = None
    number: int = 0


class OperationReader:
    """Reads all operations of one split; `read` is called once."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.source = context.source
        self._uses: list[Uses] = []
        self._waiting: list[_Work] = []
        self._count = 0

    def read(self) -> list[Operation]:
        """The operations at the outermost level, with everything inside them."""
        top = self._region(_Work(0, len(self.source.text), Scope()))
        while self._waiting:
            work = self._waiting.pop()
            blocks = self._region(work)
            if work.owner is not None:
                regions = list(work.owner.regions)
                regions[work.number] = tuple(blocks)
                work.owner.regions = tuple(regions)
        resolve(self._uses, self.source, self.context.notes)
        return [operation for block in top for operation in block.operations]

    # -- blocks

    def _region(self, work: _Work) -> list[Block]:
        source = self.source
        block = Block(work.arguments)
        blocks = [block]
        position = source.after_blanks(work.position)
        inner: list[_Work] = []
        while position < work.limit:
            if source.mask[position] == "^":
                is_first = len(blocks) == 1 and not block.operations
                if is_first and not block.label:
                    blocks.clear()
                block, position = self._label(position, work)
                blocks.append(block)
            else:
                operation, position = self._operation(position, work, inner)
                self._check(operation)
                block.operations.append(operation)
            position = source.after_blanks(position)
        self._waiting.extend(reversed(inner))
        if work.owner is not None and "arg_attrs" in work.owner.attributes:
            self._argument_attributes(blocks[0], work.owner.attributes["arg_attrs"].text)
        return blocks

    def _check(self, operation: Operation) -> None:
        limits = self.source.limits
        self._count += 1
        limits.check("max_nodes", self._count, f"It has {self._count:,} operations or more")
        names = operation.location.names if operation.location is not None else ()
        limits.check_names((operation.name, operation.symbol or "", *names))

    def _argument_attributes(self, block: Block, text: str) -> None:
        """What the generic form says of a function's arguments in one list."""
        for argument, dictionary in zip(block.arguments, split(text[1:-1]), strict=False):
            if not argument.attributes:
                argument.attributes = self.context.dictionary(dictionary)

    def _label(self, position: int, work: _Work) -> tuple[Block, int]:
        """``^name(%a: T, …):``"""
        source = self.source
        found = _LABEL.match(source.mask, position)
        if found is None:
            raise source.error(position, "A block's name must follow this '^'.")
        position = source.after_blanks(found.end())
        arguments: tuple[Value, ...] = ()
        if source.mask[position : position + 1] == "(":
            end = source.pairs[position]
            texts = self.context.arguments(position + 1, end)
            arguments = self._define_arguments(texts, work.scope)
            position = source.after_blanks(end + 1)
        if source.mask[position : position + 1] != ":":
            raise source.error(position, f"A ':' must follow the block's label {found.group()}.")
        return Block(arguments, label=found.group()), position + 1

    def _define_arguments(self, texts: list[ArgumentText], scope: Scope) -> tuple[Value, ...]:
        arguments = tuple(
            Value(t.name or f"%arg{i}", t.type, i, None, t.location, t.attributes)
            for i, t in enumerate(texts)
        )
        scope.names.update((a.name, a) for a in arguments)
        return arguments

    # -- operations

    def _operation(self, start: int, work: _Work, inner: list[_Work]) -> tuple[Operation, int]:
        """The operation at ``start`` and where it ends; its regions go to ``inner``."""
        source = self.source
        results: list[tuple[str, int]] = []
        found = _RESULTS.match(source.mask, start, work.limit)
        position = start
        if found is not None:
            pairs = _RESULT.findall(found.group())
            results = [(name, _count(count)) for name, count in pairs]
            if sum(count for _, count in results) > MOST_RESULTS:
                raise source.error(start, f"More than {MOST_RESULTS:,} results of one operation.")
            position = source.after_blanks(found.end())
        if source.mask[position : position + 1] == '"':
            count = sum(count for _, count in results)
            assembly = read_generic(self.context, position, work.limit, count)
        else:
            assembly = self._custom(position, work.limit, results)
        return self._finish(assembly, start, results, work, inner)

    def _custom(self, position: int, limit: int, results: list[tuple[str, int]]) -> Assembly:
        source = self.source
        word = _WORD.match(source.mask, position, limit)
        if word is None or not (results or "." in word.group() or word.group() in _BARE):
            raise source.error(position, self._not_an_operation(position, limit))
        name = _full_name(word.group())
        extent = statement(source, word.end(), limit)
        end = word.end() + len(source.mask[word.end() : extent.end].rstrip())
        count = sum(c for _, c in results)
        assembly = Assembly(self.context, name, extent, word.end(), end, count)
        self._take_location(assembly)
        read_custom(assembly)
        return assembly

    def _not_an_operation(self, position: int, limit: int) -> str:
        shown = self.source.text[position : min(position + 20, limit)].split("\n")[0].strip()
        return (
            f"An operation must begin here, not '{shown}'. Write one such as "
            "'%0 = \"dialect.name\"(%a) : (T) -> T', or check the line before."
        )

    def _take_location(self, a: Assembly) -> None:
        """Take a trailing ``loc(…)`` off the assembly."""
        groups = a.statement.groups
        if not groups:
            return
        opens, closes = groups[-1]
        if closes != a.end - 1 or self.source.mask[opens] != "(":
            return
        head = self.source.mask[a.start : opens].rstrip()
        if head.endswith("loc") and not head[-4:-3].strip(' \t\n})]>"'):
            a.location_start = a.start + len(head) - 3
            a.full_end = a.end
            a.end = a.start + len(head[:-3].rstrip())
            groups.pop()

    # -- putting it together

    def _finish(
        self,
        a: Assembly,
        start: int,
        results: list[tuple[str, int]],
        work: _Work,
        inner: list[_Work],
    ) -> tuple[Operation, int]:
        line, column = self.source.place(start)
        end = a.full_end or a.end
        operation = Operation(
            a.name,
            attributes=a.attributes,
            successors=tuple(a.successors),
            text=self._text(a, start, end),
            line=line,
            column=column,
            is_opaque=a.is_opaque,
        )
        if a.location_start:
            operation.location = self.context.locations.get(
                self.source.text[a.location_start : end]
            )
        self._define_results(operation, a, start, results, work.scope)
        self._add_regions(operation, a, work, inner)
        if a.operands:
            body = inner[-len(a.regions)].scope if a.regions and a.is_opaque else None
            self._uses.append(Uses(operation, start, work.scope, a.operands, a.operand_types, body))
        return operation, end

    def _text(self, a: Assembly, start: int, end: int) -> str:
        """The operation as written, its regions left out."""
        pieces: list[str] = []
        for region in a.regions:
            pieces.append(self.source.text[start : region.opens + 1] + "…")
            start = region.closes
        return "".join(pieces) + self.source.text[start:end]

    def _define_results(
        self,
        operation: Operation,
        a: Assembly,
        start: int,
        named: list[tuple[str, int]],
        scope: Scope,
    ) -> None:
        types = list(a.result_types)
        names = [n for name, count in named for n in _names(name, count)]
        if not names:
            names = [""] * len(types) if a.is_generic or a.statement.arrows else []
        types += [Type("")] * (len(names) - len(types))
        values = tuple(
            Value(name, kind, i, operation)
            for i, (name, kind) in enumerate(zip(names, types, strict=False))
        )
        for value in values:
            if value.name in scope.names:
                raise self.source.error(
                    start, f"{value.name} is defined a second time; give each value its own name."
                )
            if value.name:
                scope.names[value.name] = value
        operation.results = values

    def _add_regions(
        self, operation: Operation, a: Assembly, work: _Work, inner: list[_Work]
    ) -> None:
        operation.regions = ((),) * len(a.regions)
        for number, region in enumerate(a.regions):
            scope = Scope(work.scope, work.scope.is_certain and not a.is_opaque)
            arguments = self._define_arguments(region.arguments, scope)
            inner.append(
                _Work(region.opens + 1, region.closes, scope, arguments, operation, number)
            )


def _count(digits: str) -> int:
    return int(digits) if digits and len(digits) < 9 else (MOST_RESULTS + 1 if digits else 1)


def _names(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}#{i}" for i in range(count)]


def _full_name(word: str) -> str:
    if "." in word:
        return word
    if word in _OF_BUILTIN:
        return f"builtin.{word}"
    return f"cf.{word}" if word in _OF_CF else f"func.{word}"
