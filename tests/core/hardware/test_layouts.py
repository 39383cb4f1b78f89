"""Layouts: published forms read, hand-worked bytes, and writing loses nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio_core.hardware.configs import CONV2D_CONFIG, format_config, parse_config
from studio_core.hardware.data_types import DATA_TYPES, data_type_of, scalar_bytes, tile_bytes
from studio_core.hardware.layouts import (
    BUFFER_TYPES,
    TENSOR_MEMORY_LAYOUTS,
    CoreRange,
    Element,
    Layout,
    format_layout,
    parse_core_ranges,
    parse_layout,
)

L1 = "#ttnn.buffer_type<l1>"
WIDTH = (
    f"#ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x12>, memref<1x2x!ttcore.tile<32x32, bf16>, {L1}>, "
    "<width_sharded>, core_ranges = #ttnn.core_range_set<[#ttnn.core_range<(0,0), (7,0)>, "
    "#ttnn.core_range<(0,1), (3,1)>]>>"
)


def test_a_sharded_layout_with_two_rectangles_of_cores():
    layout = parse_layout(WIDTH)
    assert layout is not None
    assert layout.grid == (1, 12)
    assert layout.memref_shape == (1, 2)
    assert layout.element == Element("bf16", (32, 32))
    assert (layout.buffer_type, layout.tensor_memory_layout) == ("l1", "width_sharded")
    assert layout.core_ranges == (CoreRange((0, 0), (7, 0)), CoreRange((0, 1), (3, 1)))
    assert sum(r.num_cores for r in layout.core_ranges) == 12
    assert layout.shard_bytes == 2 * 2048
    assert layout.map == "(d0, d1) -> (d0, d1)"
    assert format_layout(layout) == WIDTH == layout.text


def test_the_values_shown_of_a_layout():
    assert parse_layout(WIDTH).values() == {
        "tensor_memory_layout": "width_sharded",
        "grid_shape": "1x12",
        "memref_shape": "[1, 2]",
        "buffer_type": "l1",
        "memory_layout": "tile",
        "data_type": "bf16",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "#ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x1>, "
            "memref<32x4xui8, #ttnn.buffer_type<system_memory>>>",
            {"memory_layout": "row_major", "data_type": "u8", "tensor_memory_layout": "none"},
        ),
        (
            "#ttnn.ttnn_layout<(d0) -> (0, d0), <8x8, (d0, d1) -> (0, d0, d1)>, "
            f'mesh = <"m">, memref<1x1x!tt.tile<32x32, f32>, {L1}>, <block_sharded>, '
            "exactGrid = true>",
            {"grid_shape": "8x8", "buffer_type": "l1", "tensor_memory_layout": "block_sharded"},
        ),
        (
            f"#ttnn.ttnn_nd_layout<<2x2>, memref<1x1x!ttcore.tile<32x32, bfp_bf8>, {L1}>, "
            "<nd_sharded>, <row_major>, <grid_2d>>",
            {"grid_shape": "2x2", "tensor_memory_layout": "nd_sharded", "data_type": "bfp_bf8"},
        ),
    ],
)
def test_other_forms_are_read_and_written_back(text, expected):
    layout = parse_layout(text)
    assert layout is not None
    assert expected.items() <= layout.values().items()
    assert parse_layout(format_layout(layout)) == layout


def test_nothing_of_a_form_is_lost():
    text = (
        "#ttnn.ttnn_layout<(d0) -> (0, d0), <8x8, (d0, d1) -> (0, d0, d1)>, mesh = <4x2>, "
        f"memref<1x1x!ttcore.tile<32x32, f32>, {L1}>, <block_sharded>, exactGrid = true>"
    )
    assert format_layout(parse_layout(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "#ttnn.ttnn_layout<>",
        "#ttnn.ttnn_layout<(d0) -> (d0), <1x1>>",
        "#ttnn.ttnn_layout<(d0) -> (d0), memref<1x1xf32, #l1>>",
        "#ttnn.ttnn_layout<(d0) -> (d0), <1x1>, memref<?xf32, #l1",
        "#ttnn.ttnn_layout<(d0) -> (d0), <1x1>, memref<1xf32>>",
        "#ttcore.metal_layout<logical_shape = 32x32, undef, l1, sharded>",
        "#mhlo.sharding<1x1>",
    ],
)
def test_what_is_no_layout_is_none(text):
    assert parse_layout(text) is None


@given(st.text(alphabet='#ttnn.ttnn_layout<>()[]{}",=x0123456789memref-> ', max_size=120))
def test_no_text_crashes_the_reader(text):
    parse_layout(text)
    parse_layout("#ttnn.ttnn_layout<" + text)
    parse_core_ranges(text)
    parse_config("#ttnn.conv2d_config<" + text)


@pytest.mark.parametrize(
    ("data_type", "expected"),
    [("f32", 4096), ("u32", 4096), ("si32", 4096), ("bf16", 2048), ("f16", 2048), ("u16", 2048),
     ("bfp_bf8", 1088), ("bfp_f8", 1088), ("bfp_bf4", 576), ("bfp_f4", 576), ("bfp_bf2", 320),
     ("bfp_f2", 320), ("u8", 1024), ("i1", None), ("complex<f32>", None)],
)  # fmt: skip
def test_bytes_of_a_tile(data_type, expected):
    assert tile_bytes(data_type) == expected


def test_a_block_format_has_no_scalars():
    assert scalar_bytes("bfp_bf8") is None
    assert Layout((1, 1), (4, 4), Element("bfp_bf8"), "l1").shard_bytes is None
    assert data_type_of("ui32") == "u32"


dimension = st.integers(1, 1 << 30)
corner = st.tuples(st.integers(0, 20), st.integers(0, 20))
elements = st.builds(
    Element,
    st.sampled_from(DATA_TYPES),
    st.none() | st.sampled_from([(32, 32), (16, 16)]),
)
layouts = st.builds(
    Layout,
    grid=st.tuples(dimension, dimension),
    memref_shape=st.tuples(dimension, dimension),
    element=elements,
    buffer_type=st.sampled_from(BUFFER_TYPES),
    tensor_memory_layout=st.none() | st.sampled_from(TENSOR_MEMORY_LAYOUTS),
    core_ranges=st.none() | st.lists(st.builds(CoreRange, corner, corner), max_size=3).map(tuple),
    map=st.sampled_from(["(d0, d1) -> (d0, d1)", "(d0, d1, d2) -> (d0 * 32 + d1, d2)"]),
    mesh=st.none() | st.just('"mesh"'),
)


@given(layouts)
def test_what_is_written_is_read_back_equal(layout):
    assert parse_layout(format_layout(layout)) == layout


def test_a_configuration_is_read_with_its_wrapped_words():
    text = (
        "#ttnn.conv2d_config<weights_dtype = bf16, activation = <op_type = relu>, "
        "act_block_h_override = 64, shard_layout = #ttnn.tensor_memory_layout<height_sharded>, "
        "core_grid = #ttnn.core_range_set<>, transpose_shards = true>"
    )
    values = parse_config(text, CONV2D_CONFIG)
    assert values["weights_dtype"] == "bf16"
    assert values["shard_layout"] == "height_sharded"
    assert values["act_block_h_override"] == "64"
    assert parse_config(format_config(CONV2D_CONFIG, values)) == values
    assert parse_config(text, "other_config") is None
    assert parse_config("#ttnn.buffer_type<l1>") is None
