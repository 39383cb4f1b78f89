// A chain with a sharded middle, freed by hand: every sum of live bytes can be worked out.
#dram = #ttnn.buffer_type<dram>
#l1 = #ttnn.buffer_type<l1>
#host = #ttnn.buffer_type<system_memory>
#host_layout = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x1>, memref<256x512xf32, #host>>
#in_dram = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x1>, memref<8x16x!ttcore.tile<32x32, bf16>, #dram>, <interleaved>>
#blocks = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <4x8>, memref<2x2x!ttcore.tile<32x32, bf16>, #l1>, <block_sharded>, core_ranges = #ttnn.core_range_set<[#ttnn.core_range<(0,0), (7,3)>]>>
#rows = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <8x1>, memref<1x16x!ttcore.tile<32x32, bf16>, #l1>, <height_sharded>, core_ranges = #ttnn.core_range_set<[#ttnn.core_range<(0,0), (7,0)>]>>
module {
  func.func @chain(%x: tensor<256x512xbf16, #in_dram>) -> tensor<256x512xbf16, #in_dram> {
    %0 = "ttnn.to_memory_config"(%x) : (tensor<256x512xbf16, #in_dram>) -> tensor<256x512xbf16, #blocks> loc("shard")
    "ttnn.deallocate"(%x) <{force = false}> : (tensor<256x512xbf16, #in_dram>) -> () loc("free_x")
    %1 = "ttnn.relu"(%0) : (tensor<256x512xbf16, #blocks>) -> tensor<256x512xbf16, #blocks> loc("relu")
    "ttnn.deallocate"(%0) <{force = false}> : (tensor<256x512xbf16, #blocks>) -> () loc("free_0")
    %2 = "ttnn.to_memory_config"(%1) : (tensor<256x512xbf16, #blocks>) -> tensor<256x512xbf16, #rows> loc("reshard")
    "ttnn.deallocate"(%1) <{force = false}> : (tensor<256x512xbf16, #blocks>) -> () loc("free_1")
    %3 = "ttnn.to_memory_config"(%2) : (tensor<256x512xbf16, #rows>) -> tensor<256x512xbf16, #in_dram> loc("unshard")
    "ttnn.deallocate"(%2) <{force = false}> : (tensor<256x512xbf16, #rows>) -> () loc("free_2")
    return %3 : tensor<256x512xbf16, #in_dram>
  }
  func.func @never_freed(%x: tensor<256x512xbf16, #blocks>) -> tensor<256x512xbf16, #blocks> {
    %0 = "ttnn.relu"(%x) : (tensor<256x512xbf16, #blocks>) -> tensor<256x512xbf16, #blocks> loc("first")
    %1 = "ttnn.relu"(%0) : (tensor<256x512xbf16, #blocks>) -> tensor<256x512xbf16, #blocks> loc("second")
    %2 = "ttnn.relu"(%1) : (tensor<256x512xbf16, #blocks>) -> tensor<256x512xbf16, #blocks> loc("third")
    return %2 : tensor<256x512xbf16, #blocks>
  }
  func.func @not_lowered(%x: tensor<256x512xbf16>, %y: tensor<256x512xbf16, #blocks>) -> tensor<256x512xbf16> {
    %0 = "ttir.relu"(%x) : (tensor<256x512xbf16>) -> tensor<256x512xbf16> loc("mixed")
    %1 = "ttnn.add"(%y, %y) : (tensor<256x512xbf16, #blocks>, tensor<256x512xbf16, #blocks>) -> tensor<256x512xbf16, #blocks> loc("use_y")
    return %0 : tensor<256x512xbf16>
  }
  func.func @plain(%x: tensor<256x512xbf16>) -> tensor<256x512xbf16> {
    %0 = "ttir.relu"(%x) : (tensor<256x512xbf16>) -> tensor<256x512xbf16> loc("plain")
    return %0 : tensor<256x512xbf16>
  }
}
