"""What is noticed about a module: memory, overrides, runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from studio_core.execution.records import RunSettings
from studio_core.explorer.exploration import OPTIMIZER_DISABLED, Exploration, open_exploration
from studio_core.findings import module_findings

FAST = RunSettings(warmup=0, iterations=1)

# x and y live in L1; %0 goes out to DRAM in between, unless told otherwise.
CHAIN = """\
#dram = #ttnn.buffer_type<dram>
#l1 = #ttnn.buffer_type<l1>
#in = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <8x8>, memref<{rows}x{columns}x!ttcore.tile<32x32, bf16>, #l1>, <block_sharded>>
#mid = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <{grid}>, memref<{middle}x!ttcore.tile<32x32, bf16>, {place}>, <{kind}>>
func.func @f(%arg0: tensor<{height}x{width}xbf16, #in>) -> tensor<{height}x{width}xbf16, #in> {{
  %0 = "ttnn.relu"(%arg0) : (tensor<{height}x{width}xbf16, #in>) -> tensor<{height}x{width}xbf16, #mid> loc("first")
  %1 = "ttnn.relu"(%0) : (tensor<{height}x{width}xbf16, #mid>) -> tensor<{height}x{width}xbf16, #in> loc("second")
  return %1 : tensor<{height}x{width}xbf16, #in>
}}
"""  # noqa: E501

Opened = Callable[..., Exploration]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    def make(text: str) -> Exploration:
        path = tmp_path / "chain.mlir"
        path.write_text(text, encoding="utf-8")
        return open_exploration(path)

    return make


def chain(rows: int = 1, columns: int = 1, *, in_l1: bool = False) -> str:
    place = ("#l1", "block_sharded", "8x8") if in_l1 else ("#dram", "interleaved", "1x1")
    middle = f"{rows}x{columns}" if in_l1 else f"{8 * rows}x{8 * columns}"
    return CHAIN.format(
        rows=rows, columns=columns, height=256 * rows, width=256 * columns,
        middle=middle, place=place[0], kind=place[1], grid=place[2],
    )  # fmt: skip


def names(exploration: Exploration, policy: str = OPTIMIZER_DISABLED) -> list[str]:
    return [finding.name for finding in module_findings(exploration, policy)]


def test_a_tensor_that_goes_out_to_dram_and_back_is_found(opened: Opened) -> None:
    exploration = opened(chain())
    (finding,) = [f for f in module_findings(exploration) if f.name == "spilled to DRAM"]
    assert exploration.graph.by_id[finding.subject or ""].label == "ttnn.relu"
    # 64 tiles of 2048 bytes, there and back; 288 GB/s.
    assert finding.evidence.startswith("256 kB are written")
    assert "0.91 µs" in finding.evidence


def test_a_tensor_that_stays_in_l1_is_no_spill(opened: Opened) -> None:
    assert "spilled to DRAM" not in names(opened(chain(in_l1=True)))


def test_l1_over_its_limit_is_an_error(opened: Opened) -> None:
    # 20 × 20 tiles of 2048 bytes a core, twice: 1.6 MB of 1.4.
    exploration = opened(chain(20, 20, in_l1=True))
    first = module_findings(exploration)[0]
    assert (first.name, first.severity) == ("L1 over limit", "error")
    assert "At least 1.56 MB" in first.evidence
    assert "L1 over limit" not in names(opened(chain(10, 10, in_l1=True)))


def test_an_assumed_chip_is_said(opened: Opened) -> None:
    assert "chip assumed" in names(opened(chain()))


def test_a_module_without_layouts_has_unknown_memory(opened: Opened) -> None:
    text = """\
func.func @f(%arg0: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %0 = "ttir.relu"(%arg0) : (tensor<4x4xf32>) -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}
"""
    assert names(opened(text)) == ["memory unknown"]


def test_overrides_are_checked_before_a_run_and_compared_after_it(opened: Opened) -> None:
    exploration = opened(chain(in_l1=True))
    node = next(n for n in exploration.graph.nodes if n.label == "ttnn.relu")
    exploration.edit(node.id, "grid_shape", "4x8")
    before = module_findings(exploration, OPTIMIZER_DISABLED)
    assert before[0].name == "optimizer off"
    for _ in exploration.run(OPTIMIZER_DISABLED, settings=FAST):
        pass
    after = module_findings(exploration, OPTIMIZER_DISABLED)
    (missed,) = [f for f in after if f.name == "override not applied"]
    assert (missed.subject, missed.attribute) == (node.id, "grid_shape")
    assert "random inputs" in [f.name for f in after]


def test_an_override_that_breaks_a_rule_points_to_its_node(opened: Opened) -> None:
    exploration = opened(chain(in_l1=True))
    node = next(n for n in exploration.graph.nodes if n.label == "ttnn.relu")
    exploration.edit(node.id, "buffer_type", "dram")
    illegal = [f for f in module_findings(exploration) if f.name.startswith("illegal layout")]
    assert illegal
    assert {f.subject for f in illegal} == {node.id}


def test_an_inaccurate_op_is_named(opened: Opened) -> None:
    text = """\
func.func @f(%arg0: tensor<64x64xf32>) -> tensor<64x64xf32> {
  %0 = "ttir.relu"(%arg0) : (tensor<64x64xf32>) -> tensor<64x64xf32> loc("r")
  return %0 : tensor<64x64xf32>
}
"""
    exploration = opened(text)
    node = next(n for n in exploration.graph.nodes if n.label == "ttir.relu")
    exploration.edit(node.id, "data_type", "bfp_bf2")
    for _ in exploration.run(settings=FAST):
        pass
    found = [f for f in module_findings(exploration) if f.name == "inaccurate op"]
    assert [f.subject for f in found] == [node.id]
