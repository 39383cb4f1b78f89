"""Edits: what a change of a layout does, worked by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio_core.errors import InvalidRequestError
from studio_core.hardware.editable_keys import CONV2D_SPECS, grid_spec, layout_specs
from studio_core.hardware.edits import LAYOUT_KEYS, edited, tensor_bytes
from studio_core.hardware.layouts import BUFFER_TYPES, Element, Layout, parse_layout
from studio_core.hardware.system import builtin_system

WORMHOLE, BLACKHOLE = builtin_system(), builtin_system("blackhole")
DRAM = Layout((1, 1), (25, 8), Element("f32", (32, 32)), "dram", "interleaved")
SHAPE = (784, 256)


def test_a_smaller_data_type_halves_bytes_and_time():
    outcome = edited(DRAM, SHAPE, {"data_type": "bf16"}, WORMHOLE)
    assert (outcome.before.dram_bytes, outcome.after.dram_bytes) == (17 * 4096, 17 * 2048)
    assert outcome.dram_ms_before == pytest.approx(200 * 4096 / 288e9 * 1e3)
    assert outcome.dram_ms_after == pytest.approx(outcome.dram_ms_before / 2)
    assert outcome.is_legal
    assert outcome.fits


def test_into_l1_in_blocks_the_grid_is_chosen_and_said():
    outcome = edited(
        DRAM, SHAPE, {"buffer_type": "l1", "tensor_memory_layout": "block_sharded"}, WORMHOLE
    )
    assert outcome.layout.grid == (7, 8)  # 25 rows of tiles: 4 each on 7 cores
    assert outcome.layout.memref_shape == (4, 1)
    assert outcome.after.l1_bytes == 4 * 4096
    assert outcome.dram_ms_after == 0.0
    assert outcome.notes == ("No grid was given; 7x8 is assumed.",)
    assert parse_layout(outcome.text) == outcome.layout


def test_a_grid_that_the_memory_layout_cannot_have():
    changes = {"buffer_type": "l1", "tensor_memory_layout": "height_sharded", "grid_shape": "8x8"}
    outcome = edited(DRAM, SHAPE, changes, WORMHOLE)
    assert [rule.name for rule in outcome.broken] == ["height-sharded grid"]
    assert "64x1" in outcome.broken[0].remedy


def test_what_does_not_fit_beside_the_others():
    sharded = Layout((8, 8), (1, 1), Element("bf16", (32, 32)), "l1", "block_sharded")
    shape = (4096, 4096)
    at_8x8 = edited(sharded, shape, {"grid_shape": "8x8"}, WORMHOLE)
    assert (at_8x8.after.l1_bytes, at_8x8.fits) == (16 * 16 * 2048, True)
    at_4x8 = edited(at_8x8.layout, shape, {"grid_shape": "4x8"}, WORMHOLE)
    assert (at_4x8.after.l1_bytes, at_4x8.fits) == (32 * 16 * 2048, True)
    live = 1_000_000
    crowded = edited(at_8x8.layout, shape, {"grid_shape": "4x8"}, WORMHOLE, live_l1_bytes=live)
    assert crowded.live_l1_bytes == live + 16 * 16 * 2048
    assert crowded.fits is False
    assert crowded.l1_fraction == crowded.live_l1_bytes / WORMHOLE.chip.l1_usable_bytes


def test_a_tensor_larger_than_dram_does_not_fit():
    outcome = edited(DRAM, (200_000, 200_000), {"data_type": "f32"}, WORMHOLE)
    assert outcome.fits is False
    assert [rule.name for rule in outcome.broken] == ["tensor larger than DRAM"]


def test_system_memory_has_no_memory_layout_and_back_it_needs_one():
    out = edited(DRAM, SHAPE, {"buffer_type": "system_memory"}, WORMHOLE)
    assert out.layout.tensor_memory_layout is None
    assert out.is_legal
    back = edited(out.layout, SHAPE, {"buffer_type": "dram"}, WORMHOLE)
    assert back.layout.tensor_memory_layout == "interleaved"
    forced = {"buffer_type": "system_memory", "tensor_memory_layout": "interleaved"}
    broken = edited(DRAM, SHAPE, forced, WORMHOLE).broken
    assert [rule.name for rule in broken] == ["memory layout in system memory"]


def test_what_studio_cannot_compute_is_said():
    outcome = edited(DRAM, SHAPE, {"tensor_memory_layout": "nd_sharded"}, WORMHOLE)
    assert (outcome.layout, outcome.fits, outcome.after.dram_bytes) == (None, None, None)
    assert "cannot compute" in outcome.notes[-1]


def test_row_major_block_formats_break_a_rule():
    outcome = edited(DRAM, SHAPE, {"data_type": "bfp_bf8", "memory_layout": "row_major"}, WORMHOLE)
    assert "block format without tiles" in [rule.name for rule in outcome.broken]


@pytest.mark.parametrize(
    "changes",
    [{"shape": "[1]"}, {"grid_shape": "8"}, {"grid_shape": "0x1"}, {"grid_shape": "axb"},
     {"data_type": "f8"}, {"buffer_type": ""}, {"grid_shape": "99999x1"}],
)  # fmt: skip
def test_a_value_that_no_layout_can_have(changes):
    with pytest.raises(InvalidRequestError):
        edited(DRAM, SHAPE, changes, WORMHOLE)


def test_bytes_of_the_whole_tensor_count_its_padding():
    assert tensor_bytes(DRAM, (30, 10)) == 4096
    assert tensor_bytes(Layout((1, 1), (1, 1), Element("f32"), "dram", "interleaved"), (3, 5)) == 60


options = {
    "tensor_memory_layout": st.sampled_from(
        ["interleaved", "height_sharded", "width_sharded", "block_sharded", "nd_sharded", "none"]
    ),
    "buffer_type": st.sampled_from(BUFFER_TYPES),
    "memory_layout": st.sampled_from(["row_major", "tile"]),
    "data_type": st.sampled_from(["f32", "bf16", "bfp_bf8", "i1"]),
    "grid_shape": st.tuples(st.integers(1, 200), st.integers(1, 200)).map("{0[0]}x{0[1]}".format),
}


@settings(max_examples=60, deadline=None)
@given(
    st.fixed_dictionaries({}, optional=options),
    st.lists(st.integers(0, 10**9), max_size=5),
    st.sampled_from([WORMHOLE, BLACKHOLE]),
)
def test_any_edit_has_an_outcome_and_none_loses_bytes(changes, shape, system):
    outcome = edited(DRAM, shape, changes, system)
    assert set(changes) <= set(LAYOUT_KEYS)
    if outcome.layout is None or outcome.layout.shard_bytes is None:
        return
    assert parse_layout(outcome.text) == outcome.layout
    whole, size = outcome.layout.shard_bytes, tensor_bytes(outcome.layout, shape)
    parts = outcome.layout.num_shards
    if outcome.layout.buffer_type in ("l1", "l1_small") and not outcome.layout.is_sharded:
        parts = system.chip.num_cores
    assert whole * parts >= size


def test_limits_of_a_grid_are_those_of_the_chip_and_the_sharding():
    assert grid_spec(BLACKHOLE, "block_sharded").max_values == (10, 13)
    assert grid_spec(BLACKHOLE, "height_sharded").max_values == (130, 1)
    assert grid_spec(WORMHOLE, "width_sharded").max_values == (1, 64)
    assert grid_spec(WORMHOLE).max_value == 8
    assert tuple(layout_specs(WORMHOLE)) == LAYOUT_KEYS
    assert CONV2D_SPECS["act_block_h_override"].step == 32
