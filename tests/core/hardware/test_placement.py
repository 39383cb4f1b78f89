"""The arithmetic of shards, worked by hand, and how well it agrees with written modules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from studio_core.hardware.layouts import CoreRange, Element, Layout
from studio_core.hardware.liveness import layout_of
from studio_core.hardware.placement import collapsing_map, recomputed
from studio_core.hardware.system import builtin_system
from studio_core.mlir.reader import read_mlir
from studio_core.mlir.records import TensorType

SHARED = Path(__file__).parents[4] / "shared" / "data" / "mlir"
OWN = Path(__file__).parents[2] / "data" / "mlir"
WORMHOLE = builtin_system()
TILES, SCALARS = Element("bf16", (32, 32)), Element("bf16")


def shard(shape, element=TILES, buffer="l1", memory="block_sharded", grid=(1, 1)):
    return recomputed(Layout(grid, (1, 1), element, buffer, memory), shape, WORMHOLE)


@pytest.mark.parametrize(
    ("shape", "memory", "grid", "expected"),
    [
        ((256, 512), "block_sharded", (4, 8), (2, 2)),
        ((256, 500), "block_sharded", (4, 8), (2, 2)),
        ((30, 10), "block_sharded", (1, 1), (1, 1)),
        ((100, 100), "block_sharded", (3, 3), (2, 2)),  # 128 ÷ 3 = 43 scalars: two tiles
        ((256, 512), "height_sharded", (8, 1), (1, 16)),
        ((256, 512), "width_sharded", (1, 12), (8, 2)),
        ((1, 32, 24, 128), "height_sharded", (32, 1), (1, 4)),
        ((2, 3, 30, 64), "height_sharded", (6, 1), (1, 2)),  # 30 rows are padded to 32 first
        ((128,), "width_sharded", (1, 4), (1, 1)),
    ],
)
def test_tiled_shards(shape, memory, grid, expected):
    assert shard(shape, memory=memory, grid=grid).memref_shape == expected


def test_shards_of_scalars():
    assert shard((100, 30), SCALARS, memory="height_sharded", grid=(8, 1)).memref_shape == (13, 30)


def test_interleaved():
    in_l1 = shard((784, 256), memory="interleaved", grid=(8, 8))
    assert (in_l1.memref_shape, in_l1.grid) == ((1, 4), (1, 1))  # 200 tiles on 64 cores
    rows = shard((100, 30), SCALARS, memory="interleaved")
    assert rows.memref_shape == (2, 30)
    in_dram = shard((784, 256), buffer="dram", memory="interleaved", grid=(2, 2))
    assert (in_dram.memref_shape, in_dram.grid) == ((25, 8), (1, 1))
    on_host = shard((784, 256), SCALARS, "system_memory", None)
    assert (on_host.memref_shape, on_host.core_ranges) == ((784, 256), None)


def test_cores_fill_the_grid_row_by_row():
    twelve = shard((384, 64), memory="height_sharded", grid=(12, 1))
    assert twelve.core_ranges == (CoreRange((0, 0), (7, 0)), CoreRange((0, 1), (3, 1)))
    sixteen = shard((512, 64), memory="height_sharded", grid=(16, 1))
    assert sixteen.core_ranges == (CoreRange((0, 0), (7, 1)),)
    block = shard((256, 256), grid=(2, 5))
    assert block.core_ranges == (CoreRange((0, 0), (4, 1)),)
    banks = shard((32, 384), buffer="dram", memory="width_sharded", grid=(1, 12))
    assert banks.core_ranges == (CoreRange((0, 0), (11, 0)),)


def test_maps():
    layout = Layout((1, 1), (1, 1), TILES, "dram", "interleaved")
    assert collapsing_map(layout, (64, 64)) == "(d0, d1) -> (d0, d1)"
    assert collapsing_map(layout, (2, 30, 64)) == "(d0, d1, d2) -> (d0 * 32 + d1, d2)"
    plain = replace(layout, element=SCALARS)
    expected = "(d0, d1, d2, d3) -> (d0 * 900 + d1 * 30 + d2, d3)"
    assert collapsing_map(plain, (1, 30, 30, 64)) == expected
    assert collapsing_map(plain, (7,)) == "(d0) -> (0, d0)"
    assert collapsing_map(plain, ()) == "() -> (0, 0)"


@pytest.mark.parametrize(
    "layout",
    [
        Layout((1, 1), (1, 1), TILES, "l1", "nd_sharded"),
        Layout((0, 1), (1, 1), TILES, "l1", "block_sharded"),
        Layout((2, 2, 2), (1, 1), TILES, "l1", "block_sharded"),
        Layout((1, 1), (1, 1), TILES, "l1", "block_sharded", kind="ttnn_nd_layout"),
    ],
)
def test_what_cannot_be_computed_is_none(layout):
    assert recomputed(layout, (64, 64), WORMHOLE) is None


def agreement(path: Path) -> list[bool]:
    """For each tensor type of a file with a layout, whether we get the memref that is written."""
    found = {}
    for module in read_mlir(path).modules:
        for operation in module.walk():
            for value in (*operation.results, *operation.operands):
                layout = layout_of(value)
                if layout is None or not isinstance(value.type, TensorType):
                    continue
                new = recomputed(layout, value.type.shape, WORMHOLE)
                found[value.type.text] = new is not None and new.memref_shape == layout.memref_shape
    return list(found.values())


def test_recomputing_agrees_with_our_own_modules():
    answers = agreement(OWN / "hw_sharded_chain.mlir")
    assert len(answers) >= 3
    assert all(answers)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared files of tt-mlir are not here")
def test_recomputing_agrees_with_most_of_the_compilers_own():
    answers = [a for path in sorted(SHARED.glob("*.mlir")) for a in agreement(path)]
    assert len(answers) >= 40
    assert sum(answers) >= 0.85 * len(answers)
