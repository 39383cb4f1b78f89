// One step of attention with a cache that is written in place: an embedded token, its key stored
// at the position, and the attention over the cache. A constant is prepared by another function.
module @attention {
  func.func private @scale_const_eval() -> tensor<1x1x1x1xf32> attributes {const_eval} {
    %0 = "ttir.full"() <{shape = array<i32: 1, 1, 1, 1>, fill_value = 5.000000e-01 : f32}> : () -> tensor<1x1x1x1xf32>
    return %0 : tensor<1x1x1x1xf32>
  }
  func.func @decode(%arg0: tensor<1x1xui32> {ttir.name = "token"}, %arg1: tensor<11x8xf32> {ttir.name = "table"}, %arg2: tensor<1x2x6x4xf32> {ttir.name = "cache"}, %arg3: tensor<1xi64> {ttir.name = "position"}) -> (tensor<1x2x1x4xf32>, tensor<1x2x6x4xf32>) {
    %0 = ttcore.load_cached(@scale_const_eval, []) : () -> tensor<1x1x1x1xf32>
    %1 = "ttir.embedding"(%arg0, %arg1) : (tensor<1x1xui32>, tensor<11x8xf32>) -> tensor<1x1x8xf32>
    %2 = "ttir.reshape"(%1) <{shape = [1 : i32, 2 : i32, 1 : i32, 4 : i32]}> : (tensor<1x1x8xf32>) -> tensor<1x2x1x4xf32>
    "ttir.update_cache"(%arg2, %2, %arg3) <{batch_offset = 0 : i32}> : (tensor<1x2x6x4xf32>, tensor<1x2x1x4xf32>, tensor<1xi64>) -> ()
    %3 = "ttir.matmul"(%2, %arg2) <{transpose_b = true}> : (tensor<1x2x1x4xf32>, tensor<1x2x6x4xf32>) -> tensor<1x2x1x6xf32>
    %4 = "ttir.multiply"(%3, %0) : (tensor<1x2x1x6xf32>, tensor<1x1x1x1xf32>) -> tensor<1x2x1x6xf32>
    %5 = "ttir.softmax"(%4) <{dimension = 3 : si32}> : (tensor<1x2x1x6xf32>) -> tensor<1x2x1x6xf32>
    %6 = "ttir.matmul"(%5, %arg2) : (tensor<1x2x1x6xf32>, tensor<1x2x6x4xf32>) -> tensor<1x2x1x4xf32>
    return %6, %arg2 : tensor<1x2x1x4xf32>, tensor<1x2x6x4xf32>
  }
}
