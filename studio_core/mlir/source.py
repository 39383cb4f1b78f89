"""A text of MLIR made ready for reading: comments gone, strings masked, brackets paired.

All positions stay those of the file, so that every error names its line and column. One pass
pairs the brackets; afterwards whatever stands in brackets is skipped in one step, and nothing
in this package needs recursion to find where a thing ends.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property

from studio_core.errors import MlirSyntaxError
from studio_core.limits import DEFAULT_LIMITS, Limits, beyond

STRING = r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"'
_SPECIAL = re.compile(rf'{STRING}|//[^\n]*|->|[<>]=|"')
_BRACKET = re.compile(r"[()\[\]{}<>]")
_LONG_WORD = re.compile(r"(?<![\w$.\"-])[\w$.-]{1024,}+")
_BLANK = re.compile(r"\s*+")
_METADATA = re.compile(r"\{-#.*?#-\}", re.DOTALL)
_OPENING = {")": "(", "]": "[", "}": "{"}

_END = "\0"  # so that one may always look at the next character of the mask
ARROW = "→"
"""How ``->`` stands in `Source.mask` (followed by a space), so that it closes no bracket."""


class Source:
    """``text`` without comments, and ``mask``, the same with strings and arrows made harmless.

    ``first_line`` is the line of the file in which the text begins. Raises `MlirSyntaxError`
    for a string or a bracket that is not closed, and for deeper nesting or longer names than the
    ``limits`` allow.
    """

    def __init__(self, written: str, first_line: int = 1, limits: Limits = DEFAULT_LIMITS) -> None:
        self._written = written
        self.limits = limits
        self.first_line = first_line
        self.text, mask = _masked(self, written)
        self.mask = mask + _END
        self._check_names()
        self.metadata = self._take_metadata()
        self.pairs = _paired(self)

    def _check_names(self) -> None:
        """Refuse an endless name of a value, symbol or alias; those in strings come later."""
        most = self.limits.max_name_bytes
        for found in _LONG_WORD.finditer(self.mask):
            if found.end() - found.start() > most:
                what = f"The name that begins with '{found.group()[:40]}…' is too long"
                raise self.error(found.start(), beyond(what, "max_name_bytes", most))

    def _take_metadata(self) -> list[str]:
        """The sections ``{-# … #-}``, which are taken out of the text."""
        if "{-#" not in self.mask:
            return []
        spans = [m.span() for m in _METADATA.finditer(self.mask)]
        found = [self.text[start + 3 : end - 3] for start, end in spans]
        self.blank_all(spans)
        return found

    def blank_all(self, spans: list[tuple[int, int]]) -> None:
        """Take out what is read already, in order; positions stay as they are."""
        self.text = _blanked(self.text, spans)
        self.mask = _blanked(self.mask, spans)

    def after_blanks(self, position: int) -> int:
        found = _BLANK.match(self.mask, position)
        return found.end() if found else position

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(m.end() for m in re.finditer("\n", self._written))]

    def place(self, position: int) -> tuple[int, int]:
        """Line and column in the file, both from 1."""
        line = bisect_right(self._line_starts, position)
        return line + self.first_line - 1, position - self._line_starts[line - 1] + 1

    def error(self, position: int, message: str) -> MlirSyntaxError:
        line, column = self.place(min(position, len(self._written)))
        return MlirSyntaxError(f"Line {line}, column {column}: {message}", line, column)


def _spaces(text: str) -> str:
    """As long as ``text``, with its line ends."""
    if "\n" not in text:
        return " " * len(text)
    return "\n".join(" " * len(line) for line in text.split("\n"))


def _blanked(text: str, spans: list[tuple[int, int]]) -> str:
    pieces: list[str] = []
    done = 0
    for start, end in spans:
        pieces += (text[done:start], _spaces(text[start:end]))
        done = end
    return "".join(pieces) + text[done:]


def _masked(source: Source, written: str) -> tuple[str, str]:
    text: list[str] = []
    mask: list[str] = []
    done = 0
    for found in _SPECIAL.finditer(written):
        start, end = found.span()
        between = written[done:start]
        token = found.group()
        kept, hidden = token, "  "
        if token == '"':
            raise source.error(start, "This string is not closed on its line; add a '\"'.")
        if token == "->":
            hidden = ARROW + " "
        elif token[0] == '"':
            hidden = '"' + "_" * (len(token) - 2) + '"'
        elif token[0] == "/":
            kept = hidden = " " * len(token)
        text += (between, kept)
        mask += (between, hidden)
        done = end
    rest = written[done:]
    return "".join(text) + rest, "".join(mask) + rest


def _paired(source: Source) -> dict[int, int]:
    """The closing position of every opening bracket; a lone ``<`` or ``>`` is no bracket."""
    mask = source.mask
    most = source.limits.max_mlir_nesting
    pairs: dict[int, int] = {}
    open_at: list[int] = []
    for found in _BRACKET.finditer(mask):
        position, bracket = found.start(), found.group()
        if bracket in "([{<":
            if len(open_at) >= most:
                what = "Brackets are nested too deep"
                raise source.error(position, beyond(what, "max_mlir_nesting", most))
            open_at.append(position)
        elif bracket == ">":
            if open_at and mask[open_at[-1]] == "<":
                pairs[open_at.pop()] = position
        else:
            _close(source, open_at, position, pairs)
    while open_at and mask[open_at[-1]] == "<":
        open_at.pop()
    if open_at:
        raise source.error(
            open_at[-1], f"This '{mask[open_at[-1]]}' is never closed; is the file complete?"
        )
    return pairs


def _close(source: Source, open_at: list[int], position: int, pairs: dict[int, int]) -> None:
    mask = source.mask
    bracket = mask[position]
    while open_at and mask[open_at[-1]] == "<":
        open_at.pop()
    if not open_at:
        raise source.error(position, f"This '{bracket}' closes nothing; take it out.")
    opened = open_at.pop()
    if mask[opened] != _OPENING[bracket]:
        line, column = source.place(opened)
        raise source.error(
            position,
            f"'{bracket}' stands where the '{mask[opened]}' of line {line}, column {column} "
            "should be closed.",
        )
    pairs[opened] = position
