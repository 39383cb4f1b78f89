"""Magnitudes of a weight in every type it may be stored in."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from studio_core.layers.weight import Quantization, Weight
from studio_core.models.tensor import Tensor


def weight(array: np.ndarray, quantization: Quantization | None = None) -> Weight:
    return Weight(Tensor("w", onnx.numpy_helper.from_array(array, "w"), None), (), quantization)


FLOATS = (np.float32, np.float64, np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn)


@pytest.mark.parametrize("dtype", FLOATS, ids=lambda d: np.dtype(d).name)
@pytest.mark.parametrize("width", [3, 90])
def test_magnitudes_are_absolute_values_in_storage_order(open_text, dtype, width):
    array = np.random.default_rng(0).normal(size=(width, width)).astype(dtype)
    array[0, 0] = array[1, 2] = 0
    array[0, 1] = -0.0
    session = open_text(f"g ({TYPE[dtype]}[N,{width}] x) => (y) {{ y = MatMul (x, w) }}",
                        {"w": onnx.numpy_helper.from_array(array, "w")})  # fmt: skip
    (layer,) = session.layers
    found = layer.weight.magnitudes()
    assert found.dtype == np.float32 and found.shape == (width * width,)
    assert np.array_equal(found, np.abs(array.astype(np.float32)).reshape(-1))
    assert layer.num_zeros == int((array.astype(np.float32) == 0).sum()) >= 3
    assert layer.num_bytes == array.nbytes


TYPE = {
    np.float32: "float",
    np.float64: "double",
    np.float16: "float16",
    ml_dtypes.bfloat16: "bfloat16",
    ml_dtypes.float8_e4m3fn: "float8e4m3fn",
}


def test_a_scratch_buffer_serves_one_layer_after_another(generated, open_text):
    session = open_text(
        "g (float[N,70] x) => (y) { a = MatMul (x, w) y = MatMul (a, v) }",
        {"w": np.full((70, 70), -2, np.float32), "v": np.full((70, 40), 3, np.float32)},
    )
    scratch = np.zeros(4900, np.float32)
    first, second = session.layers
    assert np.all(first.weight.magnitudes(scratch) == 2) and np.all(scratch == 2)
    found = second.weight.magnitudes(scratch)
    assert found.size == 2800 and np.all(found == 3) and np.all(scratch[2800:] == 2)


def test_the_stored_values_are_not_changed(mlp):
    for layer in mlp.layers:
        before = layer.weight.tensor.read()
        layer.weight.magnitudes().sort()
        assert np.array_equal(layer.weight.tensor.read(), before)


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(np.int8, hnp.array_shapes(min_dims=1, max_dims=3, max_side=5)))
def test_scale_and_zero_point_follow_their_axis(array):
    axis = array.ndim - 1
    scale = np.linspace(0.1, 1, array.shape[axis])
    zero = np.arange(array.shape[axis]) - 2.0
    found = weight(array, Quantization(scale, zero, axis)).magnitudes()
    expected = np.abs((array.astype(float) - zero) * scale).reshape(-1)
    assert np.allclose(found, expected, rtol=1e-6)


def test_int4(open_text):
    array = np.array([[-8, -1, 0], [1, 7, 2]], ml_dtypes.int4)
    session = open_text(
        """g (float[N,2] x) => (y) { d = DequantizeLinear (q, s) y = MatMul (x, d) }""",
        {"q": onnx.numpy_helper.from_array(array, "q"), "s": np.float32(0.5)},
    )
    (layer,) = session.layers
    assert layer.weight.magnitudes().tolist() == [4, 0.5, 0, 0.5, 3.5, 1]
    assert layer.num_bytes == 3 and layer.num_zeros == 1


def test_numbers_beyond_float32_are_infinite_without_a_warning(recwarn):
    assert weight(np.array([1e300, 1.0])).magnitudes().tolist() == [np.inf, 1.0]
    assert not recwarn.list
