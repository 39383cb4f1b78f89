// Ops that overrides meet: named well, named twice, named so that options break, not named.
#dram = #ttnn.buffer_type<dram>
#in_dram = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x1>, memref<8x16x!ttcore.tile<32x32, bf16>, #dram>, <interleaved>>
#image = #ttnn.ttnn_layout<(d0, d1, d2, d3) -> (d0 * 1024 + d1 * 1024 + d2, d3), <1x1>, memref<32x2x!ttcore.tile<32x32, bf16>, #dram>, <interleaved>>
#weight = #ttnn.ttnn_layout<(d0, d1, d2, d3) -> (d0 * 192 + d1 * 3 + d2, d3), <1x1>, memref<12288x3xbf16, #dram>, <interleaved>>
module {
  func.func @main(%x: tensor<256x512xbf16, #in_dram> loc("relu_1"), %i: tensor<1x1x1024x64xbf16, #image>, %w: tensor<64x64x3x3xbf16, #weight>) -> tensor<256x512xbf16, #in_dram> {
    %d = "ttnn.get_device"() <{mesh_shape = #ttnn<mesh_shape 1x1>}> : () -> !ttnn.device
    %0 = "ttnn.relu"(%x) : (tensor<256x512xbf16, #in_dram>) -> tensor<256x512xbf16, #in_dram> loc("relu_1"("model.py":3:1))
    %1 = "ttnn.relu"(%0) : (tensor<256x512xbf16, #in_dram>) -> tensor<256x512xbf16, #in_dram> loc("twin"("model.py":4:1))
    %2 = "ttnn.relu"(%1) : (tensor<256x512xbf16, #in_dram>) -> tensor<256x512xbf16, #in_dram> loc("twin"("model.py":4:1))
    %3 = "ttnn.relu"(%2) : (tensor<256x512xbf16, #in_dram>) -> tensor<256x512xbf16, #in_dram> loc("a=b,c"("model.py":5:1))
    %4 = "ttnn.relu"(%3) : (tensor<256x512xbf16, #in_dram>) -> tensor<256x512xbf16, #in_dram> loc("model.py":6:1)
    "ttnn.deallocate"(%3) <{force = false}> : (tensor<256x512xbf16, #in_dram>) -> () loc("relu_1"("model.py":3:1))
    %5 = "ttnn.conv2d"(%i, %w, %d) <{batch_size = 1 : i32, in_channels = 64 : i32, out_channels = 64 : i32, groups = 1 : i32, input_height = 32 : i32, input_width = 32 : i32, kernel_size = array<i32: 3, 3>, stride = array<i32: 1, 1>, padding = array<i32: 1, 1>, dilation = array<i32: 1, 1>, conv2d_config = #ttnn.conv2d_config<weights_dtype = bf16, deallocate_activation = false, act_block_h_override = 32>}> : (tensor<1x1x1024x64xbf16, #image>, tensor<64x64x3x3xbf16, #weight>, !ttnn.device) -> tensor<1x1x1024x64xbf16, #image> loc("conv1")
    return %4 : tensor<256x512xbf16, #in_dram>
  }
}
