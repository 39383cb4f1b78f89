"""What the parts of the reader share while one split of a file is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from studio_core.limits import shortened
from studio_core.mlir.aliases import Aliases, TooLargeError
from studio_core.mlir.locations import Locations
from studio_core.mlir.records import Attribute, Location, TensorType, Type
from studio_core.mlir.source import ARROW, Source
from studio_core.mlir.types import parse_type, split
from studio_core.mlir.values import Values

_VALUE = re.compile(r"%[\w$.-]++(?:#\d++)?")
_TYPE_NAME = re.compile(r"[!#]?[\w$.*?]++")
_LOCATION = re.compile(r"loc\s*(?=\()")


@dataclass(slots=True)
class ArgumentText:
    """An argument of a block: name, type, attributes and location as they stand in the file."""

    name: str
    type: Type
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    location: Location | None = None


class Context:
    """Types, attributes and locations by their text, each made once; files repeat themselves."""

    def __init__(self, source: Source, aliases: Aliases, resources: Mapping[str, str]) -> None:
        self.source = source
        self.aliases = aliases
        self.locations = Locations(aliases)
        self.notes: list[str] = []
        self.num_too_large = 0
        self._values = Values(resources)
        self._types: dict[str, Type] = {}
        self._type_lists: dict[str, tuple[Type, ...]] = {}
        self._attributes: dict[str, Attribute] = {}
        self._dictionaries: dict[str, Mapping[str, Attribute]] = {}

    def expand(self, text: str) -> str:
        """``text`` with its aliases put in; as written where that would be too much text."""
        try:
            return self.aliases.expand(text)
        except TooLargeError:
            self.num_too_large += 1
            return text

    def type(self, text: str) -> Type:
        found = self._types.get(text)
        if found is None:
            found = self._types[text] = parse_type(self.expand(text))
            if isinstance(found, TensorType):
                self.source.limits.check_shape(shortened(text), found.shape)
        return found

    def types(self, text: str) -> tuple[Type, ...]:
        """The types in a comma-separated list."""
        found = self._type_lists.get(text)
        if found is None:
            found = self._type_lists[text] = tuple(self.type(part) for part in split(text))
        return found

    def attribute(self, text: str) -> Attribute:
        found = self._attributes.get(text)
        if found is None:
            found = self._attributes[text] = self._values.attribute(self.expand(text))
        return found

    def dictionary(self, text: str) -> Mapping[str, Attribute]:
        """The attributes of ``{…}``."""
        found = self._dictionaries.get(text)
        if found is None:
            found = self._dictionaries[text] = self._values.dictionary(self.expand(text))
        return found

    def type_end(self, position: int, limit: int) -> int:
        """Where the type at ``position`` of the source ends; ``position`` if there is none."""
        mask, pairs = self.source.mask, self.source.pairs
        while mask[position : position + 1] == "(" and position in pairs:
            end = pairs[position] + 1
            arrow = self.source.after_blanks(end)
            if mask[arrow : arrow + 1] != ARROW:
                return end
            position = self.source.after_blanks(arrow + 2)
        found = _TYPE_NAME.match(mask, position, limit)
        if found is None:
            return position
        end = found.end()
        return pairs[end] + 1 if mask[end : end + 1] == "<" and end in pairs else end

    def types_at(self, position: int, limit: int) -> tuple[list[Type], int]:
        """The comma-separated types from ``position`` on, and where they end."""
        types: list[Type] = []
        after = self.source.after_blanks
        position = after(position)
        while (end := self.type_end(position, limit)) > position:
            types.append(self.type(self.source.text[position:end]))
            position = after(end)
            if self.source.mask[position : position + 1] != ",":
                return types, end
            position = after(position + 1)
        return types, position

    def arguments(self, position: int, end: int) -> list[ArgumentText]:
        """``%name: type {attributes} loc(…), …``; the name is empty where only a type stands."""
        found: list[ArgumentText] = []
        position = self.source.after_blanks(position)
        while position < end:
            argument, after = self._argument(position, end)
            if after <= position:
                break
            found.append(argument)
            position = self.source.after_blanks(after)
            if self.source.mask[position] != ",":
                break
            position = self.source.after_blanks(position + 1)
        return found

    def _argument(self, position: int, end: int) -> tuple[ArgumentText, int]:
        mask, text, after = self.source.mask, self.source.text, self.source.after_blanks
        argument = ArgumentText("", self.type(""))
        name = _VALUE.match(mask, position, end)
        if name is not None:
            argument.name = name.group()
            position = after(name.end())
            if mask[position] == ":":
                position = after(position + 1)
        stop = self.type_end(position, end)
        argument.type = self.type(text[position:stop])
        position = after(stop)
        if mask[position] == "{":
            stop = self.source.pairs[position] + 1
            argument.attributes = self.dictionary(text[position:stop])
            position = after(stop)
        location = _LOCATION.match(mask, position, end)
        if location is not None:
            stop = self.source.pairs[location.end()] + 1
            argument.location = self.locations.get(text[position:stop])
        return argument, stop

    def element_of(self, container: Type) -> Type:
        """The element type of a tensor, vector or memref type; one without text otherwise."""
        if isinstance(container, TensorType):
            return self.type(container.element)
        word, bracket, inner = container.text.partition("<")
        if not bracket or word not in ("memref", "vector"):
            return self.type("")
        kind = parse_type(f"tensor<{inner}")
        return self.type(kind.element) if isinstance(kind, TensorType) else self.type("")

    def with_element(self, kind: Type, element: str) -> Type:
        """``kind`` with another element type; of a plain number, that type itself."""
        old = self.element_of(kind).text
        if not old:
            return self.type(element)
        head, _, rest = kind.text.partition("<")
        return self.type(f"{head}<{rest.replace(old, element, 1)}")
