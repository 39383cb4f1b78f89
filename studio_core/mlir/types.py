"""Types and lists of types from their text: tensors taken apart, all others as written."""

from __future__ import annotations

import re
from collections.abc import Iterator

from studio_core.mlir.records import TensorType, Type
from studio_core.mlir.source import STRING

_DIMENSIONS = re.compile(r"(?:\s*(?:\d{1,18}|\?)\s*x)*+")
_STEP = re.compile(rf"{STRING}|->|[<>]=|[()\[\]{{}}<>,]")
_NAME = re.compile(r"[!#]?[\w$.*?-]+")
_BLANK = re.compile(r"\s*+")


def split(text: str) -> list[str]:
    """The parts of ``text`` between the commas that stand in no bracket, without blanks around."""
    parts: list[str] = []
    depth = start = 0
    for found in _STEP.finditer(text):
        token = found.group()
        if token in ("(", "[", "{", "<"):
            depth += 1
        elif token in (")", "]", "}", ">"):
            depth -= 1
        elif token == "," and depth == 0:
            parts.append(text[start : found.start()].strip())
            start = found.end()
    last = text[start:].strip()
    return [*parts, last] if last or parts else []


def closing(text: str, position: int) -> int:
    """Where the bracket that opens at ``position`` is closed; the end of the text if nowhere."""
    depth = 0
    for found in _STEP.finditer(text, position):
        token = found.group()
        if token in ("(", "[", "{", "<"):
            depth += 1
        elif token in (")", "]", "}", ">"):
            depth -= 1
            if depth == 0:
                return found.start()
    return len(text)


def type_end(text: str, position: int) -> int:
    """Where the type that begins at ``position`` ends; ``position`` itself if there is none."""
    while text[position : position + 1] == "(":
        end = min(closing(text, position) + 1, len(text))
        arrow = _skip(text, end)
        if not text.startswith("->", arrow):
            return end
        position = _skip(text, arrow + 2)
    found = _NAME.match(text, position)
    if found is None:
        return position
    end = found.end()
    return min(closing(text, end) + 1, len(text)) if text[end : end + 1] == "<" else end


def _skip(text: str, position: int) -> int:
    found = _BLANK.match(text, position)
    return found.end() if found else position


def parse_type(text: str) -> Type:
    """The type that ``text`` (aliases put in already) is."""
    text = text.strip()
    if not text.startswith("tensor<") or not text.endswith(">"):
        return Type(text)
    return _tensor(text, text[len("tensor<") : -1])


def _tensor(text: str, inner: str) -> Type:
    parts = split(inner)
    if not parts:
        return Type(text)
    encoding = ", ".join(parts[1:]) or None
    if parts[0].startswith("*"):
        return TensorType(text, None, parts[0].lstrip("*").strip().removeprefix("x"), encoding)
    found = _DIMENSIONS.match(parts[0])
    end = found.end() if found else 0
    shape = tuple(_dimensions(parts[0][:end]))
    return TensorType(text, shape, parts[0][end:].strip(), encoding)


def _dimensions(text: str) -> Iterator[int | None]:
    for part in text.split("x")[:-1]:
        yield None if part.strip() == "?" else int(part)
