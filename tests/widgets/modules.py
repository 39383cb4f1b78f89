"""A TTNN module of two layers, block-sharded in L1, for the explorer's tests."""

from __future__ import annotations

from pathlib import Path

TWO_LAYERS = """\
#dram = #ttnn.buffer_type<dram>
#l1 = #ttnn.buffer_type<l1>
#loc = loc("mlp.py":1:1)
#input = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x1>, memref<16x32x!ttcore.tile<32x32, bf16>, #dram>, <interleaved>>
#weight1 = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x1>, memref<32x64x!ttcore.tile<32x32, bf16>, #dram>, <interleaved>>
#hidden = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <8x8>, memref<2x8x!ttcore.tile<32x32, bf16>, #l1>, <block_sharded>>
#weight2 = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x1>, memref<64x4x!ttcore.tile<32x32, bf16>, #dram>, <interleaved>>
#output = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <8x4>, memref<2x1x!ttcore.tile<32x32, bf16>, #l1>, <block_sharded>>
module @mlp {
  func.func @forward(%arg0: tensor<512x1024xbf16, #input> loc("x"), %arg1: tensor<1024x2048xbf16, #weight1> loc("w1"), %arg2: tensor<2048x128xbf16, #weight2> loc("w2")) -> tensor<512x128xbf16, #output> {
    %0 = "ttnn.matmul"(%arg0, %arg1) <{transpose_a = false, transpose_b = false}> : (tensor<512x1024xbf16, #input>, tensor<1024x2048xbf16, #weight1>) -> tensor<512x2048xbf16, #hidden> loc(#loc1)
    %1 = "ttnn.relu"(%0) : (tensor<512x2048xbf16, #hidden>) -> tensor<512x2048xbf16, #hidden> loc(#loc2)
    %2 = "ttnn.matmul"(%1, %arg2) <{transpose_a = false, transpose_b = false}> : (tensor<512x2048xbf16, #hidden>, tensor<2048x128xbf16, #weight2>) -> tensor<512x128xbf16, #output> loc(#loc3)
    %3 = "ttnn.softmax"(%2) <{dimension = 1 : si32}> : (tensor<512x128xbf16, #output>) -> tensor<512x128xbf16, #output> loc(#loc4)
    return %3 : tensor<512x128xbf16, #output> loc(#loc)
  } loc(#loc)
} loc(#loc)
#loc1 = loc("matmul_1"(#loc))
#loc2 = loc("relu_2"(#loc))
#loc3 = loc("matmul_3"(#loc))
#loc4 = loc("softmax_4"(#loc))
"""  # noqa: E501


def two_layers(folder: Path) -> Path:
    """The module as a file in ``folder``."""
    path = folder / "two_layers.mlir"
    path.write_text(TWO_LAYERS, encoding="utf-8")
    return path
