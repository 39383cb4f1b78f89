"""Names of models as text that hides nothing: long ones cut, invisible characters told."""

from __future__ import annotations

import unicodedata

MOST_CHARACTERS = 300

# Control and format characters (right-to-left overrides among them), line ends, surrogates.
_HIDDEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs", "Co"})


def visible(text: str, most: int = MOST_CHARACTERS) -> str:
    r"""``text`` in one line, each character that cannot be seen written as ``\u202e``."""
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    if cut.isascii() and cut.isprintable():
        return cut
    return "".join(_escaped(c) if unicodedata.category(c) in _HIDDEN else c for c in cut)


def visible_lines(text: str) -> str:
    """As `visible`, line by line and uncut."""
    return "\n".join(visible(line, len(line) + 1) for line in text.split("\n"))


def shortened(text: str, most: int) -> str:
    """``text`` with its middle left out: beginnings and ends are what tells names apart."""
    seen = visible(text, 4 * MOST_CHARACTERS)
    if len(seen) <= most:
        return seen
    head = (most - 1) // 2
    return f"{seen[:head]}…{seen[head + 1 - most :]}"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
