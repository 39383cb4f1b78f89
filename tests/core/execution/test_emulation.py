"""Rounding to the hardware's data types, and the correlation that tells its cost."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio_core.errors import InvalidRequestError
from studio_core.execution.accuracy import pearson
from studio_core.execution.emulation import (
    DATA_TYPES,
    check_data_type,
    round_to,
    rounds,
    to_bfloat16,
    to_block_float,
)

RNG = np.random.default_rng(5)
SINGLES = st.floats(width=32, allow_nan=False)


@given(st.lists(SINGLES, min_size=1, max_size=40))
@settings(max_examples=60)
def test_bfloat16_is_that_of_ml_dtypes(values):
    x = np.array(values, np.float32)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(
            to_bfloat16(x), x.astype(ml_dtypes.bfloat16).astype(np.float32)
        )


def test_bfloat16_ties_go_to_even():
    x = np.array([1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20, -1 - 2**-8], np.float32)
    np.testing.assert_array_equal(to_bfloat16(x), [1, 1 + 2**-6, 1 + 2**-7, -1])


def test_bfloat16_keeps_nan_and_infinity():
    x = np.array([np.nan, np.inf, -np.inf, 1.0], np.float32)
    np.testing.assert_array_equal(to_bfloat16(x), x)


def by_definition(block: np.ndarray, kept: int) -> np.ndarray:
    """One block of 16, element by element: shared exponent, significand cut, ties to even."""
    exponents = [int(np.frexp(v)[1]) - 1 for v in block if v != 0]
    if not exponents:
        return np.zeros_like(block)
    shared, out = max(exponents), []
    for v in block:
        if v == 0:
            out.append(0.0)
            continue
        fraction, exponent = np.frexp(np.float64(abs(v)))
        significand = int(fraction * 2**24) >> min(shared - (int(exponent) - 1), 31)
        unit = 1 << (24 - kept)
        mantissa = min(round(significand / unit), 2**kept - 1)  # Python rounds ties to even
        out.append(np.sign(v) * mantissa * 2.0 ** (shared - (kept - 1)))
    return np.array(out, np.float32)


@pytest.mark.parametrize(("bits", "kept"), [(8, 7), (4, 3), (2, 1)])
def test_block_formats_by_their_definition(bits, kept):
    x = (RNG.standard_normal((3, 40)) * 10.0 ** RNG.integers(-3, 3, (3, 40))).astype(np.float32)
    x[0, :16] = 0
    found = to_block_float(x, bits)
    for row, rounded in zip(x, found, strict=True):
        for at in range(0, 40, 16):
            expected = by_definition(row[at : at + 16], kept)
            np.testing.assert_array_equal(rounded[at : at + 16], expected)


def test_values_worked_by_hand():
    row = np.array([1.0, 0.75, 1 / 128, 3 / 128, -0.5, 1.99] + [0.0] * 10, np.float32)
    # Exponent 0 is shared, so that bfp8 counts in 1/64: 1/128 is a tie and goes to 0, 3/128 to 2.
    expected = [1.0, 0.75, 0.0, 2 / 64, -0.5, 127 / 64] + [0.0] * 10
    np.testing.assert_array_equal(round_to(row, "bfp_bf8"), np.array(expected, np.float32))
    # bfp4 counts in 1/4, and has no 2: 1.99 stays below overflow.
    np.testing.assert_array_equal(round_to(row, "bfp_bf4")[:6], [1.0, 0.75, 0, 0, -0.5, 1.75])
    np.testing.assert_array_equal(round_to(row, "bfp_bf2")[:6], [1.0, 1.0, 0, 0, -0.0, 1.0])


def test_the_short_exponent_saturates():
    x = np.array([1e9, 1.0] + [0.0] * 14, np.float32)
    assert round_to(x, "bfp_bf8")[0] == pytest.approx(1e9, rel=0.01)
    assert round_to(x, "bfp_f8")[0] == 2.0**16 * 127 / 64
    small = np.array([1e-9] + [0.0] * 15, np.float32)
    assert round_to(small, "bfp_f8")[0] == pytest.approx(2.0**-15)


@given(st.lists(SINGLES, min_size=1, max_size=40), st.sampled_from(DATA_TYPES))
@settings(max_examples=60)
def test_rounding_twice_is_rounding_once(values, data_type):
    x = np.array(values, np.float32)
    once = round_to(x, data_type)
    np.testing.assert_array_equal(round_to(once, data_type), once)


def test_other_data_types():
    x = np.array([-1.5, 0.0, 300.7], np.float32)
    np.testing.assert_array_equal(round_to(x, "u8"), [0, 0, 255])
    np.testing.assert_array_equal(round_to(x, "si32"), [-1, 0, 300])
    np.testing.assert_array_equal(round_to(x, "i1"), [1, 0, 1])
    np.testing.assert_array_equal(round_to(x, "f16"), x.astype(np.float16).astype(np.float32))
    assert round_to(x, "f32") is x and round_to(x, None) is x
    whole = np.array([1, 2])
    assert round_to(whole, "bf16") is whole
    assert not rounds("f32") and not rounds("!quant.uniform<i8:f32, 0.1>")
    assert round_to(np.float32(1.001).reshape(()), "bfp_bf8").shape == ()


def test_a_data_type_that_is_none():
    with pytest.raises(InvalidRequestError, match="no data type 'bfp16'; give one of f32"):
        check_data_type("bfp16")


def test_more_bits_are_more_accurate():
    x = RNG.standard_normal((64, 64)).astype(np.float32)
    found = [pearson(round_to(x, t), x) for t in ("bfp_bf2", "bfp_bf4", "bfp_bf8", "bf16", "f16")]
    assert found == sorted(found)
    assert found[0] < 0.95 and 0.98 < found[1] < 0.999 < found[2] < found[3] < 1


def test_pearson_is_numpys():
    x, y = RNG.standard_normal((2, 100, 700)).astype(np.float32)
    y = (x + 0.1 * y).astype(np.float32)
    assert pearson(y, x) == pytest.approx(np.corrcoef(x.ravel(), y.ravel())[0, 1], abs=1e-9)


def test_where_pearson_is_undefined():
    x = np.array([1.0, 2.0, 3.0], np.float32)
    flat = np.full(3, 0.1, np.float32)
    assert pearson(flat, x) is None and pearson(x, flat) is None
    assert pearson(flat, flat.copy()) == 1.0
    assert pearson(flat, flat + 1) is None
    assert pearson(x, x[:2]) is None
    assert pearson(x[:0], x[:0]) is None
    assert pearson(-x, x) == pytest.approx(-1)


def test_the_same_infinities_are_left_out():
    x = np.array([-np.inf, 1.0, 2.0, 4.0, np.nan], np.float32)
    y = np.array([-np.inf, 1.0, 2.0, 5.0, np.nan], np.float32)
    assert pearson(x, y) == pytest.approx(np.corrcoef(x[1:4], y[1:4])[0, 1])
    assert pearson(x, x.copy()) == 1.0
    y[0] = 0
    assert pearson(x, y) is None
