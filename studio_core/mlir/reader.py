"""Reading a file or a text of MLIR: `read_mlir`, `parse_mlir`.

Generic and custom assembly, of any dialect. An operation that cannot be taken apart is still
an `Operation`, with ``is_opaque`` and its text. Time is linear in the size of the text;
`Limits` bound what a file may ask for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from studio_core.errors import InvalidModelError, LimitError, NotFoundError, StorageError
from studio_core.limits import DEFAULT_LIMITS, Limits, beyond
from studio_core.mlir.aliases import Aliases, Definition, TooLargeError
from studio_core.mlir.context import Context
from studio_core.mlir.dense import resources
from studio_core.mlir.operations import OperationReader
from studio_core.mlir.records import Block, MlirFile, Operation
from studio_core.mlir.source import Source
from studio_core.mlir.statements import statement

_SPLIT = re.compile(r"^// -----.*$", re.MULTILINE)
_ALIAS = re.compile(r"^[ \t]*+([#!][A-Za-z_$][\w$]*+)\s*=(?!=)\s*+|[(\[{<]", re.MULTILINE)

# How files begin that are something else, and what they are.
_OTHERS = (
    (b"ML\xefR", "MLIR bytecode. Write it as text first: mlir-opt FILE -o FILE.mlir"),
    (b"\x08", "probably an ONNX model (protobuf). Open it with open_model(path)"),
    (b"PK\x03\x04", "a zip archive. Unpack it first"),
    (b"\x1f\x8b", "a gzip archive. Unpack it first"),
    (b"BC\xc0\xde", "LLVM bitcode. Give the MLIR text that it was made from"),
    (b"\x7fELF", "a program. Give the MLIR text that it was made from"),
)
_FLATBUFFERS = (b"TTNN", b"TTM0", b"TFL3", b"TTB0", b"TTSD")


def read_mlir(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> MlirFile:
    """Read the file at ``path``.

    Raises `NotFoundError`, `InvalidModelError` (it is no text; the message says what it is),
    `LimitError`, or `MlirSyntaxError` with line and column.
    """
    path = Path(path)
    return parse_mlir(_text_of(path, limits), path, limits)


def _text_of(path: Path, limits: Limits) -> str:
    try:
        if path.is_dir():
            raise InvalidModelError(f"{path.name} is a folder; give a file of MLIR text.")
        size = path.stat().st_size
        if size > limits.max_mlir_bytes:
            what = f"{path.name} has {size:,} bytes"
            raise LimitError(
                beyond(what, "max_mlir_bytes", limits.max_mlir_bytes)
                + " Or leave out large constants (--mlir-elide-elementsattrs-if-larger=16)."
            )
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"There is no file {path}. Check the path.") from None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}.") from error
    return _decoded(data, path.name)


def _decoded(data: bytes, name: str) -> str:
    for beginning, what in _OTHERS:
        if data.startswith(beginning):
            raise InvalidModelError(f"{name} is no MLIR text but {what}.")
    if data[4:8] in _FLATBUFFERS:
        raise InvalidModelError(
            f"{name} is a compiled flatbuffer, no MLIR text. Give the module that it was made from."
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidModelError(
            f"{name} is no text: byte {error.start:,} is not UTF-8. Give a module of MLIR text."
        ) from None
    if "\0" in text:
        raise InvalidModelError(f"{name} is a binary file. Give a module of MLIR text.")
    return text


def parse_mlir(
    text: str, path: str | Path | None = None, limits: Limits = DEFAULT_LIMITS
) -> MlirFile:
    """Read ``text``; raises `MlirSyntaxError` with line and column where it is broken, and
    `LimitError` where it asks for too much.

    Splits by ``// -----`` have their own names and aliases; a split without operations is
    left out.
    """
    modules: list[Operation] = []
    aliases: dict[str, str] = {}
    notes: list[str] = []
    for written, first_line in _splits(text):
        found, context = _read_split(written, first_line, limits)
        modules += _modules(found)
        aliases.update(_resolved(context.aliases))
        notes += _notes(context)
    if not modules:
        modules.append(Operation("builtin.module", regions=((Block(),),)))
        notes.append("There is no operation in this file.")
    return MlirFile(tuple(modules), Path(path) if path else None, aliases, tuple(notes))


def _splits(text: str) -> Iterator[tuple[str, int]]:
    """Each split with the line in which it begins."""
    start, line = 0, 1
    for found in _SPLIT.finditer(text):
        yield text[start : found.start()], line
        line += text.count("\n", start, found.end())
        start = found.end()
    yield text[start:], line


def _read_split(written: str, first_line: int, limits: Limits) -> tuple[list[Operation], Context]:
    source = Source(written, first_line, limits)
    aliases = Aliases(_take_aliases(source), limits)
    context = Context(source, aliases, resources(source.metadata))
    return OperationReader(context).read(), context


def _take_aliases(source: Source) -> Mapping[str, Definition]:
    """The aliases defined between the operations, which are taken out of the source."""
    found: dict[str, Definition] = {}
    spans: list[tuple[int, int]] = []
    position = 0
    while (match := _ALIAS.search(source.mask, position)) is not None:
        at = match.start(1) if match.group(1) else match.start()
        if match.group(1) is None:
            position = source.pairs.get(at, at) + 1
            continue
        end = statement(source, match.end(), len(source.text)).end
        found[match.group(1)] = Definition(source.text[match.end() : end].strip(), at)
        spans.append((at, end))
        position = end
    source.blank_all(spans)
    return found


def _modules(operations: list[Operation]) -> list[Operation]:
    """The modules; operations outside of them are put into one, as MLIR does."""
    if all(operation.name == "builtin.module" for operation in operations):
        return operations
    return [Operation("builtin.module", regions=((Block((), operations),),))]


def _resolved(aliases: Aliases) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, definition in aliases.definitions.items():
        try:
            found[name] = aliases.resolved(name)
        except TooLargeError:
            found[name] = definition.body
    return found


def _notes(context: Context) -> list[str]:
    notes = list(context.notes)
    for name in dict.fromkeys(context.aliases.unresolved):
        notes.append(f"The alias {name} is used but never defined; its text is kept.")
    for name in dict.fromkeys(context.aliases.circular):
        line, _ = context.source.place(context.aliases.definitions[name].position)
        notes.append(f"Line {line}: the alias {name} is defined by itself; its text is kept.")
    too_large = context.num_too_large + context.locations.num_too_large
    if too_large:
        notes.append(
            f"{too_large:,} texts are kept with their aliases, which stand for more text than "
            "is read."
        )
    return notes
