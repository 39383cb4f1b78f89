"""Where an operation in a custom assembly ends, and what stands in it at the outermost level.

A custom assembly has no end of its own. But operations are written on lines of their own, so
one ends where a line begins that can only be the next one's; what stands in brackets is no
matter, so a wrapped line is none either, unless it begins as an operation does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from studio_core.mlir.source import ARROW, Source

NAME = r"[A-Za-z_][\w$]*+"
VALUE = r"%[\w$.-]++"
RESULTS = rf"{VALUE}(?:\s*:\s*\d++)?+(?:\s*,\s*{VALUE}(?:\s*:\s*\d++)?+)*+\s*=(?![=])"
BARE = "return|module|func|call|call_indirect|br|cond_br|unrealized_conversion_cast|constant|yield"
"""Operations that are written without their dialect inside a function or a module."""

_START = re.compile(
    rf"{RESULTS}"
    r'|"[^"\n]*"\s*\('
    rf"|{NAME}\.[\w$.]++(?!\s*=)"
    rf"|(?:{BARE})\b(?!\s*=)"
    r"|\^[\w$.-]++\s*[:(]"
    r"|[#!][A-Za-z_$][\w$]*+\s*="
)
_VALUES = re.compile(rf"(?:{VALUE}(?::\d++)?+\s*,\s*)++")
_NEXT = re.compile(
    rf"[(\[{{<}}]|\n|{ARROW}|:(?!:)|::"
    rf"|%[\w$.-]++(?::\d+)?\s*=\s*+(?=\"|{NAME}\.[a-z]|(?:{BARE})\s)"
    r"|\^[\w$.-]++(?=\s*[:(])"
    rf"|(?<=\s)(?:return|{NAME}\.[a-z][\w$.]*+)(?=[\s(])"
)


@dataclass(slots=True)
class Statement:
    """An operation's extent and its outermost brackets, colons and arrows, by position."""

    start: int
    end: int = 0
    groups: list[tuple[int, int]] = field(default_factory=list)
    colons: list[int] = field(default_factory=list)
    arrows: list[int] = field(default_factory=list)


def statement(source: Source, start: int, limit: int) -> Statement:
    """The statement whose words begin at ``start``; ``limit`` is where its region ends."""
    mask, pairs = source.mask, source.pairs
    found = Statement(start)
    position = start
    while (match := _NEXT.search(mask, position, limit)) is not None:
        at, first = match.start(), mask[match.start()]
        position = match.end()
        if first in "([{<":
            if at in pairs:
                found.groups.append((at, pairs[at]))
                position = pairs[at] + 1
        elif first == ":":
            if match.group() == ":":
                found.colons.append(at)
        elif first == ARROW:
            found.arrows.append(at)
        elif _begins_another(source, match, found):
            found.end = at
            return found
        elif first == "\n":
            # In one step past blank lines, and past wrapped names that no `=` follows: looking
            # at each line anew would take quadratic time.
            position = source.after_blanks(at)
            values = _VALUES.match(mask, position, limit)
            position = values.end() if values else position
    found.end = limit
    return found


def _begins_another(source: Source, match: re.Match[str], found: Statement) -> bool:
    mask, at = source.mask, match.start()
    first = mask[at]
    if first == "\n":
        return _START.match(mask, source.after_blanks(at)) is not None
    if first == "^":
        return is_label(source, at)
    if first == "%":
        return at > found.start
    # Words with a dot on the same line: another operation only after the types of this one.
    if not (found.colons or found.arrows):
        return False
    return last_word_end(mask, found.start, at) > max([*found.colons[-1:], *found.arrows[-1:]]) + 1


def last_word_end(mask: str, start: int, position: int) -> int:
    """Past the last character before ``position`` that is no blank; ``start`` if there is none."""
    while position > start and mask[position - 1].isspace():
        position -= 1
    return position


def is_label(source: Source, at: int) -> bool:
    """True if the ``^name`` at ``at`` labels a block, not only names one."""
    position = at + 1
    while position < len(source.mask) and (
        source.mask[position].isalnum() or source.mask[position] in "_$.-"
    ):
        position += 1
    position = source.after_blanks(position)
    if source.mask[position : position + 1] == "(":
        position = source.after_blanks(source.pairs[position] + 1)
    return source.mask[position : position + 1] == ":"
