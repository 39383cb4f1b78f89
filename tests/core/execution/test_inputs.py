"""Inputs: the user's by any of their names, and generated ones that make sense."""

from __future__ import annotations

import numpy as np
import pytest

from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.execution.emulation import to_bfloat16
from studio_core.execution.inputs import inputs_for
from studio_core.execution.lowering import lower

TWO = """func.func @main(%arg0: tensor<2xf32> {ttir.name = "x"}, %arg1: tensor<3xi32>) -> tensor<2xf32> {
  return %arg0 : tensor<2xf32>
}"""  # noqa: E501


@pytest.fixture
def two(parse):
    return lower(parse(TWO))


X, N = np.array([1.5, 2.5]), np.array([1, 2, 3])


@pytest.mark.parametrize(
    "given",
    [
        {"x": X, "arg1": N},
        {"arg0": X, "%arg1": N},
        {"0": X, "1": N},
        [X, N],
        (X.astype(np.float32), N.astype(np.int8)),
    ],
)
def test_data_are_found_by_name_and_position(two, given):
    found = inputs_for(two, given)
    assert found.generated == ()
    assert [a.dtype.name for a in found.arrays.values()] == ["float32", "int32"]
    for array, expected in zip(found.arrays.values(), (X, N), strict=True):
        np.testing.assert_array_equal(array, expected)


def test_data_from_a_file(two, tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, x=X)
    found = inputs_for(two, path)
    assert found.generated == ("arg1",)
    np.testing.assert_array_equal(found.arrays["arg0"], X)
    with pytest.raises(NotFoundError, match="no file"):
        inputs_for(two, tmp_path / "absent.npz")
    path.write_bytes(b"no archive")
    with pytest.raises(InvalidRequestError, match=r"data\.npz is not an \.npz file"):
        inputs_for(two, str(path))
    np.savez(path, x=np.array([object()], dtype=object))
    with pytest.raises(InvalidRequestError, match="plain arrays"):
        inputs_for(two, path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"y": X}, "no argument 'y'; it has 'x', 'arg1'"),
        ({"x": np.zeros((2, 1))}, "Argument 'x' must be 2, the data are 2x1"),
        ({"x": np.array(["a", "b"])}, "must be numbers"),
        ([X, N, X], "3 arrays were given; the function has 2"),
    ],
)
def test_data_that_do_not_fit(two, given, message):
    with pytest.raises(InvalidRequestError, match=message):
        inputs_for(two, given)


def generated(parse, body: str, seed: int = 0) -> list[np.ndarray]:
    return list(inputs_for(lower(parse(body)), seed=seed).arrays.values())


def test_the_same_seed_gives_the_same_data(parse):
    first, again, other = (generated(parse, TWO, seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_indices_stay_inside_even_through_other_operations(parse):
    indices, table = generated(
        parse,
        """
    func.func @main(%arg0: tensor<50x4xi64>, %arg1: tensor<7x2xf32>) -> tensor<200x2xf32> {
      %0 = "ttir.reshape"(%arg0) <{shape = [200 : i32]}> : (tensor<50x4xi64>) -> tensor<200xi64>
      %1 = "ttir.typecast"(%0) : (tensor<200xi64>) -> tensor<200xui32>
      %2 = "ttir.embedding"(%1, %arg1) : (tensor<200xui32>, tensor<7x2xf32>) -> tensor<200x2xf32>
      return %2 : tensor<200x2xf32>
    }""",
    )
    assert indices.min() == 0 and indices.max() == 6
    assert abs(table.mean()) < 1


def test_weights_are_scaled_and_roots_get_positive_numbers(parse):
    x, weight, variance = generated(
        parse,
        """
    func.func @main(%arg0: tensor<4x256xbf16>, %arg1: tensor<256x64xbf16>,
                    %arg2: tensor<64xf32>) -> tensor<4x64xf32> {
      %0 = "ttir.matmul"(%arg0, %arg1)
        : (tensor<4x256xbf16>, tensor<256x64xbf16>) -> tensor<4x64xf32>
      %1 = "ttir.rsqrt"(%arg2) : (tensor<64xf32>) -> tensor<64xf32>
      %2 = "ttir.multiply"(%0, %1) : (tensor<4x64xf32>, tensor<64xf32>) -> tensor<4x64xf32>
      return %2 : tensor<4x64xf32>
    }""",
    )
    assert x.std() == pytest.approx(1, abs=0.1)
    assert weight.std() == pytest.approx(1 / 16, abs=0.01)
    assert variance.min() > 0
    np.testing.assert_array_equal(weight, to_bfloat16(weight))


def test_whole_numbers_without_a_purpose_are_zero_or_one(parse):
    _, numbers = generated(parse, TWO.replace("3xi32", "300xi32"))
    assert set(numbers.tolist()) == {0, 1}


def test_more_than_memory_holds_is_refused_at_once(parse):
    size = 1 << 36
    lowered = lower(
        parse(f"""func.func @main(%arg0: tensor<{size}xf32>) -> tensor<{size}xf32> {{
      return %arg0 : tensor<{size}xf32>
    }}""")
    )
    with pytest.raises(InvalidRequestError, match=r"take 256\S* GB of memory"):
        inputs_for(lowered)
