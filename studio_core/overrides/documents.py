"""Overrides as JSON, exactly as the original front end writes and reads them::

    {"loc(a)": {"named_location": "a", "full_location": "loc(a)",
                "attributes": [{"key": "grid_shape", "value": "4x8"}]}}

The front end strips every ``"`` from strings, so a full location has none here either.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.overrides.records import Override, Overrides
from studio_core.projects.files import read_object, write_object

MAX_FILE_BYTES = 16 << 20


def stripped(location: str) -> str:
    """A location as the front end sends it: without any double quote."""
    return location.replace('"', "")


def to_json(overrides: Overrides) -> dict[str, Any]:
    """Overrides as a JSON object, keyed by full location (by named location without one)."""
    return {
        stripped(override.key): {
            "named_location": stripped(override.named_location),
            "full_location": stripped(override.full_location),
            "attributes": [{"key": k, "value": v} for k, v in override.attributes.items()],
        }
        for override in overrides
    }


def from_json(document: Mapping[str, Any] | None) -> Overrides:
    """Overrides from a JSON object; None and an empty object hold none.

    Raises `InvalidRequestError` naming the entry that is not as it should be.
    """
    if document is None:
        return Overrides()
    if not isinstance(document, Mapping):
        raise InvalidRequestError("Overrides must be a JSON object, keyed by full location.")
    return Overrides.of(_override(str(key), entry) for key, entry in document.items())


def save_overrides(path: str | Path, overrides: Overrides) -> None:
    """Write overrides to a file, whole or not at all; raises `StorageError`."""
    write_object(Path(path), to_json(overrides), max_bytes=MAX_FILE_BYTES, indent=2)


def read_overrides(path: str | Path) -> Overrides:
    """Overrides from a file that `save_overrides` or the front end's client wrote.

    Raises `NotFoundError`, `StorageError` for what is no JSON object, `InvalidRequestError`.
    """
    document = read_object(Path(path), max_bytes=MAX_FILE_BYTES)
    if document is None:
        raise NotFoundError(f"There is no file of overrides at {path}.")
    # The front end sends them inside its settings; a copy of those is read as well.
    inner = document.get("overrides")
    is_wrapped = isinstance(inner, dict) and "attributes" not in inner
    return from_json(inner if is_wrapped else document)


def _override(key: str, entry: object) -> Override:
    if not isinstance(entry, Mapping):
        raise InvalidRequestError(f"The override of {_named(key)} must be a JSON object.")
    rows = entry.get("attributes", [])
    if not isinstance(rows, list) or not all(map(_is_row, rows)):
        raise InvalidRequestError(
            f"The override of {_named(key)} needs 'attributes': a list of objects with a "
            "'key' and a 'value', both text."
        )
    named, full = entry.get("named_location", ""), entry.get("full_location", key)
    if not isinstance(named, str) or not isinstance(full, str):
        raise InvalidRequestError(f"The locations of the override of {_named(key)} must be text.")
    values = {row["key"]: row["value"] for row in rows}
    return Override(stripped(named), stripped(full if full or named else key), values)


def _is_row(row: object) -> bool:
    return (
        isinstance(row, Mapping)
        and isinstance(row.get("key"), str)
        and isinstance(row.get("value"), str)
    )


def _named(key: str) -> str:
    return repr(key if len(key) <= 60 else f"{key[:59]}…")
