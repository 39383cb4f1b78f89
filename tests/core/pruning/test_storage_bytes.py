"""Bytes of pruned weights against sizes worked out by hand and by onnx itself."""

import zlib

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from studio_core.models.tensor import Tensor
from studio_core.pruning.storage_bytes import (
    ZLIB_LEVEL,
    bit_mask_bytes,
    non_zero_bytes,
    sparse_bytes,
    storage_bytes,
    tensor_bytes,
    total_bytes,
)


def pruned(size, left, dtype=np.float32):
    values = np.zeros(size, dtype)
    values[:left] = np.arange(1, left + 1)
    return values


def test_each_form_is_worked_out_by_hand():
    found = storage_bytes(pruned(100, 10).reshape(10, 10))
    assert (found.num_weights, found.num_zeros) == (100, 90)
    assert found.dense == 400
    assert found.sparse_initializer == 10 * (4 + 8)
    assert found.bit_mask == 10 * 4 + 13
    assert found.compressed == len(zlib.compress(pruned(100, 10).tobytes(), ZLIB_LEVEL))
    assert found.smallest == min(found.bit_mask, found.compressed)


def test_a_dense_weight_is_smallest_as_it_is():
    rng = np.random.default_rng(0)
    found = storage_bytes(rng.normal(size=1000).astype(np.float32), compress=False)
    assert found.sparse_initializer == 12000
    assert found.bit_mask == 4125
    assert found.compressed is None
    assert found.smallest == found.dense == 4000


def test_the_sparse_form_is_what_onnx_stores():
    values = pruned(1000, 70)
    (indices,) = np.nonzero(values)
    sparse = onnx.helper.make_sparse_tensor(
        onnx.numpy_helper.from_array(values[indices], "w"),
        onnx.numpy_helper.from_array(indices.astype(np.int64)),
        [1000],
    )
    stored = len(sparse.values.raw_data) + len(sparse.indices.raw_data)
    assert storage_bytes(values).sparse_initializer == stored


def test_large_weights_are_compressed_in_pieces_to_the_same_size(monkeypatch):
    monkeypatch.setattr("studio_core.pruning.storage_bytes._CHUNK_BYTES", 1000)
    values = np.random.default_rng(0).integers(0, 3, 10_001).astype(np.float32)
    expected = len(zlib.compress(values.tobytes(), ZLIB_LEVEL))
    assert storage_bytes(values).compressed == expected


def test_the_zero_of_a_quantized_weight_is_its_zero_point():
    values = np.array([[7, 7, 1], [9, 2, 9]], np.uint8)
    found = storage_bytes(values, np.array([[7], [9]], np.uint8))
    assert found.num_zeros == 4
    assert found.bit_mask == 2 + 1


@pytest.mark.parametrize(("kind", "bits"), [(TensorProto.INT4, 4), (TensorProto.UINT4, 4)])
def test_values_of_few_bits_are_counted_as_packed(kind, bits):
    proto = onnx.helper.make_tensor("w", kind, [101], [i % 7 for i in range(101)])
    found = tensor_bytes(Tensor("w", proto, None))
    assert found.dense == (101 * bits + 7) // 8
    assert found.num_zeros == 15
    raw = onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(proto)).raw_data
    assert found.compressed == len(zlib.compress(raw, ZLIB_LEVEL))


def test_one_rule_counts_many_weights_at_once():
    # 100 floats, 101 values of four bits, and an empty weight.
    dense, sizes, zeros = np.array([400, 51, 0]), np.array([100, 101, 0]), np.array([90, 15, 0])
    # 86 of 101 values in 51 bytes: 43.4, and the last byte counts whole.
    assert non_zero_bytes(dense, sizes, zeros).tolist() == [40, 44, 0]
    assert bit_mask_bytes(dense, sizes, zeros).tolist() == [53, 57, 0]
    assert sparse_bytes(dense, sizes, zeros).tolist() == [53, 51, 0]  # dense where that is less
    assert int(non_zero_bytes(2**33, 2**31, 2**30)) == 2**32  # beyond what 64 bits could multiply


def test_totals_are_sums_and_unknown_stays_unknown():
    a, b = storage_bytes(pruned(100, 10)), storage_bytes(pruned(50, 50))
    both = total_bytes({"a": a, "b": b})
    assert (both.num_weights, both.num_zeros, both.dense) == (150, 90, 600)
    assert both.compressed == a.compressed + b.compressed
    assert total_bytes([a, storage_bytes(pruned(5, 1), compress=False)]).compressed is None


def test_an_empty_weight_takes_nothing():
    found = storage_bytes(np.zeros(0, np.float32))
    assert (found.dense, found.sparse_initializer, found.bit_mask) == (0, 0, 0)
