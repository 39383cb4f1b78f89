"""What the chip and the compiler allow of a layout: each broken rule with reason and remedy.

The rules are tt-mlir's: those its verifier states (the first three, whose sentences are its
own) and those of its layout analysis. A rule that needs what is not known stays silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from studio_core.hardware.chips import SystemDescription
from studio_core.hardware.data_types import is_block_format
from studio_core.hardware.layouts import BUFFER_TYPES, Layout
from studio_core.hardware.memory import footprint, l1_limit_bytes


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """A rule that a layout breaks: ``name`` for code, ``reason`` and ``remedy`` for people."""

    name: str
    reason: str
    remedy: str


def broken_rules(layout: Layout, system: SystemDescription) -> tuple[BrokenRule, ...]:
    """All rules that the layout breaks on this system, the verifier's first; empty if legal."""
    return tuple(_broken(layout, system))


def _broken(layout: Layout, system: SystemDescription) -> Iterator[BrokenRule]:
    answers = (
        *(rule(layout) for rule in _RULES_OF_LAYOUTS),
        *(rule(layout, system) for rule in _RULES_OF_CHIPS),
    )
    yield from (broken for broken in answers if broken is not None)


def _no_memory_layout_in_system_memory(layout: Layout) -> BrokenRule | None:
    if layout.buffer_type != "system_memory" or layout.tensor_memory_layout is None:
        return None
    return BrokenRule(
        "memory layout in system memory",
        "Memory layout is not allowed for SystemMemory buffer type.",
        "Leave the tensor memory layout out, or choose DRAM or L1 as the buffer type.",
    )


def _memory_layout_on_device(layout: Layout) -> BrokenRule | None:
    if layout.buffer_type == "system_memory" or layout.tensor_memory_layout is not None:
        return None
    return BrokenRule(
        "no memory layout",
        "Memory layout is required for non-SystemMemory buffer type.",
        "Choose a tensor memory layout, such as interleaved.",
    )


def _sharded_has_cores(layout: Layout) -> BrokenRule | None:
    if not layout.is_sharded or layout.core_ranges or layout.kind != "ttnn_layout":
        return None
    return BrokenRule(
        "no core ranges",
        f"sharded TTNN layout ({layout.tensor_memory_layout}) must carry a core_range_set",
        "Add core_ranges that cover the grid; an edit in Studio adds them.",
    )


def _known_buffer(layout: Layout) -> BrokenRule | None:
    if layout.buffer_type in BUFFER_TYPES:
        return None
    return BrokenRule(
        "unknown buffer type",
        f"There is no buffer type '{layout.buffer_type}'.",
        f"Choose one of {', '.join(BUFFER_TYPES)}.",
    )


def _grid_of_two_axes(layout: Layout) -> BrokenRule | None:
    if layout.kind != "ttnn_layout" or (len(layout.grid) == 2 and min(layout.grid) >= 1):
        return None
    return BrokenRule(
        "grid axes",
        f"A grid has two axes of at least 1; this one is {_grid(layout)}.",
        "Give rows and columns, such as 4x8.",
    )


def _height_sharded_grid(layout: Layout) -> BrokenRule | None:
    wrong = layout.tensor_memory_layout == "height_sharded" and layout.grid[1:] != (1,)
    if not wrong or _is_virtual(layout):
        return None
    return BrokenRule(
        "height-sharded grid",
        f"A height-sharded tensor is cut into rows only: its grid is Mx1, not {_grid(layout)}.",
        f"Write {layout.num_shards}x1 for as many cores, or choose block_sharded.",
    )


def _width_sharded_grid(layout: Layout) -> BrokenRule | None:
    wrong = layout.tensor_memory_layout == "width_sharded" and layout.grid[:1] != (1,)
    if not wrong or _is_virtual(layout):
        return None
    return BrokenRule(
        "width-sharded grid",
        f"A width-sharded tensor is cut into columns only: its grid is 1xM, not {_grid(layout)}.",
        f"Write 1x{layout.num_shards} for as many cores, or choose block_sharded.",
    )


def _block_sharded_grid(layout: Layout, system: SystemDescription) -> BrokenRule | None:
    if layout.tensor_memory_layout != "block_sharded" or len(layout.grid) != 2:
        return None
    if all(mine <= chip for mine, chip in zip(layout.grid, system.grid, strict=True)):
        return None
    rows, columns = system.grid
    return BrokenRule(
        "block-sharded grid",
        f"The grid {_grid(layout)} is larger than the {rows}x{columns} cores of {system.arch}.",
        f"Stay within {rows} rows and {columns} columns.",
    )


def _interleaved_grid(layout: Layout) -> BrokenRule | None:
    is_dram = layout.buffer_type == "dram" and layout.tensor_memory_layout == "interleaved"
    if not is_dram or layout.num_shards == 1:
        return None
    return BrokenRule(
        "interleaved grid",
        f"An interleaved tensor in DRAM is not cut into shards, yet its grid is {_grid(layout)}.",
        "Write 1x1, or choose a sharded memory layout.",
    )


def _enough_cores(layout: Layout, system: SystemDescription) -> BrokenRule | None:
    cores = system.chip.num_cores
    if not layout.is_sharded or layout.buffer_type == "dram" or layout.num_shards <= cores:
        return None
    return BrokenRule(
        "more shards than cores",
        f"{layout.num_shards} shards need as many cores, and {system.arch} has {cores}.",
        f"Choose a grid of at most {cores} cores.",
    )


def _block_sharding_in_dram(layout: Layout) -> BrokenRule | None:
    if layout.buffer_type != "dram" or layout.tensor_memory_layout != "block_sharded":
        return None
    return BrokenRule(
        "block sharding in DRAM",
        "DRAM banks form a line, so a tensor there cannot be block-sharded.",
        "Choose l1 as the buffer type, or height_sharded, width_sharded or interleaved.",
    )


def _enough_banks(layout: Layout, system: SystemDescription) -> BrokenRule | None:
    banks = system.chip.num_dram_channels
    if layout.buffer_type != "dram" or not layout.is_sharded or layout.num_shards <= banks:
        return None
    return BrokenRule(
        "more shards than DRAM channels",
        f"{layout.num_shards} shards need as many DRAM channels, and {system.arch} has {banks}.",
        f"Choose a grid of at most {banks} shards, or interleaved.",
    )


def _cores_on_chip(layout: Layout, system: SystemDescription) -> BrokenRule | None:
    if not layout.core_ranges or layout.buffer_type == "dram":
        return None
    rows, columns = system.grid
    outside = [r for r in layout.core_ranges if r.end[0] >= columns or r.end[1] >= rows]
    if not outside:
        return None
    column, row = outside[0].end
    return BrokenRule(
        "core outside the chip",
        f"Core (column {column}, row {row}) lies outside the {rows}x{columns} cores of "
        f"{system.arch}.",
        "Choose cores within the worker grid.",
    )


def _cores_for_shards(layout: Layout) -> BrokenRule | None:
    if not layout.core_ranges or not layout.is_sharded:
        return None
    cores = sum(r.num_cores for r in layout.core_ranges)
    if cores >= layout.num_shards:
        return None
    return BrokenRule(
        "fewer cores than shards",
        f"The core ranges name {cores} cores for {layout.num_shards} shards.",
        "Name a core for each shard.",
    )


def _supported_data_type(layout: Layout, system: SystemDescription) -> BrokenRule | None:
    if not layout.is_on_device or layout.data_type in system.chip.data_types:
        return None
    return BrokenRule(
        "unsupported data type",
        f"{system.arch} does not support the data type {layout.data_type}.",
        f"Choose one of {', '.join(system.chip.data_types)}.",
    )


def _block_format_in_tiles(layout: Layout) -> BrokenRule | None:
    if layout.is_tiled or not is_block_format(layout.data_type):
        return None
    return BrokenRule(
        "block format without tiles",
        f"In {layout.data_type} sixteen scalars share an exponent; it exists in tiles only.",
        "Choose the memory layout tile, or bf16.",
    )


def _supported_tile(layout: Layout, system: SystemDescription) -> BrokenRule | None:
    tile = layout.element.tile
    if tile is None or tile in system.chip.tile_sizes:
        return None
    sizes = ", ".join(f"{h}x{w}" for h, w in system.chip.tile_sizes)
    return BrokenRule(
        "unsupported tile size",
        f"{system.arch} has no tiles of {tile[0]}x{tile[1]}.",
        f"Choose one of {sizes}.",
    )


def _fits_on_core(layout: Layout, system: SystemDescription) -> BrokenRule | None:
    size, limit = footprint(layout, system).l1_bytes, l1_limit_bytes(system)
    if size is None or size <= limit:
        return None
    return BrokenRule(
        "shard larger than L1",
        f"A core would hold {size:,} bytes of this tensor, and tensors may take {limit:,}.",
        "Spread it over more cores, choose a smaller data type, or DRAM.",
    )


def _fits_in_bank(layout: Layout, system: SystemDescription) -> BrokenRule | None:
    size, limit = footprint(layout, system).dram_bytes, system.chip.dram_usable_bytes
    if size is None or size <= limit:
        return None
    return BrokenRule(
        "tensor larger than DRAM",
        f"A DRAM bank would hold {size:,} bytes of this tensor, and it has {limit:,}.",
        "Choose a smaller data type, interleaved, or system_memory.",
    )


_RULES_OF_LAYOUTS: tuple[Callable[[Layout], BrokenRule | None], ...] = (
    _no_memory_layout_in_system_memory,
    _memory_layout_on_device,
    _sharded_has_cores,
    _known_buffer,
    _grid_of_two_axes,
    _height_sharded_grid,
    _width_sharded_grid,
    _interleaved_grid,
    _block_sharding_in_dram,
    _cores_for_shards,
    _block_format_in_tiles,
)

_RULES_OF_CHIPS: tuple[Callable[[Layout, SystemDescription], BrokenRule | None], ...] = (
    _block_sharded_grid,
    _enough_cores,
    _enough_banks,
    _cores_on_chip,
    _supported_data_type,
    _supported_tile,
    _fits_on_core,
    _fits_in_bank,
)


def _is_virtual(layout: Layout) -> bool:
    """A grid of D2M, whose shape need not be that of the sharding: it has a map, or says so."""
    return layout.grid_map is not None or ("exactGrid", "true") in layout.other


def _grid(layout: Layout) -> str:
    return "x".join(map(str, layout.grid))
