"""System descriptions read from MLIR text and from JSON, and written as JSON.

The keys are those of ``#ttcore.chip_desc``; a JSON file of ours has them too::

    {"chips": [{"arch": "wormhole_b0", "grid": "8x8", "l1_size": 1499136, …}]}

with ``dram_bandwidth`` (bytes a second) and ``clock`` (hertz) beside them, if one likes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from studio_core.errors import InvalidRequestError
from studio_core.hardware.attribute_text import (
    assignments,
    dimensions,
    enum_word,
    inside,
    shorten,
    split_parts,
)
from studio_core.hardware.chips import Chip, SystemDescription, chip_values, with_figures

_SYSTEM = re.compile(r"#(?:ttcore|tt)\.system_desc\s*<")
_REQUIRED = {
    "l1_size": "l1_size_bytes",
    "l1_unreserved_base": "l1_unreserved_base_bytes",
    "num_dram_channels": "num_dram_channels",
    "dram_channel_size": "dram_channel_bytes",
}
_OPTIONAL = {
    "noc_l1_address_align_bytes": "l1_alignment_bytes",
    "noc_dram_address_align_bytes": "dram_alignment_bytes",
    "pcie_address_align_bytes": "pcie_alignment_bytes",
}
_FIGURES = ("dram_bandwidth", "clock")
_LISTS = ("supported_data_types", "supported_tile_sizes")
_MAX_AXIS = 1024
_MAX_BYTES = 1 << 50
_MAX_CHIPS = 4096


def parse_system(text: str) -> SystemDescription:
    """The description in MLIR text that is, or begins with, ``#ttcore.system_desc<…>``.

    Raises `InvalidRequestError` naming what is missing.
    """
    start = _SYSTEM.search(text)
    if start is None:
        raise InvalidRequestError("There is no #ttcore.system_desc<…> in it.")
    parts = split_parts(_balanced(text, start.end() - 1))
    lists = [split_parts(inside(part, "[") or "") for part in parts]
    chips = next((c for c in map(_chips, lists) if c), None)
    if chips is None:
        raise InvalidRequestError("The system description names no chip with an 'arch'.")
    return SystemDescription(_repeated(chips, lists), origin="module")


def system_from_document(document: Mapping[str, Any]) -> SystemDescription:
    """A description from a JSON object as `system_to_document` writes it."""
    rows = document.get("chips")
    if not isinstance(rows, list) or not rows or len(rows) > _MAX_CHIPS:
        raise InvalidRequestError("A system description needs a list 'chips' of one or more.")
    if not all(isinstance(row, dict) for row in rows):
        raise InvalidRequestError("Each chip of a system description must be a JSON object.")
    return SystemDescription(
        tuple(_chip({k: _as_text(v) for k, v in row.items()}) for row in rows), origin="file"
    )


def system_to_document(system: SystemDescription) -> dict[str, Any]:
    """The description as a JSON object; `system_from_document` reads it back equal."""
    return {"chips": [_chip_document(chip) for chip in system.chips]}


def _chip_document(chip: Chip) -> dict[str, Any]:
    figures = {key: getattr(chip, key) for key in _FIGURES if getattr(chip, key) is not None}
    return {**chip_values(chip), **figures}


def _as_text(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_as_text, value))}]"
    return str(value)


def _chips(parts: Sequence[str]) -> tuple[Chip, ...] | None:
    """The chips in a list; None for another list, such as the one of hosts."""
    bodies = [assignments(inside(part, "{") or inside(part) or "") for part in parts]
    if not bodies or not all("arch" in body for body in bodies):
        return None
    return tuple(map(_chip, bodies))


def _repeated(chips: tuple[Chip, ...], lists: Sequence[Sequence[str]]) -> tuple[Chip, ...]:
    """One chip for each index that follows the chips' list; the chips alone without indices."""
    for parts in lists:
        indices = [int(p) for p in parts if p.isascii() and p.isdigit() and len(p) < 6]
        if parts and len(indices) == len(parts) <= _MAX_CHIPS and max(indices) < len(chips):
            return tuple(chips[i] for i in indices)
    return chips


def _chip(values: Mapping[str, str]) -> Chip:
    known = {"arch", "grid", *_REQUIRED, *_OPTIONAL, *_LISTS, *_FIGURES}
    grid = _grid(values.get("grid", ""))
    counts: dict[str, Any] = {name: _count(values, key) for key, name in _REQUIRED.items()}
    chip = Chip(
        arch=enum_word(values.get("arch", "")).strip('"') or "unknown",
        grid=grid,
        other={key: value for key, value in values.items() if key not in known},
        **counts,
    )
    chip = with_figures(replace(chip, **_given(values)))
    if chip.l1_usable_bytes <= 0:
        raise InvalidRequestError("l1_unreserved_base lies beyond l1_size: no L1 is left to use.")
    return chip


def _given(values: Mapping[str, str]) -> dict[str, Any]:
    """Fields of a chip that a description may leave out, as far as it has them."""
    found: dict[str, Any] = {n: _count(values, k) for k, n in _OPTIONAL.items() if k in values}
    found |= {key: _figure(values, key) for key in _FIGURES if key in values}
    words = {k: split_parts(inside(values[k], "[") or "") for k in _LISTS if k in values}
    if types := tuple(map(enum_word, words.get("supported_data_types", ()))):
        found["data_types"] = types
    sizes = map(dimensions, words.get("supported_tile_sizes", ()))
    if tiles := tuple((s[0], s[1]) for s in sizes if s is not None and len(s) == 2):
        found["tile_sizes"] = tiles
    return found


def _grid(text: str) -> tuple[int, int]:
    shape = dimensions(text)
    if shape is None or len(shape) != 2 or not all(1 <= n <= _MAX_AXIS for n in shape):
        raise InvalidRequestError(
            f"A chip's 'grid' is rows x columns, such as 8x8; it is {shorten(text)!r} here."
        )
    return shape[0], shape[1]


def _count(values: Mapping[str, str], key: str) -> int:
    word = values.get(key, "").split(":")[0].strip()
    if not (word.isascii() and word.isdigit() and len(word) < 17 and int(word) <= _MAX_BYTES):
        raise InvalidRequestError(
            f"A chip needs '{key}', a whole number; it is {shorten(word)!r} here."
        )
    return int(word)


def _figure(values: Mapping[str, str], key: str) -> float:
    try:
        value = float(values[key])
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise InvalidRequestError(f"'{key}' of a chip must be a number above 0.")
    return value


def _balanced(text: str, start: int) -> str:
    """What stands between the bracket at ``start`` and the one that closes it."""
    depth = 0
    for match in re.compile(r'"(?:[^"\\]|\\.)*"|->|[<>]').finditer(text, start):
        depth += {"<": 1, ">": -1}.get(match.group(), 0)
        if depth == 0:
            return text[start + 1 : match.start()]
    raise InvalidRequestError("The system description ends before its last bracket.")
