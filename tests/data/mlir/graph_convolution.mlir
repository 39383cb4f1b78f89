// Written for Studio's tests: named locations, a convolution's configuration, a const_eval
// function, ops that are not drawn, and a system description.
#dram = #ttnn.buffer_type<dram>
#l1 = #ttnn.buffer_type<l1>
#rows = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x1>, memref<64x64xbf16, #dram>, <interleaved>>
#tiles = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x1>, memref<2x2x!ttcore.tile<32x32, bf16>, #dram>, <interleaved>>
#blocks = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <2x2>, memref<1x1x!ttcore.tile<32x32, bf16>, #l1>, <block_sharded>>
#loc = loc("model.py":1:1)
module @convolution attributes {ttcore.system_desc = #ttcore.system_desc<[{role = host, target_triple = "x86_64-pc-linux"}], [{arch = <blackhole>, grid = 10x13, coord_translation_offsets = 1x2, l1_size = 1572864, num_dram_channels = 8, dram_channel_size = 4278190080, noc_l1_address_align_bytes = 16, pcie_address_align_bytes = 64, noc_dram_address_align_bytes = 64, l1_unreserved_base = 103712, erisc_l1_unreserved_base = 98304, dram_unreserved_base = 64, dram_unreserved_end = 4276233152, supported_data_types = [<f32>, <bf16>, <bfp_bf8>], supported_tile_sizes = [32x32], dst_physical_size_tiles = 16, num_cbs = 32, num_compute_threads = 1, num_datamovement_threads = 2}], [0], [1 : i32], [ 0x0x0x0]>, purpose = "tests"} {
  func.func private @forward_const_eval_0(%arg0: tensor<64x64xbf16, #rows> loc("weight")) -> tensor<64x64xbf16, #tiles> attributes {const_eval} {
    %0 = "ttnn.get_device"() <{mesh_shape = #ttnn<mesh_shape 1x1>}> : () -> !ttnn.device loc(#loc)
    %1 = "ttnn.to_layout"(%arg0) <{layout = #ttnn.layout<tile>}> : (tensor<64x64xbf16, #rows>) -> tensor<64x64xbf16, #tiles> loc("prepared"(#loc))
    return %1 : tensor<64x64xbf16, #tiles> loc(#loc)
  }
  func.func @forward(%arg0: tensor<64x64xbf16, #tiles> {ttir.name = "image"} loc("image"), %arg1: tensor<64x64xbf16, #rows> loc("weight")) -> tensor<64x64xbf16, #tiles> {
    %0 = ttcore.load_cached(@forward_const_eval_0, [%arg1]) : (tensor<64x64xbf16, #rows>) -> tensor<64x64xbf16, #tiles> loc(#loc)
    %1 = "ttnn.get_device"() <{mesh_shape = #ttnn<mesh_shape 1x1>}> : () -> !ttnn.device loc(#loc)
    %2 = "ttnn.conv2d"(%arg0, %0, %1) <{conv2d_config = #ttnn.conv2d_config<weights_dtype = bf16, activation = <op_type = relu>, act_block_h_override = 64, enable_act_double_buffer = true, shard_layout = height_sharded>, groups = 1 : i32, kernel_size = array<i32: 3, 3>, dtype = #ttcore.supportedDataTypes<bf16>}> : (tensor<64x64xbf16, #tiles>, tensor<64x64xbf16, #tiles>, !ttnn.device) -> tensor<64x64xbf16, #tiles> loc("encoder/conv_1"(#loc))
    "ttnn.deallocate"(%0) <{force = false}> : (tensor<64x64xbf16, #tiles>) -> () loc(#loc)
    %3 = "ttnn.to_memory_config"(%2) : (tensor<64x64xbf16, #tiles>) -> tensor<64x64xbf16, #blocks> loc("encoder/relu_2"(#loc))
    %4 = "ttnn.relu"(%3) : (tensor<64x64xbf16, #blocks>) -> tensor<64x64xbf16, #blocks> loc("encoder/relu_2"(#loc))
    %5 = "ttnn.to_memory_config"(%4) : (tensor<64x64xbf16, #blocks>) -> tensor<64x64xbf16, #tiles> loc("encoder/relu_2"(#loc))
    return %5 : tensor<64x64xbf16, #tiles> loc(#loc)
  } loc(#loc)
} loc(#loc)
