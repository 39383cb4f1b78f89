"""Whole modules: choosing a function, calls, loops, branches, what cannot be lowered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import special

from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.execution.lowering import entry, functions, lower, unlowerable
from studio_core.mlir.reader import parse_mlir, read_mlir
from studio_core.mlir.records import Value

DATA = Path(__file__).parents[2] / "data" / "mlir"
SHARED = Path(__file__).parents[4] / "shared" / "data" / "mlir"
RNG = np.random.default_rng(3)


def f(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def opened(name: str):
    return read_mlir(DATA / name).modules[0]


def test_a_perceptron_with_outputs_as_operands(outputs):
    x, w1, b1, w2 = f(2, 8), f(8, 16), f(16), f(16, 4)
    (found,) = outputs(opened("run_mlp.mlir"), {"x": x, "w1": w1, "b1": b1, "w2": w2})
    expected = special.softmax(np.maximum(x @ w1 + b1, 0) @ w2, axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_convolutional_net(outputs):
    x, w, b, fc = f(1, 8, 8, 3), f(4, 3, 3, 3), f(1, 1, 1, 4), f(4, 5)
    (found,) = outputs(opened("run_convnet.mlir"), [x, w, b, fc])
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    hidden = np.maximum(np.einsum("nhwckl,ockl->nhwo", patches, w) + b, 0)
    pooled = hidden.reshape(1, 4, 2, 4, 2, 4).max(axis=(2, 4))
    np.testing.assert_allclose(found, pooled.mean(axis=(1, 2)) @ fc, rtol=1e-4, atol=1e-5)


def test_a_cache_is_written_in_place_and_a_constant_comes_from_its_function(outputs):
    table, cache = f(11, 8), f(1, 2, 6, 4)
    given = {"token": np.array([[7]]), "table": table, "cache": cache, "position": np.array([2])}
    attended, kept = outputs(opened("run_attention.mlir"), given)
    step = table[7].reshape(1, 2, 1, 4)
    cache[:, :, 2:3] = step
    weights = special.softmax(step @ cache.swapaxes(-1, -2) * 0.5, axis=-1)
    np.testing.assert_allclose(attended, weights @ cache, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(kept, cache)


def test_an_output_operand_need_not_be_an_empty_tensor(parse, outputs):
    text = """
    func.func @main(%arg0: tensor<2x2xf32>, %arg1: tensor<2x2xf32>) -> tensor<2x2xf32> {
      %0 = "ttir.neg"(%arg0, %arg1) : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
      %1 = ttir.empty() : tensor<2x2xf32>
      %2 = "ttir.add"(%0, %1) : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
      %3 = "ttir.matmul"(%2, %arg0, %1)
        : (tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
      %4 = "ttir.concat"(%arg0, %3, %arg1) <{dim = 0 : si32}>
        : (tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<6x2xf32>
      return %4 : tensor<6x2xf32>
    }"""
    x, y = f(2, 2), f(2, 2)
    (found,) = outputs(parse(text.replace("-> tensor<2x2xf32> {", "-> tensor<6x2xf32> {")), [x, y])
    np.testing.assert_allclose(found, np.concatenate([x, -x @ x, y]), rtol=1e-5, atol=1e-6)


TWO = """
module {
  func.func private @helper(%arg0: tensor<2xf32>) -> tensor<2xf32> {
    %0 = "ttir.neg"(%arg0) : (tensor<2xf32>) -> tensor<2xf32>
    return %0 : tensor<2xf32>
  }
  func.func @other(%arg0: tensor<2xf32>) -> tensor<2xf32> {
    %0 = call @helper(%arg0) : (tensor<2xf32>) -> tensor<2xf32>
    %1 = call @helper(%0) : (tensor<2xf32>) -> tensor<2xf32>
    %2 = "ttir.add"(%1, %0) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    return %2 : tensor<2xf32>
  }
  func.func @forward(%arg0: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
    return %arg0, %arg0 : tensor<2xf32>, tensor<2xf32>
  }
}
"""


def test_which_function_runs(parse):
    module = parse(TWO)
    assert [o.symbol for o in functions(module)] == ["helper", "other", "forward"]
    assert entry(module).symbol == "forward"
    assert entry(module, "helper").symbol == "helper"
    assert entry(parse(TWO.replace("@forward", "@later"))).symbol == "other"
    with pytest.raises(NotFoundError, match=r"no function 'absent'; it has 'helper', 'other'"):
        entry(module, "absent")
    with pytest.raises(NotFoundError, match="no function that could run"):
        entry(parse("module {}"))


def test_a_called_function_is_inlined_each_time(parse, outputs):
    x = f(2)
    (found,) = outputs(parse(TWO), [x], "other")
    np.testing.assert_allclose(found, x - x, atol=1e-7)
    names = [op.name for op in lower(parse(TWO), "other").program.ops]
    assert names == ["ttir.neg", "ttir.neg", "ttir.add"]


def test_arguments_answered_as_results(parse, outputs):
    x = f(2)
    for found in outputs(parse(TWO), [x], "forward"):
        np.testing.assert_array_equal(found, x)


LOOP = """
func.func @main(%arg0: tensor<3xf32>, %arg1: tensor<i32>) -> (tensor<i32>, tensor<3xf32>) {
  %two = stablehlo.constant dense<2.0> : tensor<3xf32>
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %0:2 = stablehlo.while(%i = %zero, %x = %arg0) : tensor<i32>, tensor<3xf32>
   cond {
    %1 = stablehlo.compare LT, %i, %arg1, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %1 : tensor<i1>
  } do {
    %2 = stablehlo.multiply %x, %two : tensor<3xf32>
    %3 = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %3, %2 : tensor<i32>, tensor<3xf32>
  }
  return %0#0, %0#1 : tensor<i32>, tensor<3xf32>
}
"""


@pytest.mark.parametrize("rounds", [0, 1, 5])
def test_a_loop(parse, outputs, rounds):
    x = f(3)
    count, found = outputs(parse(LOOP), [x, np.array(rounds)])
    assert count == rounds
    np.testing.assert_allclose(found, x * 2**rounds)


BRANCHES = """
func.func @main(%arg0: tensor<i32>, %arg1: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %0 = "stablehlo.case"(%arg0) ({
    "stablehlo.return"(%arg1) : (tensor<2xf32>) -> ()
  }, {
    %2 = "stablehlo.negate"(%arg1) : (tensor<2xf32>) -> tensor<2xf32>
    "stablehlo.return"(%2) : (tensor<2xf32>) -> ()
  }, {
    %2 = "stablehlo.exponential"(%arg1) : (tensor<2xf32>) -> tensor<2xf32>
    "stablehlo.return"(%2) : (tensor<2xf32>) -> ()
  }) : (tensor<i32>) -> tensor<2xf32>
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %p = stablehlo.compare EQ, %arg0, %zero : (tensor<i32>, tensor<i32>) -> tensor<i1>
  %1 = "stablehlo.if"(%p) ({
    %2 = "stablehlo.abs"(%0) : (tensor<2xf32>) -> tensor<2xf32>
    "stablehlo.return"(%2) : (tensor<2xf32>) -> ()
  }, {
    "stablehlo.return"(%0) : (tensor<2xf32>) -> ()
  }) : (tensor<i1>) -> tensor<2xf32>
  return %0, %1 : tensor<2xf32>, tensor<2xf32>
}
"""


@pytest.mark.parametrize(
    ("choice", "function"), [(0, np.array), (1, np.negative), (2, np.exp), (9, np.exp)]
)
def test_branches(parse, outputs, choice, function):
    x = np.array([-1.5, 0.5], np.float32)
    first, second = outputs(parse(BRANCHES), [np.array(choice), x])
    np.testing.assert_allclose(first, function(x), rtol=1e-6)
    np.testing.assert_allclose(second, np.abs(x) if choice == 0 else first, rtol=1e-6)


PRETTY = """
func.func @main(%arg0: tensor<2x6x6x3xf32>, %arg1: tensor<3x3x3x4xf32>, %arg2: tensor<4x5xf32>) -> tensor<2x5xf32> {
  %c = stablehlo.constant dense<0.000000e+00> : tensor<f32>
  %0 = stablehlo.convolution(%arg0, %arg1) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<2x6x6x3xf32>, tensor<3x3x3x4xf32>) -> tensor<2x6x6x4xf32>
  %1 = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<f32>) -> tensor<2x6x6x4xf32>
  %2 = stablehlo.maximum %0, %1 : tensor<2x6x6x4xf32>
  %3 = stablehlo.reduce(%2 init: %c) applies stablehlo.add across dimensions = [1, 2] : (tensor<2x6x6x4xf32>, tensor<f32>) -> tensor<2x4xf32>
  %4 = stablehlo.dot_general %3, %arg2, contracting_dims = [1] x [0] : (tensor<2x4xf32>, tensor<4x5xf32>) -> tensor<2x5xf32>
  %5 = stablehlo.iota dim = 1 : tensor<2x5xf32>
  %6 = stablehlo.add %4, %5 : tensor<2x5xf32>
  %7 = stablehlo.slice %6 [0:2, 1:3] : (tensor<2x5xf32>) -> tensor<2x2xf32>
  %8 = stablehlo.pad %7, %c, low = [0, 2], high = [0, 1], interior = [0, 0] : (tensor<2x2xf32>, tensor<f32>) -> tensor<2x5xf32>
  return %8 : tensor<2x5xf32>
}
"""  # noqa: E501


def test_stablehlo_as_it_is_printed(parse, outputs):
    x, w, fc = f(2, 6, 6, 3), f(3, 3, 3, 4), f(4, 5)
    (found,) = outputs(parse(PRETTY), [x, w, fc])
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    hidden = np.maximum(np.einsum("nhwckl,klco->nhwo", patches, w), 0)
    scores = hidden.sum(axis=(1, 2)) @ fc + np.arange(5)
    expected = np.pad(scores[:, 1:3], ((0, 0), (2, 1)))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


REFUSED = """
func.func @main(%arg0: tensor<4xf32>, %arg1: tensor<?xf32>, %arg2: tensor<4xcomplex<f32>>) -> tensor<4xf32> {{
  %0 = {op}
  %1 = "ttir.neg"(%arg0) : (tensor<4xf32>) -> tensor<4xf32>
  return %1 : tensor<4xf32>
}}
"""  # noqa: E501


@pytest.mark.parametrize(
    ("op", "reason"),
    [
        ('"ttir.all_gather"(%arg0) : (tensor<4xf32>) -> tensor<8xf32>',
         "between chips"),
        ('"ttir.mesh_shard"(%arg0) : (tensor<4xf32>) -> tensor<2xf32>', "several chips"),
        ('"stablehlo.custom_call"(%arg0) : (tensor<4xf32>) -> tensor<4xf32>', "not in the file"),
        ('"ttnn.batch_norm_training"(%arg0) : (tensor<4xf32>) -> tensor<4xf32>', "no lowering"),
        ('"ttir.made_up"(%arg0) : (tensor<4xf32>) -> tensor<4xf32>', "no lowering"),
        ('"tosa.abs"(%arg0) : (tensor<4xf32>) -> tensor<4xf32>', "this dialect"),
        ('"ttir.reshape"(%arg0) <{shape = [5 : i32]}> : (tensor<4xf32>) -> tensor<5xf32>',
         "cannot be reshaped"),
        ('"ttir.permute"(%arg0) <{permutation = array<i64: 3>}> '
         ': (tensor<4xf32>) -> tensor<4xf32>',
         "dimension 3"),
        ('"ttir.permute"(%arg0) : (tensor<4xf32>) -> tensor<4xf32>', "no attribute permutation"),
        ('"ttir.sum"(%arg0) <{dim_arg = "no", keep_dim = 1 : i32}> '
         ': (tensor<4xf32>) -> tensor<f32>',
         "not a list"),
        ('"ttir.slice_static"(%arg0) <{begins = [0 : i32], ends = [], step = [1 : i32]}> '
         ': (tensor<4xf32>) -> tensor<4xf32>', "not written as"),
        ('"ttir.sum"(%arg0) <{keep_dim = true}> : (tensor<4xf32>) -> tensor<2xf32>',
         "module says 2"),
    ],
)  # fmt: skip
def test_what_cannot_be_lowered_is_named_with_its_reason(parse, op, reason):
    text = REFUSED.format(op=op).replace("%arg1: tensor<?xf32>, %arg2: tensor<4xcomplex<f32>>",
                                         "%arg1: tensor<4xf32>")  # fmt: skip
    (failure,) = unlowerable(parse(text))
    assert failure.operation.name == op.partition('"')[2].partition('"')[0]
    assert failure.line == 3
    assert reason in failure.reason
    with pytest.raises(InvalidRequestError, match=r"The CPU cannot run this function\. Line 3"):
        lower(parse(text))


def test_unknown_sizes_and_complex_numbers_are_refused_at_the_arguments(parse):
    for argument in (
        "%arg0: tensor<?xf32>",
        "%arg0: tensor<2xcomplex<f32>>",
        "%arg0: tensor<*xf32>",
    ):
        text = f"func.func @main({argument}) -> tensor<1xf32> {{ return %arg0 : tensor<1xf32> }}"
        (failure,) = unlowerable(parse(text))
        assert failure.operation.name == "func.func"


def test_every_failure_is_listed_and_those_after_it_are_still_checked(parse):
    text = """
    func.func @main(%arg0: tensor<4xf32>) -> tensor<4xf32> {
      %0 = "ttir.all_reduce"(%arg0) : (tensor<4xf32>) -> tensor<4xf32>
      %1 = "ttir.neg"(%0) : (tensor<4xf32>) -> tensor<4xf32>
      %2 = "ttir.unheard"(%1) : (tensor<4xf32>) -> tensor<4xf32>
      return %2 : tensor<4xf32>
    }"""
    found = [failure.operation.name for failure in unlowerable(parse(text))]
    assert found == ["ttir.all_reduce", "ttir.unheard"]


def test_a_value_that_nothing_makes(parse):
    module = parse(TWO)
    negate = next(o for o in module.walk() if o.name == "ttir.neg")
    lost = Value("%lost", negate.operands[0].type, 0)
    negate.operands = (lost,)
    (failure,) = unlowerable(module, "helper")
    assert failure.reason == "It reads %lost, which nothing makes."
    last = next(iter(entry(module, "forward").blocks())).operations[-1]
    last.operands = (lost,)
    (failure,) = unlowerable(module, "forward")
    assert "result_0 is made by nothing" in failure.reason


def test_a_composite_runs_its_decomposition(parse, outputs):
    text = """
    module {
      func.func private @part(%arg0: tensor<2xf32>) -> tensor<2xf32> {
        %0 = stablehlo.negate %arg0 : tensor<2xf32>
        return %0 : tensor<2xf32>
      }
      func.func @main(%arg0: tensor<2xf32>) -> tensor<2xf32> {
        %0 = stablehlo.composite "a.b" %arg0 {decomposition = @part} : (tensor<2xf32>) -> tensor<2xf32>
        return %0 : tensor<2xf32>
      }
    }"""  # noqa: E501
    (found,) = outputs(parse(text), [np.array([1, 2], np.float32)])
    np.testing.assert_array_equal(found, [-1, -2])


def test_a_function_that_calls_itself_is_refused(parse):
    text = """
    func.func @main(%arg0: tensor<4xf32>) -> tensor<4xf32> {
      %0 = call @main(%arg0) : (tensor<4xf32>) -> tensor<4xf32>
      return %0 : tensor<4xf32>
    }"""
    (failure,) = unlowerable(parse(text))
    assert "calls itself" in failure.reason


@pytest.mark.skipif(not SHARED.is_dir(), reason="the folder with tt-mlir's files is absent")
def test_every_function_of_the_shared_modules_can_be_lowered():
    for path in sorted(SHARED.glob("*.mlir")):
        for module in read_mlir(path).modules:
            for function in functions(module):
                assert unlowerable(module, function.symbol) == (), path.name


SMALL = ("mnist", "forward_and_backward", "linear_autoencoder", "layout_encoding",
         "nlp_concat_heads", "perf_conv2d")  # fmt: skip


@pytest.mark.skipif(not SHARED.is_dir(), reason="the folder with tt-mlir's files is absent")
@pytest.mark.parametrize("part", SMALL)
def test_shared_modules_run(outputs, part):
    paths = [p for p in SHARED.glob("*.mlir") if part in p.name]
    assert paths
    for path in paths:
        for module in read_mlir(path).modules:
            for function in functions(module):
                for found in outputs(module, None, function.symbol):
                    assert np.isfinite(found).all(), path.name


def test_text_of_any_kind_is_no_crash():
    for text in ("", "func.func @f()", "module { func.func @f() { return } }"):
        for module in parse_mlir(text).modules:
            for function in functions(module):
                assert unlowerable(module, function.symbol) == ()
