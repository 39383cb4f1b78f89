"""What a shard holds once a layout has been changed: the arithmetic of tt-mlir, done anew.

1. In a tiled layout the last two dimensions are padded to whole tiles.
2. All dimensions but the last collapse into rows: (d₀ · d₁ · … · dₙ₋₂, dₙ₋₁).
3. Sharded: each axis is divided by the grid, rounded up to whole tiles. Interleaved in L1:
   the tiles (or rows) of one core. Interleaved in DRAM and in system memory: everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from studio_core.hardware.chips import SystemDescription
from studio_core.hardware.layouts import CoreRange, Layout

IN_L1 = ("l1", "l1_small")


def physical_shape(layout: Layout, tensor_shape: Sequence[int]) -> tuple[int, int]:
    """Rows and columns in scalars: padded to tiles if the layout is tiled, then collapsed."""
    shape = padded_shape(layout, tensor_shape)
    return prod(shape[:-1]), shape[-1]


def padded_shape(layout: Layout, tensor_shape: Sequence[int]) -> tuple[int, ...]:
    """The tensor's shape, at least of rank 2, its last two dimensions padded to whole tiles."""
    shape = (*(1,) * (2 - len(tensor_shape)), *tensor_shape)
    if layout.element.tile is None:
        return shape
    height, width = layout.element.tile
    return (*shape[:-2], _up(shape[-2], height), _up(shape[-1], width))


def recomputed(
    layout: Layout, tensor_shape: Sequence[int], system: SystemDescription
) -> Layout | None:
    """The layout with map, shard and core ranges as its other fields ask for.

    None where that is not known: an n-dimensional sharding, a grid not of two axes, or a
    grid with an axis of 0.
    """
    if layout.tensor_memory_layout == "nd_sharded" or layout.kind != "ttnn_layout":
        return None
    if len(layout.grid) != 2 or min(layout.grid) < 1 or not all(n > 0 for n in tensor_shape):
        return None
    placed = layout if layout.is_sharded else replace(layout, grid=(1, 1))
    return replace(
        placed,
        map=collapsing_map(layout, tensor_shape),
        memref_shape=shard_shape(placed, tensor_shape, system),
        core_ranges=core_ranges(placed, system),
        text="",
    )


def shard_shape(
    layout: Layout, tensor_shape: Sequence[int], system: SystemDescription
) -> tuple[int, int]:
    """Rows and columns of one shard, in tiles or scalars as the layout counts."""
    rows, columns = physical_shape(layout, tensor_shape)
    height, width = layout.element.tile or (1, 1)
    if layout.is_sharded:
        per_core = _ceil(rows, layout.grid[0]), _ceil(columns, layout.grid[1])
        return _ceil(per_core[0], height), _ceil(per_core[1], width)
    if layout.buffer_type in IN_L1:
        cores = system.chip.num_cores
        if layout.is_tiled:
            return 1, _ceil((rows // height) * (columns // width), cores)
        return _ceil(rows, cores), columns
    return rows // height, columns // width


def core_ranges(layout: Layout, system: SystemDescription) -> tuple[CoreRange, ...] | None:
    """The cores (in DRAM: the banks) that hold the shards; None for what is not sharded.

    A line of shards fills the worker grid row by row; a block lies in the upper left corner.
    """
    if not layout.is_sharded:
        return None
    rows, columns = layout.grid
    if layout.tensor_memory_layout == "block_sharded":
        return (CoreRange((0, 0), (columns - 1, rows - 1)),)
    if layout.buffer_type == "dram":
        return (CoreRange((0, 0), (layout.num_shards - 1, 0)),)
    return _line(layout.num_shards, system.grid[1])


def _line(num_cores: int, columns: int) -> tuple[CoreRange, ...]:
    whole, rest = divmod(num_cores, columns)
    full = CoreRange((0, 0), (columns - 1, whole - 1))
    tail = CoreRange((0, whole), (rest - 1, whole))
    return tuple(r for r, n in ((full, whole), (tail, rest)) if n)


def collapsing_map(layout: Layout, tensor_shape: Sequence[int]) -> str:
    """The map from the tensor's dimensions to rows and columns, as MLIR writes it."""
    rank = len(tensor_shape)
    names = [f"d{i}" for i in range(rank)]
    if rank < 2:
        return f"({', '.join(names)}) -> (0, {names[0] if names else 0})"
    shape = padded_shape(layout, tensor_shape)
    terms = [f"d{i}{_times(prod(shape[i + 1 : -1]))}" for i in range(rank - 1)]
    return f"({', '.join(names)}) -> ({' + '.join(terms)}, {names[-1]})"


def _times(stride: int) -> str:
    return f" * {stride}" if stride != 1 else ""


def _ceil(a: int, b: int) -> int:
    return -(-a // b)


def _up(n: int, step: int) -> int:
    return _ceil(n, step) * step
