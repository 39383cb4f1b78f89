"""Rules of layouts: the verifier's own sentences, and every other rule broken once."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from studio_core.hardware.layouts import CoreRange, Element, Layout, parse_layout
from studio_core.hardware.legality import broken_rules
from studio_core.hardware.liveness import layout_of
from studio_core.hardware.system import builtin_system
from studio_core.mlir.reader import read_mlir

NEGATIVE = Path(__file__).parents[4] / "shared/data/mlir/Dialect__TTNN__layout_encoding.mlir"
WORMHOLE = builtin_system()
BF16 = Element("bf16", (32, 32))
LEGAL = Layout((4, 8), (2, 2), BF16, "l1", "block_sharded", (CoreRange((0, 0), (7, 3)),))
DRAM = Layout((1, 1), (4, 4), BF16, "dram", "interleaved")


def names(layout):
    return [rule.name for rule in broken_rules(layout, WORMHOLE)]


@pytest.mark.parametrize(
    "layout", [LEGAL, DRAM, Layout((1, 1), (32, 32), Element("f32"), "system_memory")]
)
def test_a_legal_layout_breaks_no_rule(layout):
    assert names(layout) == []


def test_as_many_shards_as_banks_or_cores_are_legal():
    banks = (CoreRange((0, 0), (11, 0)),)
    assert names(Layout((1, 12), (1, 1), BF16, "dram", "width_sharded", banks)) == []
    assert names(Layout((64, 1), (1, 1), BF16, "l1", "height_sharded", LINE)) == []


LINE = (CoreRange((0, 0), (7, 7)),)


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        (replace(DRAM, buffer_type="system_memory"), "memory layout in system memory"),
        (replace(DRAM, tensor_memory_layout=None), "no memory layout"),
        (replace(LEGAL, core_ranges=None), "no core ranges"),
        (replace(LEGAL, core_ranges=()), "no core ranges"),
        (replace(DRAM, buffer_type="disk"), "unknown buffer type"),
        (replace(DRAM, grid=(1,)), "grid axes"),
        (replace(LEGAL, tensor_memory_layout="height_sharded"), "height-sharded grid"),
        (replace(LEGAL, tensor_memory_layout="width_sharded"), "width-sharded grid"),
        (replace(LEGAL, grid=(8, 9), core_ranges=None), "block-sharded grid"),
        (replace(DRAM, grid=(8, 8)), "interleaved grid"),
        (Layout((65, 1), (1, 1), BF16, "l1", "height_sharded", LINE), "more shards than cores"),
        (replace(LEGAL, buffer_type="dram", grid=(1, 2)), "block sharding in DRAM"),
        (
            Layout((1, 13), (1, 1), BF16, "dram", "width_sharded", LINE),
            "more shards than DRAM channels",
        ),
        (replace(LEGAL, core_ranges=(CoreRange((0, 0), (8, 3)),)), "core outside the chip"),
        (replace(LEGAL, core_ranges=(CoreRange((0, 0), (0, 3)),)), "fewer cores than shards"),
        (replace(DRAM, element=Element("i1", (32, 32))), "unsupported data type"),
        (replace(DRAM, element=Element("bfp_bf8")), "block format without tiles"),
        (replace(DRAM, element=Element("bf16", (8, 8))), "unsupported tile size"),
        (replace(LEGAL, memref_shape=(100, 100)), "shard larger than L1"),
        (replace(DRAM, memref_shape=(10**5, 10**5)), "tensor larger than DRAM"),
    ],
)
def test_a_broken_rule_is_named_with_its_reason_and_remedy(layout, name):
    broken = {rule.name: rule for rule in broken_rules(layout, WORMHOLE)}
    assert name in broken
    assert broken[name].reason.endswith((".", "core_range_set"))
    assert broken[name].remedy.endswith(".")


def test_a_virtual_grid_is_not_measured_by_the_sharding():
    text = (
        "#ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <6x2>, memref<1x1x!ttcore.tile<32x32, bf16>, "
        "#ttnn.buffer_type<l1>>, <height_sharded>, core_ranges = #ttnn.core_range_set<"
        "[#ttnn.core_range<(0,0), (5,1)>]>{}>"
    )
    assert names(parse_layout(text.format(", exactGrid = true"))) == []
    assert names(parse_layout(text.format(""))) == ["height-sharded grid"]


VERIFIER = (
    "Memory layout is not allowed for SystemMemory buffer type.",
    "sharded TTNN layout (width_sharded) must carry a core_range_set",
    "Memory layout is required for non-SystemMemory buffer type.",
)


def test_the_verifiers_sentences():
    broken = [
        replace(DRAM, buffer_type="system_memory"),
        Layout((1, 8), (1, 1), BF16, "l1", "width_sharded"),
        replace(DRAM, tensor_memory_layout=None),
    ]
    said = [[rule.reason for rule in broken_rules(layout, WORMHOLE)] for layout in broken]
    assert said == [[sentence] for sentence in VERIFIER]


@pytest.mark.skipif(not NEGATIVE.is_file(), reason="the shared files of tt-mlir are not here")
def test_the_compilers_negative_tests_are_found_one_for_one():
    wanted = re.findall(r"// CHECK: error: (.*)", NEGATIVE.read_text(encoding="utf-8"))
    modules = read_mlir(NEGATIVE).modules
    assert len(wanted) == len(modules) == 3
    for sentence, module in zip(wanted, modules, strict=True):
        layouts = {layout_of(v) for o in module.walk() for v in (*o.operands, *o.results)}
        for layout in layouts - {None}:
            assert broken_rules(layout, WORMHOLE)[0].reason == sentence
