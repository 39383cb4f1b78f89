"""Copying a protobuf file with some parts replaced, everything else byte for byte.

Where a replacement has another length than what it replaces, the lengths of the messages
around it are rewritten too; nothing else is touched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

Buffer = bytes | memoryview

_CHUNK_BYTES = 1 << 22


class LengthDelimited(Protocol):
    """A field around an edit: its tag is at ``start``, its value from ``body`` to ``end``."""

    @property
    def number(self) -> int: ...
    @property
    def start(self) -> int: ...
    @property
    def body(self) -> int: ...
    @property
    def end(self) -> int: ...


@dataclass(frozen=True, eq=False)
class Edit:
    """Puts ``length`` bytes, made by ``content`` when they are needed, for ``start`` to ``end``.

    ``enclosing`` are the length-delimited fields around it.
    """

    start: int
    end: int
    length: int
    content: Callable[[], Buffer]
    enclosing: Sequence[LengthDelimited] = ()


def replacement(start: int, end: int, content: bytes) -> Edit:
    """Puts ``content`` for ``start`` to ``end``."""
    return Edit(start, end, len(content), lambda: content)


def spliced(data: memoryview, edits: Iterable[Edit]) -> Iterator[Buffer]:
    """``data`` with all ``edits`` made, in chunks; one edit's content in memory at a time.

    Edits must not overlap.
    """
    position = 0
    for edit in _with_headers(edits):
        if edit.start < position:
            raise ValueError("Two edits overlap.")
        yield from _chunks(data, position, edit.start)
        content = edit.content()
        if len(content) != edit.length:
            raise ValueError(f"An edit made {len(content)} bytes instead of {edit.length}.")
        yield content
        position = edit.end
    yield from _chunks(data, position, len(data))


def _with_headers(edits: Iterable[Edit]) -> list[Edit]:
    """The edits with those of the headers around them, in the order of the file."""
    edits = list(edits)
    fields = {field.start: field for edit in edits for field in edit.enclosing}
    growth: Counter[int] = Counter()
    headers: dict[int, Edit] = {}
    around = _enclosing_of(edits)
    for edit in edits:
        growth.update({f.start: edit.length - (edit.end - edit.start) for f in edit.enclosing})
    # Innermost first: a longer length takes more bytes, which lengthens what is around it.
    for start in sorted(fields, reverse=True):
        field = fields[start]
        if not growth[start]:
            continue
        header = key(field.number) + varint(field.end - field.body + growth[start])
        headers[start] = replacement(start, field.body, header)
        for outer in around[start]:
            growth[outer] += len(header) - (field.body - start)
    return sorted([*edits, *headers.values()], key=lambda edit: (edit.start, edit.end))


def _enclosing_of(edits: Iterable[Edit]) -> dict[int, tuple[int, ...]]:
    """For each field around an edit, the starts of the fields around that field."""
    return {
        field.start: tuple(outer.start for outer in edit.enclosing[:depth])
        for edit in edits
        for depth, field in enumerate(edit.enclosing)
    }


def _chunks(data: memoryview, start: int, end: int) -> Iterator[memoryview]:
    for position in range(start, end, _CHUNK_BYTES):
        yield data[position : min(position + _CHUNK_BYTES, end)]


def varint(value: int) -> bytes:
    """A whole number as protobuf writes it."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def key(number: int) -> bytes:
    """The tag of a length-delimited field."""
    return varint(number << 3 | 2)


def delimited(number: int, body: bytes) -> bytes:
    """A length-delimited field with its tag and length."""
    return key(number) + varint(len(body)) + body
