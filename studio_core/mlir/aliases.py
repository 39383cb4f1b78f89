"""Aliases of attributes, types and locations, put in where they are used.

An alias may be defined after its use and may use others. What an expansion may grow to is
bounded, since twenty short lines can otherwise stand for gigabytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from studio_core.limits import DEFAULT_LIMITS, Limits
from studio_core.mlir.source import STRING

_MOST_TEXTS_IN_ALL = 64
"""How many of the longest texts all expansions of a file may come to."""

_USE = re.compile(rf"{STRING}|([#!])([A-Za-z_$][\w$]*+)(?![.\w$])")


class TooLargeError(ValueError):
    """An alias stands for more text than is allowed."""


@dataclass(frozen=True, slots=True)
class Definition:
    """``#name = body``: the body as written, and where the definition begins."""

    body: str
    position: int


class Aliases:
    """The aliases of one split of a file; names with their ``#`` or ``!``."""

    def __init__(
        self, definitions: Mapping[str, Definition], limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self.definitions = definitions
        self._expanded: dict[str, str] = {}
        self._most = limits.max_alias_characters
        self._left = _MOST_TEXTS_IN_ALL * self._most
        self.unresolved: list[str] = []
        self.circular: list[str] = []

    def expand(self, text: str) -> str:
        """``text`` with every alias put in; raises `TooLargeError`.

        A name that is not defined stays as it is and is noted in ``unresolved``.
        """
        if "#" not in text and "!" not in text:
            return text
        for name in self._uses(text):
            self._resolve(name)
        return self._put_in(text)

    def resolved(self, name: str) -> str:
        self._resolve(name)
        return self._expanded[name]

    def _uses(self, text: str) -> list[str]:
        names = [m.group() for m in _USE.finditer(text) if m.group(1)]
        return [name for name in names if name in self.definitions]

    def _resolve(self, name: str) -> None:
        """Expand ``name`` after those that it uses, with a stack of our own."""
        waiting, under_way = [name], set[str]()
        while waiting:
            current = waiting[-1]
            if current in self._expanded:
                waiting.pop()
                continue
            body = self.definitions[current].body
            missing = [u for u in self._uses(body) if u not in self._expanded]
            if current in under_way:
                if missing:
                    self.circular.append(current)
                self._expanded[current] = body if missing else self._put_in(body)
                waiting.pop()
                continue
            under_way.add(current)
            waiting.extend(u for u in missing if u not in under_way)

    def _put_in(self, text: str) -> str:
        # Counted before the text is built: only sizes of strings that exist are added up.
        pieces: list[str] = []
        size = done = 0
        for found in _USE.finditer(text):
            if not found.group(1):
                continue
            replacement = self._replacement(found, text)
            if replacement is None:
                continue
            pieces += (text[done : found.start()], replacement)
            size += len(replacement)
            done = found.end()
            if size > min(self._most, self._left):
                raise TooLargeError
        if not pieces:
            return text
        self._left -= size
        return "".join(pieces) + text[done:]

    def _replacement(self, found: re.Match[str], text: str) -> str | None:
        name = found.group()
        known = self._expanded.get(name)
        if known is not None:
            # One `loc(…)` outside is how MLIR writes a location that holds others.
            both = known.startswith("loc(") and text.startswith("loc(")
            return known[4:-1] if both else known
        # `#ttnn<…>` is an attribute of the dialect ttnn, no alias.
        if text[found.end() : found.end() + 1] != "<" and name not in self.definitions:
            self.unresolved.append(name)
        return None
