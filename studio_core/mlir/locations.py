"""Locations of operations: their text with aliases put in, and the names in it."""

from __future__ import annotations

import re

from studio_core.mlir.aliases import Aliases, TooLargeError
from studio_core.mlir.records import Location
from studio_core.mlir.source import STRING
from studio_core.mlir.strings import unescaped
from studio_core.mlir.types import closing

_PIECE = re.compile(rf"fused\s*<|({STRING})(\s*:\s*\d)?")


class Locations:
    """Makes `Location` records, each text once."""

    def __init__(self, aliases: Aliases) -> None:
        self._aliases = aliases
        self._known: dict[str, Location] = {}
        self.num_too_large = 0

    def get(self, text: str) -> Location:
        """The location that ``text`` (``loc(…)``, aliases not put in) is."""
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self._make(text)
        return known

    def _make(self, text: str) -> Location:
        try:
            whole = self._aliases.expand(text)
        except TooLargeError:
            self.num_too_large += 1
            whole = text
        return Location(whole, _names(whole))


def _names(text: str) -> tuple[str, ...]:
    """The strings that are names: no file before ``:line``, not the metadata of ``fused<…>``."""
    names: list[str] = []
    position = 0
    while (found := _PIECE.search(text, position)) is not None:
        position = found.end()
        if found.group(1) is None:
            position = closing(text, position - 1)
        elif found.group(2) is None:
            names.append(unescaped(found.group(1)))
    return tuple(names)
