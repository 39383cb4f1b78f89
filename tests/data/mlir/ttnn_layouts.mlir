// Layouts behind aliases, one of which is defined after its use.
#in = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x1>, memref<8x8x!tile, #dram>, <interleaved>>
#dram = #ttnn.buffer_type<dram>
#l1 = #ttnn.buffer_type<l1>
#sharded = #ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x8, (d0, d1) -> (0, d0, d1)>, memref<8x1x!tile, #l1>, <width_sharded>, core_ranges = #ttnn.core_range_set<[#ttnn.core_range<(0, 0), (7, 0)>]>>
!tile = !ttcore.tile<32x32, bf16>
module {
  ttcore.device_module {
    builtin.module attributes {ttcore.system_desc = #ttcore.system_desc<[{role = host, target_triple = "x86_64"}], [{arch = <wormhole_b0>, grid = 8x8}], [0], [1 : i32], [ 0x0x0x0]>} {
      ttcore.device @default_device = <workerGrid = #ttcore.grid<8x8, (d0, d1) -> (0, d0, d1)>, meshShape = , chipIds = [0]>
      func.func @forward(%arg0: tensor<256x256xbf16, #in>) -> tensor<256x256xbf16, #sharded> {
        %0 = "ttnn.get_device"() <{mesh_shape = #ttnn<mesh_shape 1x1>}> : () -> !ttnn.device
        %1 = "ttnn.to_memory_config"(%arg0) : (tensor<256x256xbf16, #in>) -> tensor<256x256xbf16, #sharded>
        "ttnn.deallocate"(%arg0) <{force = false}> : (tensor<256x256xbf16, #in>) -> ()
        return %1 : tensor<256x256xbf16, #sharded>
      }
    }
  }
}
