"""Strings of MLIR: the escapes ``\\n``, ``\\t``, ``\\"``, ``\\\\`` and two hexadecimal digits."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"((?:\\[0-9A-Fa-f]{2})+)|\\(.)")
_PLAIN = {"n": "\n", "t": "\t"}


def unescaped(literal: str) -> str:
    """What the literal, with its quotes, stands for; bytes that are no UTF-8 are replaced."""
    inner = literal[1:-1]
    return _ESCAPE.sub(_meant, inner) if "\\" in inner else inner


def _meant(found: re.Match[str]) -> str:
    if found.group(1):
        return bytes.fromhex(found.group(1).replace("\\", "")).decode("utf-8", "replace")
    return _PLAIN.get(found.group(2), found.group(2))
