"""Bytes on the chip: one tensor, all that live at an op, and whether it fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio_core.hardware.layouts import Element, Layout
from studio_core.hardware.liveness import module_memory
from studio_core.hardware.memory import (
    UNKNOWN,
    Footprint,
    fits,
    footprint,
    l1_fraction,
    l1_limit_bytes,
    quotient,
)
from studio_core.hardware.system import builtin_system
from studio_core.mlir.reader import parse_mlir, read_mlir

WORMHOLE, BLACKHOLE = builtin_system(), builtin_system("blackhole")
CHAIN = Path(__file__).parents[2] / "data" / "mlir" / "hw_sharded_chain.mlir"
TILE = 2048
BLOCKS, ROWS = 4 * TILE, 16 * TILE
BANK = 11 * TILE  # 128 tiles on 12 banks


def layout(shape, buffer, memory="interleaved", data_type="bf16", tile=(32, 32), grid=(1, 1)):
    return Layout(grid, shape, Element(data_type, tile), buffer, memory)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (layout((2, 2), "l1", "block_sharded", grid=(4, 8)), Footprint(4 * TILE, 0)),
        (layout((1, 3), "l1", data_type="bfp_bf8"), Footprint(3 * 1088, 0)),
        (layout((3, 3), "l1", data_type="u8", tile=None), Footprint(16, 0)),  # 9 bytes, aligned
        (layout((25, 8), "dram"), Footprint(0, 17 * TILE)),  # 200 tiles on 12 banks
        (layout((24, 5), "dram", tile=None), Footprint(0, 2 * 32)),  # rows of 10 bytes, aligned
        (layout((1, 4), "dram", "width_sharded", grid=(1, 12)), Footprint(0, 4 * TILE)),
        (layout((1, 4), "dram", "width_sharded", grid=(1, 13)), Footprint(0, 8 * TILE)),
        (layout((8, 8), "system_memory", None), Footprint(0, 0)),
        (layout((1, 1), "l1", data_type="i1"), UNKNOWN),
        (layout((1, 1), "elsewhere"), UNKNOWN),
        (None, UNKNOWN),
    ],
)
def test_the_footprint_of_a_tensor(given, expected):
    assert footprint(given, WORMHOLE) == expected


def test_alignment_is_the_chips():
    assert footprint(layout((24, 5), "dram", tile=None), BLACKHOLE).dram_bytes == 3 * 64


def test_what_fits():
    limit = l1_limit_bytes(WORMHOLE)
    assert limit == int(0.95 * 1_498_112)
    assert fits(limit, WORMHOLE)
    assert not fits(limit + 1, WORMHOLE)
    assert not fits(limit, WORMHOLE, reserved_bytes=1)
    assert fits(None, WORMHOLE) is None
    assert l1_fraction(1_498_112, WORMHOLE) == 1.0
    assert l1_fraction(None, WORMHOLE) is None
    assert quotient(10**400, 2.5) is None


def bars(function):
    """Memory by the named location of each op of a function."""
    module = read_mlir(CHAIN).modules[0]
    memory = module_memory(module, WORMHOLE)
    functions = {o.symbol: o for o in module.walk() if o.name == "func.func"}
    inner = functions[function].regions[0][0].operations
    return {o.location.name: memory[o] for o in inner if o.location and o.location.name}


def test_live_bytes_where_tensors_are_freed_by_hand():
    found = bars("chain")
    l1 = {name: memory.l1_bytes for name, memory in found.items()}
    assert l1 == {
        "shard": BLOCKS,
        "free_x": BLOCKS,
        "relu": 2 * BLOCKS,
        "free_0": 2 * BLOCKS,
        "reshard": BLOCKS + ROWS,
        "free_1": BLOCKS + ROWS,
        "unshard": ROWS,
        "free_2": ROWS,
    }
    assert [found[n].dram_bytes for n in ("shard", "relu", "unshard")] == [BANK, 0, BANK]
    assert found["reshard"].own_l1_bytes == ROWS
    assert found["relu"].l1_fraction == 2 * BLOCKS / 1_498_112
    assert found["relu"].fits


def test_a_kernel_makes_it_a_lower_bound():
    found = bars("chain")
    assert found["relu"].certainty == "lower bound"
    assert "Circular buffers" in found["relu"].note
    assert (found["free_0"].certainty, found["free_0"].note) == ("exact", "")


def test_without_deallocate_a_tensor_lives_until_its_last_use():
    found = bars("never_freed")
    assert [m.l1_bytes for m in found.values()] == [2 * BLOCKS] * 3
    assert {m.certainty for m in found.values()} == {"lower bound"}


def test_tensors_without_a_layout_are_named_never_taken_for_nothing():
    mixed = bars("not_lowered")["mixed"]
    assert mixed.l1_bytes == BLOCKS
    assert mixed.certainty == "lower bound"
    assert mixed.note.startswith("2 live tensor(s)")
    assert mixed.own_l1_bytes is None
    plain = bars("plain")["plain"]
    assert (plain.l1_bytes, plain.dram_bytes, plain.fits) == (None, None, None)
    assert plain.certainty == "unknown"


def test_a_use_inside_a_region_keeps_a_tensor_alive():
    layout_text = (
        "#ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x1>, "
        "memref<1x1x!ttcore.tile<32x32, bf16>, #ttnn.buffer_type<l1>>, <interleaved>>"
    )
    kind = f"tensor<32x32xbf16, {layout_text}>"
    module = parse_mlir(
        f"""
        module {{
          func.func @f(%x: {kind}) {{
            %0 = "ttnn.relu"(%x) : ({kind}) -> {kind} loc("a")
            "test.region"() ({{
              "test.use"(%x) : ({kind}) -> () loc("inner")
            }}) : () -> () loc("b")
            "test.end"(%0) : ({kind}) -> () loc("c")
            return
          }}
        }}"""
    ).modules[0]
    memory = {o.location.name: m for o, m in module_memory(module, WORMHOLE).items() if o.location}
    assert {name: memory[name].l1_bytes for name in "abc"} == {"a": 4096, "b": 4096, "c": 2048}
