"""A tensor's layout on the chip: ``#ttnn.ttnn_layout<…>`` read, changed and written.

    #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x8>,
                      memref<1x1x!ttcore.tile<32x32, f32>, #ttnn.buffer_type<l1>>,
                      <width_sharded>, core_ranges = #ttnn.core_range_set<[…]>>

The first line is the map from the tensor's dimensions to rows and columns and the grid of cores,
then what one core (or bank) holds, where, and how it is distributed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod

from studio_core.hardware.attribute_text import (
    dimensions,
    enum_word,
    inside,
    split_assignment,
    split_parts,
)
from studio_core.hardware.data_types import data_type_of, scalar_bytes, tile_bytes

SHARDED = ("height_sharded", "width_sharded", "block_sharded", "nd_sharded")
TENSOR_MEMORY_LAYOUTS = ("interleaved", *SHARDED)
BUFFER_TYPES = ("dram", "l1", "system_memory", "l1_small", "trace")
MEMORY_LAYOUTS = ("row_major", "tile")

_KINDS = ("ttnn_layout", "ttnn_nd_layout")
_NAME = re.compile(r"#(?:ttnn|tt)\.(\w+)\s*<")
_MEMREF = re.compile(r"((?:\d{1,40}x)*)([!A-Za-z].*)", re.DOTALL)
_TILE = re.compile(r"!(?:ttcore|tt)\.tile<\s*(\d{1,9})x(\d{1,9})\s*,\s*([\w.]+)\s*>")
_CORE_RANGE = re.compile(r"\(\s*(\d{1,9})\s*,\s*(\d{1,9})\s*\)")


@dataclass(frozen=True, slots=True)
class Element:
    """What a shard is made of: scalars, or tiles of (height, width) scalars."""

    data_type: str
    tile: tuple[int, int] | None = None

    @property
    def num_bytes(self) -> int | None:
        """Bytes of one scalar or one tile; None where the data type's size is unknown."""
        if self.tile is None:
            return scalar_bytes(self.data_type)
        return tile_bytes(self.data_type, self.tile)


@dataclass(frozen=True, slots=True)
class CoreRange:
    """A rectangle of cores, both corners included; a corner is (column, row) as tt-mlir has it."""

    start: tuple[int, int]
    end: tuple[int, int]

    @property
    def num_cores(self) -> int:
        return max(0, self.end[0] - self.start[0] + 1) * max(0, self.end[1] - self.start[1] + 1)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a tensor lies and how it is cut.

    ``memref_shape`` counts scalars or tiles (``element``) of one shard. ``tensor_memory_layout``
    and ``core_ranges`` are None where the text has none. ``text`` is as written and no part of
    equality; ``other`` keeps what Studio has no use for, so that writing loses nothing.
    """

    grid: tuple[int, ...]
    memref_shape: tuple[int, ...]
    element: Element
    buffer_type: str
    tensor_memory_layout: str | None = None
    core_ranges: tuple[CoreRange, ...] | None = None
    map: str = ""
    mesh: str | None = None
    grid_map: str | None = None
    other: tuple[tuple[str, str], ...] = ()
    kind: str = "ttnn_layout"
    text: str = field(default="", compare=False)

    @property
    def data_type(self) -> str:
        return self.element.data_type

    @property
    def is_tiled(self) -> bool:
        return self.element.tile is not None

    @property
    def memory_layout(self) -> str:
        """``tile`` or ``row_major``."""
        return "tile" if self.is_tiled else "row_major"

    @property
    def is_sharded(self) -> bool:
        return self.tensor_memory_layout in SHARDED

    @property
    def is_on_device(self) -> bool:
        return self.buffer_type != "system_memory"

    @property
    def num_shards(self) -> int:
        return prod(self.grid)

    @property
    def shard_bytes(self) -> int | None:
        """Bytes of one shard: all of its elements; None where their size is unknown."""
        size = self.element.num_bytes
        return prod(self.memref_shape) * size if size is not None else None

    def values(self) -> dict[str, str]:
        """The layout as the keys and values shown of it, in the contract's order."""
        return {
            "tensor_memory_layout": self.tensor_memory_layout or "none",
            "grid_shape": "x".join(map(str, self.grid)),
            "memref_shape": f"[{', '.join(map(str, self.memref_shape))}]",
            "buffer_type": self.buffer_type,
            "memory_layout": self.memory_layout,
            "data_type": self.data_type,
        }


@lru_cache(maxsize=4096)
def parse_layout(text: str | None) -> Layout | None:
    """The layout in ``text`` (aliases resolved); None for anything else, however broken.

    Read are ``ttnn_layout`` and ``ttnn_nd_layout``. The answer is kept for texts met again.
    """
    name = _NAME.match(text.strip()) if text else None
    if text is None or name is None or name.group(1) not in _KINDS:
        return None
    return _Parts(split_parts(inside(text.strip()) or "")).layout(name.group(1), text)


def format_layout(layout: Layout) -> str:
    """The layout as MLIR text, without aliases; `parse_layout` reads it back equal."""
    grid = "x".join(map(str, layout.grid))
    parts = [layout.map] if layout.map else []
    parts.append(f"<{grid}, {layout.grid_map}>" if layout.grid_map else f"<{grid}>")
    parts += [f"mesh = {layout.mesh}"] if layout.mesh is not None else []
    parts.append(_format_memref(layout))
    parts += [f"<{layout.tensor_memory_layout}>"] if layout.tensor_memory_layout else []
    if layout.core_ranges is not None:
        parts.append(f"core_ranges = {format_core_ranges(layout.core_ranges)}")
    parts += [f"{key} = {value}" if key else value for key, value in layout.other]
    return f"#ttnn.{layout.kind}<{', '.join(parts)}>"


def format_core_ranges(ranges: tuple[CoreRange, ...]) -> str:
    """Core ranges as MLIR text."""
    inner = ", ".join(
        f"#ttnn.core_range<({r.start[0]},{r.start[1]}), ({r.end[0]},{r.end[1]})>" for r in ranges
    )
    return f"#ttnn.core_range_set<[{inner}]>"


def parse_core_ranges(text: str) -> tuple[CoreRange, ...] | None:
    """Core ranges of a ``core_range_set``, empty if it has none; None if it is no such set."""
    corners = [(int(a), int(b)) for a, b in _CORE_RANGE.findall(text)]
    if len(corners) % 2:
        return None
    return tuple(map(CoreRange, corners[::2], corners[1::2]))


def _format_memref(layout: Layout) -> str:
    shape = "".join(f"{n}x" for n in layout.memref_shape)
    element = layout.data_type
    if layout.element.tile is not None:
        height, width = layout.element.tile
        element = f"!ttcore.tile<{height}x{width}, {element}>"
    elif element in _SCALAR_NAMES:
        element = _SCALAR_NAMES[element]
    return f"memref<{shape}{element}, #ttnn.buffer_type<{layout.buffer_type}>>"


# Scalars in a memref are MLIR's own types, which call the chips' u8 ui8.
_SCALAR_NAMES = {"u64": "ui64", "u32": "ui32", "u16": "ui16", "u8": "ui8"}


class _Parts:
    """The parts of a layout's body by what they are, whichever order a version writes them in."""

    def __init__(self, parts: list[str]) -> None:
        self.map = ""
        self.grid: tuple[int, ...] | None = None
        self.grid_map: str | None = None
        self.memref: tuple[tuple[int, ...], Element, str] | None = None
        self.tensor_memory_layout: str | None = None
        self.named: dict[str, str] = {}
        self.other: list[tuple[str, str]] = []
        for part in parts:
            self._take(part)

    def layout(self, kind: str, text: str) -> Layout | None:
        if self.grid is None or self.memref is None:
            return None
        shape, element, buffer_type = self.memref
        ranges = self.named.get("core_ranges")
        return Layout(
            grid=self.grid,
            memref_shape=shape,
            element=element,
            buffer_type=buffer_type,
            tensor_memory_layout=self.tensor_memory_layout,
            core_ranges=parse_core_ranges(ranges) if ranges is not None else None,
            map=self.map,
            mesh=self.named.get("mesh"),
            grid_map=self.grid_map,
            other=tuple(self.other),
            kind=kind,
            text=text,
        )

    def _take(self, part: str) -> None:
        key, value = split_assignment(part)
        if key in ("core_ranges", "mesh"):
            self.named[key] = value
        elif key:
            self.other.append((key, value))
        elif part.startswith("memref<"):
            self.memref = _parse_memref(part)
        elif part.startswith("("):
            self.map = part
        elif not self._take_wrapped(part):
            self.other.append(("", part))

    def _take_wrapped(self, part: str) -> bool:
        """``<8x8>``, ``<8x8, (d0, d1) -> …>`` or ``<interleaved>``; False for anything else."""
        inner = split_parts(inside(part) or "")
        shape = dimensions(inner[0]) if inner else None
        if shape is not None and self.grid is None:
            self.grid, self.grid_map = shape, ", ".join(inner[1:]) or None
            return True
        word = enum_word(part)
        if word in TENSOR_MEMORY_LAYOUTS and self.tensor_memory_layout is None:
            self.tensor_memory_layout = word
            return True
        return False


def _parse_memref(text: str) -> tuple[tuple[int, ...], Element, str] | None:
    parts = split_parts(inside(text) or "")
    match = _MEMREF.fullmatch(parts[0]) if len(parts) > 1 else None
    if match is None:
        return None
    shape = tuple(map(int, match.group(1).split("x")[:-1]))
    tile = _TILE.fullmatch(match.group(2).strip())
    if tile is not None:
        size = (int(tile.group(1)), int(tile.group(2)))
        element = Element(data_type_of(tile.group(3)), size)
    else:
        element = Element(data_type_of(match.group(2)))
    # An alias that was not resolved still tells the memory by its usual name.
    return shape, element, enum_word(parts[-1]).lstrip("#")
