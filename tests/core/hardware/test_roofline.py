"""The roofline: published numbers reproduced, own cases worked by hand, unknown never 0."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from studio_core.hardware.roofline import CYCLES, module_roofline, peak_flops
from studio_core.hardware.system import builtin_system, system_in_use
from studio_core.limits import Limits
from studio_core.mlir.reader import parse_mlir, read_mlir

SHARED = Path(__file__).parents[4] / "shared" / "data" / "mlir"
OWN = Path(__file__).parents[2] / "data" / "mlir"
PUBLISHED = sorted(SHARED.glob("*perf_targets*.mlir"))
WORMHOLE = builtin_system()


def rooflines(path):
    module = read_mlir(path).modules[0]
    return module_roofline(module, system_in_use(module))


def by_name(found):
    return {op.name: op for op in found.ops.values() if op.name}


def published(path):
    """The numbers that a test of the compiler expects, by key; a key met often has many."""
    found = {}
    for key, value in re.findall(r'// CHECK:\s+"(\w+)": "?([\w.]+)"?', path.read_text("utf-8")):
        found.setdefault(key, []).append(value)
    return found


def is_printed_as(value, text):
    """Whether a number begins as the text does, which may be cut short."""
    return f"{value:.12f}".startswith(text) or f"{value + 1e-9:.12f}".startswith(text)


@pytest.mark.skipif(not PUBLISHED, reason="the shared files of tt-mlir are not here")
@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_the_published_numbers(path):
    wanted, found = published(path), rooflines(path)
    sums = found.published
    if "roofline_ms" in wanted:
        assert is_printed_as(sums.roofline_ms, wanted["roofline_ms"][0])
        assert is_printed_as(sums.estimate_ms, wanted["top_perf_estimate_ms"][0])
        assert sums.params_count == int(wanted["params_count"][0])
        assert sums.params_memory_bytes == int(wanted["params_memory_bytes"][0])
        assert sums.num_dram_bound == int(wanted["dram_bound_ops"][0])
        assert sums.num_compute_bound == int(wanted["compute_bound_ops"][0])
        assert sums.num_skipped == int(wanted["skipped_ops"][0])
    if "total_flops" in wanted:
        counted = [op for op in found.ops.values() if op.flops]
        assert [op.operation for op in counted] == wanted["operation"]
        assert [op.flops for op in counted] == list(map(int, wanted["flops"]))
        assert {op.math_fidelity for op in counted} == set(wanted["math_fidelity"])
        assert found.total_flops == int(wanted["total_flops"][0])
        assert found.peak_flops == pytest.approx(int(wanted["peak_flops_per_sec"][0]))
        for fidelity in CYCLES:
            assert int(peak_flops(WORMHOLE, fidelity)) == int(wanted[fidelity][0])
    assert "roofline_ms" in wanted or "total_flops" in wanted


def test_a_step_of_decoding_is_bound_by_dram():
    found = rooflines(OWN / "hw_decode_projection.mlir")
    op = by_name(found)["project"]
    assert op.weight_scalars == 2048 * 2048
    assert op.weight_bytes == 2048 * 2048 * 17 // 16
    assert op.tile_multiplications == 64 * 64
    assert op.dram_ms == pytest.approx(2048 * 2048 * 17 / 16 / 288e9 * 1e3)
    assert op.compute_ms == pytest.approx(64 * 64 * 32 / (32 * 1e9) * 1e3)  # 4 × 8 cores
    assert op.bound == "DRAM"
    assert op.estimate_ms == pytest.approx(op.roofline_ms / 0.7)
    assert op.flops == 2 * 2048 * 2048
    assert op.reason == ""


def test_a_product_of_two_activations_is_unknown_not_nothing():
    found = rooflines(OWN / "hw_decode_projection.mlir")
    score = by_name(found)["score"]
    assert (score.roofline_ms, score.estimate_ms, score.bound) == (None, None, None)
    assert "weight" in score.reason
    assert score.flops == 2 * 2048
    relu = by_name(found)["relu"]
    assert (relu.flops, relu.roofline_ms) == (None, None)
    assert "matrix products" in relu.reason
    assert found.published.num_skipped == 1
    assert found.num_unknown == 3  # with the return


def test_flops_worked_by_hand():
    found = rooflines(OWN / "hw_counted_ops.mlir")
    flops = {name: op.flops for name, op in by_name(found).items()}
    assert flops == {
        "product": 2 * 64 * 96 * 32,
        "convolution": 2 * 400 * 3 * 15,
        "transposed": 2 * 300 * 4 * 4,
        "attention": 2 * 2 * 64 * 128 * (32 + 32),
        "causal": 2 * 64 * 128 * (32 + 32),
        "sum": None,
    }
    assert found.total_flops == sum(f for f in flops.values() if f)
    assert found.peak_flops == pytest.approx(peak_flops(WORMHOLE, "hifi2"))


def test_tile_multiplications_worked_by_hand():
    ops = by_name(rooflines(OWN / "hw_counted_ops.mlir"))
    assert ops["product"].tile_multiplications == 2 * 3 * 1
    assert ops["convolution"].tile_multiplications == 2 * 4 * 2 * 1  # groups · 100 · 45 · 2
    assert ops["attention"].tile_multiplications == 2 * (2 * 1 * 4 + 2 * 4 * 1)
    assert ops["causal"].tile_multiplications == ops["attention"].tile_multiplications // 2


def test_an_assumed_weight_is_said_and_left_out_of_the_published_sums():
    found = rooflines(OWN / "hw_counted_ops.mlir")
    product = by_name(found)["product"]
    assert product.is_assumed
    assert product.roofline_ms is not None
    assert "Assumes" in product.reason
    assert found.published.roofline_ms is None
    assert found.published.num_skipped == 3
    assert found.total.roofline_ms is not None


def test_an_op_of_a_const_eval_function_runs_once_and_is_not_counted():
    assert "once" not in by_name(rooflines(OWN / "hw_counted_ops.mlir"))


def test_moving_tensors_through_dram_is_known_for_any_op_with_layouts():
    found = rooflines(OWN / "hw_decode_projection.mlir")
    ops = by_name(found)
    assert ops["relu"].moved_bytes == 2 * 2048 * 2  # a row of bf16 in, one out; no padding
    assert ops["relu"].ideal_ms == pytest.approx(2 * 2048 * 2 / 288e9 * 1e3)
    project = ops["project"]
    assert project.moved_bytes == (2048 * 2048 + 2 * 2048) * 2
    assert project.ideal_ms == pytest.approx(project.moved_bytes / 288e9 * 1e3)
    assert by_name(rooflines(OWN / "hw_counted_ops.mlir"))["sum"].moved_bytes is None
    chain = by_name(rooflines(OWN / "hw_sharded_chain.mlir"))
    assert chain["shard"].moved_bytes == 256 * 512 * 2
    assert chain["relu"].moved_bytes == 0  # both ends are in L1


def one(operands, operation, arch="wormhole_b0"):
    text = f"module {{ func.func @f({operands}) {{ {operation} return }} }}"
    module = parse_mlir(text, limits=Limits(max_elements=10**400)).modules[0]
    return next(iter(module_roofline(module, builtin_system(arch)).ops.values()))


@pytest.mark.parametrize("arch", ["wormhole_b0", "blackhole"])
def test_the_reference_case(arch):
    mark = "{ttcore.argument_type = #ttcore.argument_type<parameter>}"
    op = one(
        f"%a: tensor<1x4096xbf16>, %b: tensor<4096x4096xbf16> {mark}",
        '%0 = "ttir.matmul"(%a, %b) : (tensor<1x4096xbf16>, tensor<4096x4096xbf16>)'
        " -> tensor<1x4096xbf16>",
        arch,
    )
    expected = {"wormhole_b0": 0.061895, "blackhole": 17_825_792 / 512e9 * 1e3}[arch]
    assert op.roofline_ms == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("loaded", "made", "is_weight"),
    [("64x64", "64x64", True), ("64x64", "4096x1", True), ("1x64", "64x64", False)],
)
def test_what_is_loaded_with_its_volume_unchanged_is_a_weight(loaded, made, is_weight):
    rows = made.split("x")[0]
    text = f"""
    module {{ func.func @f(%a: tensor<1x{rows}xbf16>, %w: tensor<{loaded}xbf16>) {{
      %0 = "ttcore.load_cached"(%w) <{{callee = @c}}>
        : (tensor<{loaded}xbf16>) -> tensor<{made}xbf16>
      %1 = "ttnn.matmul"(%a, %0)
        : (tensor<1x{rows}xbf16>, tensor<{made}xbf16>) -> tensor<1x1xbf16> loc("p")
      return }} }}"""
    op = by_name(module_roofline(parse_mlir(text).modules[0], WORMHOLE))["p"]
    assert (op.roofline_ms is not None, op.is_assumed) == (is_weight, False)


def test_other_dialects_say_the_same():
    ttir = one(
        "%a: tensor<2x64x96xf32>, %b: tensor<2x96x32xf32>",
        '%0 = "ttir.dot_general"(%a, %b) <{batch_dims_lhs = array<i64: 0>, '
        "batch_dims_rhs = array<i64: 0>, contract_dims_lhs = array<i64: 2>, "
        "contract_dims_rhs = array<i64: 1>}> : (tensor<2x64x96xf32>, tensor<2x96x32xf32>)"
        " -> tensor<2x64x32xf32>",
    )
    stablehlo = one(
        "%a: tensor<2x64x96xf32>, %b: tensor<2x96x32xf32>",
        "%0 = stablehlo.dot_general %a, %b, batching_dims = [0] x [0], "
        "contracting_dims = [2] x [1] : (tensor<2x64x96xf32>, tensor<2x96x32xf32>)"
        " -> tensor<2x64x32xf32>",
    )
    assert ttir.flops == stablehlo.flops == 2 * 2 * 64 * 96 * 32
    assert ttir.tile_multiplications == stablehlo.tile_multiplications == 2 * 2 * 3 * 1


@pytest.mark.parametrize(
    "operation",
    [
        '%0 = "ttnn.matmul"(%a, %b) : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>',
        '%0 = "ttnn.matmul"(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>',
        '%0 = "ttnn.conv2d"(%b, %b) <{groups = 0 : i32}> : (tensor<4x4xf32>, tensor<4x4xf32>)'
        " -> tensor<4x4xf32>",
        '%0 = "ttnn.scaled_dot_product_attention"(%b, %b, %b) : (tensor<4x4xf32>, '
        "tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>",
        '%0 = "stablehlo.dot_general"(%b, %b) : (tensor<4x4xf32>, tensor<4x4xf32>)'
        " -> tensor<4x4xf32>",
        '%0 = "made.up"(%b) : (tensor<4x4xf32>) -> tensor<4x4xf32>',
    ],
)
def test_what_cannot_be_counted_is_unknown(operation):
    op = one("%a: tensor<?x4xf32>, %b: tensor<4x4xf32>", operation)
    assert op.roofline_ms is None
    assert op.reason


def test_numbers_no_float_can_hold_are_unknown():
    side = "999999999999999999"
    huge = "x".join([side] * 18)
    op = one(
        f"%a: tensor<{huge}x1x1xf32>, %b: tensor<{huge}x1x1xf32>",
        f'%0 = "ttnn.matmul"(%a, %b) : (tensor<{huge}x1x1xf32>, tensor<{huge}x1x1xf32>)'
        f" -> tensor<{huge}x1x1xf32>",
    )
    assert (op.roofline_ms, op.flops) == (None, None)
    assert "too large" in op.reason
