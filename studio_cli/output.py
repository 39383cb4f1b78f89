"""Where answers go: tables for people, one JSON document for programs, files on request."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from studio_cli.text import visible, visible_lines
from studio_core.errors import ConflictError, InvalidRequestError, NotFoundError

_GAP = 2
_NARROWEST = 16
"""Characters below which a wrapped name is hardly a name any more."""


class Column(NamedTuple):
    """A column of a table. On a narrow terminal only those that wrap become narrower."""

    title: str
    is_number: bool = False
    wraps: bool = False


def to_json(document: Any) -> str:
    """``document`` as JSON text; NaN and infinity, which JSON lacks, are null.

    Pure ASCII, so that it is the same text in every encoding and harmless on a terminal.
    """
    return json.dumps(_known(document), indent=1, allow_nan=False)


def print_json(document: Any) -> None:
    print(to_json(document))


def _known(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _known(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_known(item) for item in value]
    return value


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; no text in it is cut off, however narrow the terminal."""
    cells = [[visible(cell) for cell in row] for row in rows]
    lines = _fitted(columns, cells) if sys.stdout.isatty() else _unlimited(columns, cells)
    for line in lines:
        print(line.rstrip())


def _unlimited(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A line a row, as wide as it must be: for files, and for `grep` and its kind.

    Not by rich, which would take seconds for thousands of rows.
    """
    from rich.cells import cell_len

    table = [[column.title for column in columns], *rows]
    widths = [max(map(cell_len, texts)) for texts in zip(*table, strict=True)]
    for row in table:
        parts = []
        for text, column, width in zip(row, columns, widths, strict=True):
            space = " " * (width - cell_len(text))
            parts.append(space + text if column.is_number else text + space)
        yield (" " * _GAP).join(parts)


def _fitted(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines for a terminal: a bold header, long names folded."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(
            column.title,
            justify="right" if column.is_number else "left",
            no_wrap=not column.wraps,
            overflow="fold",
        )
    for row in rows:
        # Text, not str: rich would read "[red]" in a name as markup.
        table.add_row(*map(Text, row))
    console = Console(force_jupyter=False, markup=False, highlight=False, emoji=False)
    console.width = max(console.width, _least_width(columns, rows))
    with console.capture() as captured:
        console.print(table)
    return captured.get().splitlines()


def _least_width(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> int:
    """The width below which rich would cut text off; the terminal breaks such lines itself."""
    from rich.cells import cell_len

    least = 0
    for i, column in enumerate(columns):
        width = max(cell_len(text) for text in (column.title, *(row[i] for row in rows)))
        least += (min(width, _NARROWEST) if column.wraps else width) + _GAP
    return least


def print_lines(*lines: str) -> None:
    """Print sentences, each on its own line; empty ones are left out."""
    for line in filter(None, lines):
        print(visible(line))


def note(message: str) -> None:
    """Tell something beside the answer, on stderr."""
    print(f"studio: {visible(message)}", file=sys.stderr)


def write_document(text: str, path: Path | None, protected: Sequence[Path] = ()) -> None:
    """Write a document into ``path``, or to stdout where that is None.

    ``protected`` are files that must not be overwritten: the model and its data.
    """
    if not text.endswith("\n"):
        text += "\n"
    if path is None:
        _print_document(text)
        return
    _refuse_protected(path, protected)
    path.write_text(text, encoding="utf-8", newline="")
    note(f"wrote {path}")


def write_bytes(content: bytes, path: Path | None, protected: Sequence[Path] = ()) -> None:
    """As `write_document`, for a document that is no text."""
    if path is None:
        sys.stdout.buffer.write(content)
        return
    _refuse_protected(path, protected)
    path.write_bytes(content)
    note(f"wrote {path}")


def check_target(path: Path, force: bool, protected: Sequence[Path], hint: str = "") -> None:
    """Refuse, before long work begins, to replace a file unasked; ``hint`` is one way more."""
    _refuse_protected(path, protected)
    if path.is_dir():
        raise ConflictError(f"{path} is a folder. Give the name of a file to -o.")
    if path.exists() and not force:
        choices = ", ".join(filter(None, [hint, "--force to replace it", "or another file to -o"]))
        raise ConflictError(f"{path} exists. Give {choices}.")
    if not path.parent.is_dir():
        raise NotFoundError(f"The folder of {path} does not exist. Make it, or give another.")


def _refuse_protected(path: Path, protected: Sequence[Path]) -> None:
    if any(path.exists() and path.samefile(file) for file in protected if file.exists()):
        raise InvalidRequestError(f"{path} belongs to the model. Give another file to -o.")


def _print_document(text: str) -> None:
    if sys.stdout.isatty():
        text = visible_lines(text)
    elif hasattr(sys.stdout, "reconfigure"):
        # A document is UTF-8 whatever the locale: the same bytes as with -o.
        sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(text)
