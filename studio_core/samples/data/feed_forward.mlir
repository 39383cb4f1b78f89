// A feed-forward block, lowered to TTNN: 1,024 rows, 1,024 → 4,096 → 1,024 features.
//
// The hidden activations lie in L1 as float32 on 4x4 of the chip's 8x8 cores. Two of them are alive
// at the ReLU, and that is more than a core has: the first thing to find, and to change.
#dram = #ttnn.buffer_type<dram>
#l1 = #ttnn.buffer_type<l1>
#x = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x1>, memref<32x32x!ttcore.tile<32x32, bf16>, #dram>, <interleaved>>
#w1 = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x1>, memref<32x128x!ttcore.tile<32x32, bf16>, #dram>, <interleaved>>
#w2 = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x1>, memref<128x32x!ttcore.tile<32x32, bf16>, #dram>, <interleaved>>
#hidden = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <4x4>, memref<8x32x!ttcore.tile<32x32, f32>, #l1>, <block_sharded>, core_ranges = #ttnn.core_range_set<[#ttnn.core_range<(0,0), (3,3)>]>>
#out = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <8x8>, memref<4x4x!ttcore.tile<32x32, bf16>, #l1>, <block_sharded>, core_ranges = #ttnn.core_range_set<[#ttnn.core_range<(0,0), (7,7)>]>>
#result = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x1>, memref<32x32x!ttcore.tile<32x32, bf16>, #dram>, <interleaved>>
module @feed_forward {
  func.func @forward(%arg0: tensor<1024x1024xbf16, #x> {ttir.name = "tokens", ttcore.argument_type = #ttcore.argument_type<input>} loc("tokens"), %arg1: tensor<1024x4096xbf16, #w1> {ttir.name = "up.weight", ttcore.argument_type = #ttcore.argument_type<parameter>} loc("up.weight"), %arg2: tensor<4096x1024xbf16, #w2> {ttir.name = "down.weight", ttcore.argument_type = #ttcore.argument_type<parameter>} loc("down.weight")) -> tensor<1024x1024xbf16, #result> {
    %0 = "ttnn.matmul"(%arg0, %arg1) <{transpose_a = false, transpose_b = false}> : (tensor<1024x1024xbf16, #x>, tensor<1024x4096xbf16, #w1>) -> tensor<1024x4096xf32, #hidden> loc(#loc_up)
    %1 = "ttnn.relu"(%0) : (tensor<1024x4096xf32, #hidden>) -> tensor<1024x4096xf32, #hidden> loc(#loc_relu)
    "ttnn.deallocate"(%0) <{force = false}> : (tensor<1024x4096xf32, #hidden>) -> () loc(#loc)
    %2 = "ttnn.matmul"(%1, %arg2) <{transpose_a = false, transpose_b = false}> : (tensor<1024x4096xf32, #hidden>, tensor<4096x1024xbf16, #w2>) -> tensor<1024x1024xbf16, #out> loc(#loc_down)
    "ttnn.deallocate"(%1) <{force = false}> : (tensor<1024x4096xf32, #hidden>) -> () loc(#loc)
    %3 = "ttnn.softmax"(%2) <{dimension = 1 : si32}> : (tensor<1024x1024xbf16, #out>) -> tensor<1024x1024xbf16, #out> loc(#loc_softmax)
    "ttnn.deallocate"(%2) <{force = false}> : (tensor<1024x1024xbf16, #out>) -> () loc(#loc)
    %4 = "ttnn.to_memory_config"(%3) : (tensor<1024x1024xbf16, #out>) -> tensor<1024x1024xbf16, #result> loc(#loc_result)
    "ttnn.deallocate"(%3) <{force = false}> : (tensor<1024x1024xbf16, #out>) -> () loc(#loc)
    return %4 : tensor<1024x1024xbf16, #result> loc(#loc)
  } loc(#loc)
} loc(#loc)
#loc = loc("feed_forward.py":12:1)
#loc_up = loc("up"(#loc))
#loc_relu = loc("relu"(#loc))
#loc_down = loc("down"(#loc))
#loc_softmax = loc("softmax"(#loc))
#loc_result = loc("to_dram"(#loc))
