"""The text of a dialect's attribute taken apart: its parts between commas, its key = value.

Brackets of all four kinds and strings are respected, an arrow's ``>`` closes nothing. Every
function passes over its text once, and none recurses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

_CLOSING = {"<": ">", "[": "]", "(": ")", "{": "}"}
# What has to be looked at; everything between is passed over by the regular expression.
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|->|[<>\[\](){},=]')


def split_parts(text: str) -> list[str]:
    """The parts between top-level commas, stripped; an empty text has none."""
    cuts = [at for at, sign in _top_level(text) if sign == ","]
    edges = [-1, *cuts, len(text)]
    parts = [text[a + 1 : b].strip() for a, b in pairwise(edges)]
    return parts if len(parts) > 1 or parts[0] else []


def split_assignment(text: str) -> tuple[str, str]:
    """``key = value`` as a pair; a text without ``=`` at the top level has the key ``""``."""
    for at, sign in _top_level(text):
        if sign == "=":
            return text[:at].strip(), text[at + 1 :].strip()
    return "", text.strip()


def assignments(text: str) -> dict[str, str]:
    """All ``key = value`` of a body such as ``{a = 1, b = <x>}`` without its braces."""
    return {key: value for key, value in map(split_assignment, split_parts(text)) if key}


def inside(text: str, opening: str = "<") -> str | None:
    """What stands between the first ``opening`` bracket and the end, if that closes it.

    ``inside("#ttnn.buffer_type<l1>")`` is ``l1``; None where the brackets do not fit.
    """
    start = text.find(opening)
    end = text.rstrip()
    if start < 0 or not end.endswith(_CLOSING[opening]) or len(end) < start + 2:
        return None
    return end[start + 1 : -1]


def enum_word(text: str) -> str:
    """The word of an enumeration, as in ``#ttnn.buffer_type<l1>``, ``<l1>`` or plain ``l1``.

    Several wrappers (``#a<#b<l1>>``) are taken off too.
    """
    start = text.rfind("<")
    return text[start + 1 :].rstrip("> \t\n") if start >= 0 else text.strip()


def shorten(text: str, most: int = 60) -> str:
    """The text, or its beginning if it is long, for a message."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def dimensions(text: str) -> tuple[int, ...] | None:
    """``8x8`` as (8, 8); None for anything that is not whole numbers joined by x."""
    parts = text.strip().split("x")
    if not all(p.isascii() and p.isdigit() and len(p) <= 19 for p in parts):
        return None
    return tuple(map(int, parts))


def _top_level(text: str) -> Iterator[tuple[int, str]]:
    """Commas and equals signs outside all brackets, with where they stand."""
    open_brackets: list[str] = []
    for match in _TOKENS.finditer(text):
        sign = match.group()
        if sign in _CLOSING:
            open_brackets.append(_CLOSING[sign])
        elif open_brackets and sign == open_brackets[-1]:
            open_brackets.pop()
        elif not open_brackets and sign in ",=":
            yield match.start(), sign
