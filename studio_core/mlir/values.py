"""Values of attributes from their text (aliases put in already): numbers, lists, constants …

What is not understood becomes an `OpaqueValue` with its text, never an error. Lists and
dictionaries are taken apart `MOST_DEPTH` deep; what lies deeper stays text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np

from studio_core.mlir.dense import dense_array, dtype_of, float_of_bits, resource_array
from studio_core.mlir.records import (
    Attribute,
    AttributeValue,
    DenseArray,
    DenseElements,
    OpaqueValue,
    SymbolRef,
    TensorType,
)
from studio_core.mlir.source import STRING
from studio_core.mlir.strings import unescaped
from studio_core.mlir.types import closing, parse_type, type_end

MOST_DEPTH = 100

_BLANK = re.compile(r"\s*+")
_STRING = re.compile(STRING)
_KEY = re.compile(rf"({STRING})|[A-Za-z_$][\w$.-]*+")
_NUMBER = re.compile(r"-?(?:0x[0-9A-Fa-f]++|\d++(?:\.\d*+(?:[eE][-+]?\d++)?)?+)(?![\w.])")
_SYMBOL = re.compile(rf"@({STRING}|[\w$.-]+)(?:\s*::\s*@({STRING}|[\w$.-]+))*+")
_SYMBOL_PART = re.compile(rf"@({STRING}|[\w$.-]+)")
_DIALECT = re.compile(r"[#!]([\w$.]+)")
_WORD = re.compile(r"[A-Za-z_$][\w$.-]*+")
_BUILTIN_TYPE = re.compile(
    r"(?:tensor|memref|vector|complex|tuple)(?=<)|(?:none|index|[su]?i\d+|bf16|tf32|f\d\w*)$"
)


class _Unreadable(Exception):  # noqa: N818 - a signal inside this module
    """The text is not what it began as; the caller keeps it whole."""


class Values:
    """Reads attributes of one file; ``resources`` are the blobs at its end."""

    def __init__(self, resources: Mapping[str, str]) -> None:
        self._resources = resources

    def attribute(self, text: str) -> Attribute:
        """The attribute that the whole of ``text`` is."""
        text = text.strip()
        try:
            value, end = self._value(text, 0, 0)
        except _Unreadable:
            return Attribute(opaque(text), text)
        if _skip(text, end) < len(text):
            return Attribute(opaque(text), text)
        return Attribute(value, text)

    def dictionary(self, text: str) -> dict[str, Attribute]:
        """The entries of ``{…}``; a unit attribute is True with no text."""
        text = text.strip()
        entries: dict[str, Attribute] = {}
        for key, start, end, value in self._entries(text, 0, 0):
            entries[key] = Attribute(value, text[start:end])
        return entries

    def _entries(
        self, text: str, position: int, depth: int
    ) -> list[tuple[str, int, int, AttributeValue]]:
        """Key, extent and value of each entry of the dictionary that opens at ``position``."""
        entries: list[tuple[str, int, int, AttributeValue]] = []
        last = closing(text, position)
        position = _skip(text, position + 1)
        while position < last:
            found = _KEY.match(text, position)
            if found is None:
                break
            key = unescaped(found.group()) if found.group(1) else found.group()
            position = _skip(text, found.end())
            if text[position : position + 1] == "=":
                start = _skip(text, position + 1)
                value, end = self._tolerant(text, start, last, depth + 1)
            else:
                start = end = position
                value = True
            entries.append((key, start, end, value))
            position = _skip(text, end)
            if text[position : position + 1] != ",":
                break
            position = _skip(text, position + 1)
        return entries

    def _tolerant(self, text: str, start: int, last: int, depth: int) -> tuple[AttributeValue, int]:
        """A value, or all up to the next comma as text."""
        try:
            value, end = self._value(text, start, depth)
            if end <= last and text[_skip(text, end)] in ",]}>)":
                return value, end
        except (_Unreadable, IndexError):
            pass
        end = _next_comma(text, start, last)
        return opaque(text[start:end].strip()), end

    def _value(self, text: str, position: int, depth: int) -> tuple[AttributeValue, int]:
        first = text[position : position + 1]
        if depth > MOST_DEPTH:
            raise _Unreadable
        if first in _READERS:
            return _READERS[first](self, text, position, depth)
        if first.isdigit() or first == "-":
            return _number(text, position)
        return self._word(text, position)

    def _string(self, text: str, position: int, _depth: int) -> tuple[AttributeValue, int]:
        found = _STRING.match(text, position)
        if found is None:
            raise _Unreadable
        return unescaped(found.group()), _after_type(text, found.end())

    def _list(self, text: str, position: int, depth: int) -> tuple[AttributeValue, int]:
        last = closing(text, position)
        items: list[AttributeValue] = []
        position = _skip(text, position + 1)
        while position < last:
            value, position = self._tolerant(text, position, last, depth + 1)
            items.append(value)
            position = _skip(text, position)
            if text[position : position + 1] == ",":
                position = _skip(text, position + 1)
        return tuple(items), last + 1

    def _nested(self, text: str, position: int, depth: int) -> tuple[AttributeValue, int]:
        entries = self._entries(text, position, depth)
        return {key: value for key, _, _, value in entries}, closing(text, position) + 1

    def _symbol(self, text: str, position: int, _depth: int) -> tuple[AttributeValue, int]:
        found = _SYMBOL.match(text, position)
        if found is None:
            raise _Unreadable
        parts = [m.group(1) for m in _SYMBOL_PART.finditer(found.group())]
        names = (unescaped(p) if p[0] == '"' else p for p in parts)
        return SymbolRef(tuple(names)), found.end()

    def _dialect(self, text: str, position: int, _depth: int) -> tuple[AttributeValue, int]:
        found = _DIALECT.match(text, position)
        if found is None:
            raise _Unreadable
        end = found.end()
        if text[end : end + 1] == "<":
            end = closing(text, end) + 1
        return opaque(text[position:end]), end

    def _type(self, text: str, position: int, _depth: int) -> tuple[AttributeValue, int]:
        end = type_end(text, position)
        if end == position:
            raise _Unreadable
        return parse_type(text[position:end]), end

    def _word(self, text: str, position: int) -> tuple[AttributeValue, int]:
        found = _WORD.match(text, position)
        if found is None:
            raise _Unreadable
        word, end = found.group(), found.end()
        if word in ("true", "false"):
            return word == "true", _after_type(text, end)
        if word == "unit":
            return True, end
        if _BUILTIN_TYPE.match(text, position, end + 1 if text[end : end + 1] == "<" else end):
            return self._type(text, position, 0)
        bracket = text[end : end + 1]
        if bracket not in ("<", "("):
            return OpaqueValue(word), end
        last = closing(text, end)
        if word == "array" and bracket == "<":
            return _array(text[end + 1 : last]), last + 1
        if word in ("dense", "dense_resource") and bracket == "<":
            return self._dense(text, position, end, last)
        after = _after_type(text, last + 1)
        return OpaqueValue(text[position:after], word, text[end + 1 : last]), after

    def _dense(
        self, text: str, position: int, opens: int, closes: int
    ) -> tuple[AttributeValue, int]:
        end = _after_type(text, closes + 1)
        written = parse_type(text[_skip(text, closes + 1) + 1 : end])
        whole = text[position:end]
        body = text[opens + 1 : closes]
        kind = written if isinstance(written, TensorType) else _as_tensor(written.text)
        if kind is None:
            return OpaqueValue(whole, "dense", body), end
        return DenseElements(kind, self._array_of(text[position:opens], body, kind), whole), end

    def _array_of(self, word: str, body: str, kind: TensorType) -> np.ndarray | None:
        if word == "dense":
            return dense_array(body, kind)
        blob = self._resources.get(body.strip().strip('"'))
        return None if blob is None else resource_array(blob, kind)


_READERS: dict[str, Callable[[Values, str, int, int], tuple[AttributeValue, int]]] = {
    '"': Values._string,
    "[": Values._list,
    "{": Values._nested,
    "@": Values._symbol,
    "#": Values._dialect,
    "!": Values._type,
    "(": Values._type,
}


def opaque(text: str) -> OpaqueValue:
    """``text`` with its name and the inside of its brackets, as far as they can be told."""
    found = _DIALECT.match(text)
    if found is None:
        return OpaqueValue(text)
    name, rest = found.group(1), text[found.end() :]
    body = rest[1:-1].strip() if rest.startswith("<") and rest.endswith(">") else ""
    word = _WORD.match(body)
    if "." not in name and word is not None:
        # `#ttnn<buffer_type dram>` and `#ttnn.buffer_type<dram>` say the same.
        name, body = f"{name}.{word.group()}", body[word.end() :].strip()
        if body.startswith("<") and body.endswith(">"):
            body = body[1:-1]
    return OpaqueValue(text, name, body)


def _as_tensor(text: str) -> TensorType | None:
    """A vector's type as a tensor's, so that its constant has a shape."""
    if not text.startswith("vector<") or "[" in text:
        return None
    kind = parse_type("tensor" + text[len("vector") :])
    return kind if isinstance(kind, TensorType) else None


def _skip(text: str, position: int) -> int:
    found = _BLANK.match(text, position)
    return found.end() if found else position


def _after_type(text: str, position: int) -> int:
    """Past ``: type``, where there is one."""
    colon = _skip(text, position)
    if text[colon : colon + 1] != ":" or text.startswith("::", colon):
        return position
    return type_end(text, _skip(text, colon + 1))


def _next_comma(text: str, start: int, last: int) -> int:
    position = start
    while position < last:
        character = text[position]
        if character == ",":
            return position
        if character == '"' and (found := _STRING.match(text, position)):
            position = found.end()
        else:
            position = closing(text, position) + 1 if character in "([{<" else position + 1
    return last


def _number(text: str, position: int) -> tuple[AttributeValue, int]:
    found = _NUMBER.match(text, position)
    if found is None or len(found.group()) > 4_000:
        raise _Unreadable
    end = _after_type(text, found.end())
    kind = text[found.end() : end].lstrip(" \t\n:").strip()
    return _as_number(found.group(), kind), end


def _as_number(literal: str, element: str) -> AttributeValue:
    dtype = dtype_of(element) if element else None
    is_float = dtype is not None and dtype.kind == "f"
    hexadecimal = "x" in literal[:3]
    if hexadecimal and is_float:
        try:
            return float_of_bits(int(literal, 16), element)
        except (ValueError, OverflowError):
            return OpaqueValue(f"{literal} : {element}")
    if hexadecimal:
        return int(literal, 16)
    if is_float or "." in literal or "e" in literal.lower():
        return float(literal)
    return int(literal)


def _array(body: str) -> AttributeValue:
    element, _, rest = body.partition(":")
    items = [part.strip() for part in rest.split(",")] if rest.strip() else []
    try:
        values = tuple(_item(item, element.strip()) for item in items)
    except ValueError:
        return OpaqueValue(f"array<{body}>", "array", body)
    return DenseArray(element.strip(), values)


def _item(item: str, element: str) -> int | float | bool:
    if element == "i1":
        return item in ("true", "1", "-1")
    value = _as_number(item, element)
    if not isinstance(value, int | float):
        raise ValueError(item)
    return value
