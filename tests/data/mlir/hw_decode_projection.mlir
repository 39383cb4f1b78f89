// One step of decoding: a single row times a square weight, bound by DRAM.
// The chip has a smaller grid than any real one, so that a description of the module is told
// from the built-in one by its figures.
#dram = #ttnn.buffer_type<dram>
#row = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x1>, memref<1x64x!ttcore.tile<32x32, bf16>, #dram>, <interleaved>>
#square = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x1>, memref<64x64x!ttcore.tile<32x32, bf16>, #dram>, <interleaved>>
#system_desc = #ttcore.system_desc<[{role = host, target_triple = "x86_64-pc-linux"}], [{
  arch = <wormhole_b0>, grid = 4x8, l1_size = 1499136, num_dram_channels = 12,
  dram_channel_size = 1073741824, noc_l1_address_align_bytes = 16,
  pcie_address_align_bytes = 32, noc_dram_address_align_bytes = 32, l1_unreserved_base = 103712,
  dram_unreserved_base = 1920032, dram_unreserved_end = 1073119552,
  supported_data_types = [<f32>, <bf16>, <bfp_bf8>], supported_tile_sizes = [ 16x16,  32x32],
  num_cbs = 64}], [0, 0], [1 : i32, 0 : i32], [ 0x0x0x0]>

module attributes {ttcore.system_desc = #system_desc} {
  func.func @step(
      %x: tensor<1x2048xbf16, #row> {ttcore.argument_type = #ttcore.argument_type<input>},
      %w: tensor<2048x2048xbf16, #square> {ttcore.argument_type = #ttcore.argument_type<parameter>}
  ) -> tensor<1x2048xbf16, #row> {
    %0 = "ttnn.matmul"(%x, %w) <{transpose_a = false, transpose_b = false}> : (tensor<1x2048xbf16, #row>, tensor<2048x2048xbf16, #square>) -> tensor<1x2048xbf16, #row> loc("project")
    %1 = "ttnn.matmul"(%x, %0) <{transpose_a = false, transpose_b = true}> : (tensor<1x2048xbf16, #row>, tensor<1x2048xbf16, #row>) -> tensor<1x1xbf16, #row> loc("score")
    %2 = "ttnn.relu"(%0) : (tensor<1x2048xbf16, #row>) -> tensor<1x2048xbf16, #row> loc("relu")
    return %2 : tensor<1x2048xbf16, #row>
  }
}
