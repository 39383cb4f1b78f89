"""One operation being read: what a dialect's reader fills in, and the helpers it does so with.

A reader of a custom assembly (`custom`, `custom_stablehlo`, …) gets an `Assembly` whose text
stands between ``start`` and ``end`` and puts down operands, attributes, result types and
regions. `harvest` does so for operations nobody knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from studio_core.mlir.context import ArgumentText, Context
from studio_core.mlir.records import Attribute, OpaqueValue, Type
from studio_core.mlir.statements import Statement, last_word_end
from studio_core.mlir.strings import unescaped

USE = re.compile(r"%[\w$.-]++(?:#\d++)?")
_PLAIN_VALUE = re.compile(r'"[^"\n]*"|-?[#@!]?[\w$.+-]*+')
_TO = re.compile(r"\s*+(?:to|into|as)\b\s*+")
SYMBOL = re.compile(r"@(?:\"[^\"\n]*\"|[\w$.-]++)")
_LONE_TO = re.compile(r"\s*+to\b\s*+")
_PRIVATE = re.compile(r"\b(private|nested|public)\b")


@dataclass(slots=True)
class RegionText:
    """A region by the positions of its braces, with the arguments its operation gives it."""

    opens: int
    closes: int
    arguments: list[ArgumentText] = field(default_factory=list)


@dataclass(slots=True)
class Assembly:
    """The words of an operation after its name, and what has been read of them."""

    context: Context
    name: str
    statement: Statement
    start: int
    end: int
    num_results: int
    operands: list[str] = field(default_factory=list)
    operand_types: Sequence[Type] = ()
    result_types: Sequence[Type] = ()
    attributes: dict[str, Attribute] = field(default_factory=dict)
    regions: list[RegionText] = field(default_factory=list)
    successors: list[str] = field(default_factory=list)
    is_opaque: bool = False
    is_generic: bool = False
    location_start: int = 0
    """Where a trailing ``loc(…)`` begins; 0 where there is none."""
    full_end: int = 0
    """The end with the location."""
    _openings: dict[int, int] | None = None

    @property
    def mask(self) -> str:
        return self.context.source.mask

    @property
    def text(self) -> str:
        return self.context.source.text

    def groups(self, opening: str) -> list[tuple[int, int]]:
        """The outermost brackets that open with ``opening``, in order."""
        inside = [g for g in self.statement.groups if g[1] < self.end]
        return [g for g in inside if self.mask[g[0]] == opening]

    def before(self, position: int) -> str:
        """The last character before ``position`` that is no blank."""
        return self.mask[last_word_end(self.mask, self.start, position) - 1]

    def word_before(self, position: int) -> str:
        end = start = last_word_end(self.mask, self.start, position)
        while start > self.start and (
            self.mask[start - 1].isalnum() or self.mask[start - 1] in "_."
        ):
            start -= 1
        return self.mask[start:end]

    def parenthesis_before(self, position: int) -> tuple[int, int] | None:
        """The outermost parenthesis that closes right before ``position``."""
        end = last_word_end(self.mask, self.start, position) - 1
        if end < self.start or self.mask[end] != ")":
            return None
        if self._openings is None:
            self._openings = {c: o for o, c in self.statement.groups}
        return (self._openings[end], end) if end in self._openings else None

    def gaps(self, brackets: str = "([{<") -> Iterator[tuple[int, int]]:
        """What stands outside of the outermost ``brackets``, as pairs of positions."""
        position = self.start
        for opens, closes in self.statement.groups:
            if self.mask[opens] in brackets and closes < self.end:
                yield position, opens
                position = closes + 1
        yield position, self.end

    def uses(self, start: int, end: int) -> list[str]:
        """The names of values between two positions."""
        return USE.findall(self.mask, start, end)

    # -- attributes

    def put(self, name: str, text: str) -> None:
        self.attributes[name] = self.context.attribute(text)

    def put_value(self, name: str, attribute: Attribute) -> None:
        self.attributes[name] = attribute

    def put_dictionary(self, opens: int, closes: int) -> None:
        self.attributes.update(self.context.dictionary(self.text[opens : closes + 1]))

    def symbol(self) -> re.Match[str] | None:
        """The first ``@name`` outside of brackets."""
        found = (SYMBOL.search(self.mask, *gap) for gap in self.gaps())
        return next((symbol for symbol in found if symbol), None)

    def put_symbol(self) -> None:
        """``sym_name`` (and ``sym_visibility``) from the first ``@name``."""
        found = self.symbol()
        if found is None:
            return
        name = self.text[found.start() + 1 : found.end()]
        name = unescaped(name) if name.startswith('"') else name
        self.attributes["sym_name"] = Attribute(name, f'"{name}"')
        visibility = _PRIVATE.search(self.mask, self.start, found.start())
        if visibility:
            word = visibility.group(1)
            self.attributes["sym_visibility"] = Attribute(word, f'"{word}"')

    def put_reference(self, name: str) -> None:
        """The first ``@symbol`` as a reference under ``name``."""
        found = self.symbol()
        if found is not None:
            end = found.end()
            while more := re.compile(r"\s*::\s*" + SYMBOL.pattern).match(self.mask, end):
                end = more.end()
            self.put(name, self.text[found.start() : end])

    # -- types

    def types_at(self, position: int) -> tuple[list[Type], int]:
        return self.context.types_at(position, self.end)

    def value_end(self, position: int) -> int:
        """Where the value of a ``name = value`` outside of brackets ends, its type left out."""
        pairs = self.context.source.pairs
        found = _PLAIN_VALUE.match(self.mask, position, self.end)
        end = found.end() if found else position
        if end in pairs and self.mask[end] in "<[({" and (end == position or self.mask[end] == "<"):
            end = pairs[end] + 1
        return min(end, self.end)

    def result_list(self, position: int) -> tuple[Sequence[Type], int]:
        """The types after an arrow: one, or several in parentheses."""
        position = self.context.source.after_blanks(position)
        if self.mask[position : position + 1] == "(":
            end = self.context.source.pairs[position]
            return self.context.types(self.text[position + 1 : end]), end + 1
        types, end = self.types_at(position)
        return types, end

    def read_types(self) -> None:
        """Operand and result types from what follows the last colon or arrow."""
        arrows = [a for a in self.statement.arrows if a < self.end]
        colons = [c for c in self.statement.colons if c < self.end]
        if arrows:
            self.result_types, _ = self.result_list(arrows[-1] + 2)
            before = [c for c in colons if c < arrows[-1]]
            if before:
                self.operand_types = self._parenthesised(before[-1] + 1)
        elif colons:
            self._after_colon(colons[-1] + 1)
        elif (to := _LONE_TO.match(self.mask, self.start, self.end)) is not None:
            self.result_types, _ = self.types_at(to.end())

    def read_signature(self) -> None:
        """Types from what follows the first colon: a reducer's region has colons of its own."""
        colon = next((c for c in self.statement.colons if c < self.end), None)
        if colon is None:
            return
        self.operand_types = self._parenthesised(colon + 1)
        arrow = next((p for p in self.statement.arrows if colon < p < self.end), None)
        if arrow is not None:
            self.result_types, _ = self.result_list(arrow + 2)

    def _parenthesised(self, position: int) -> Sequence[Type]:
        position = self.context.source.after_blanks(position)
        if self.mask[position : position + 1] == "(":
            end = self.context.source.pairs[position]
            return self.context.types(self.text[position + 1 : end])
        return self.types_at(position)[0]

    def _after_colon(self, position: int) -> None:
        types, end = self.types_at(position)
        to = _TO.match(self.mask, end, self.end)
        if to is not None:
            self.operand_types = types
            self.result_types, _ = self.types_at(to.end())
            return
        self.operand_types = types * len(self.operands) if len(types) == 1 else types
        if len(types) == self.num_results:
            self.result_types = types
        elif len(types) == 1:
            self.result_types = types * self.num_results
        elif types and self.num_results == 1:
            self.result_types = types[-1:]


def keyword(text: str) -> Attribute:
    return Attribute(OpaqueValue(text), text)
