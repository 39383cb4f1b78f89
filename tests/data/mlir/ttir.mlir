#loc = loc(unknown)
#loc1 = loc("weight"(#loc))
module @Small attributes {tt.flag, tt.version = 2 : i64} {
  func.func @forward(%arg0: tensor<1x32xf32> {ttir.name = "input"} loc("input"), %arg1: tensor<32x10xbf16> {ttir.name = "weight"} loc(#loc1)) -> (tensor<1x10xf32> {ttir.name = "output"}) {
    %0 = ttir.empty() : tensor<1x10xf32> loc(#loc2)
    %1 = "ttir.matmul"(%arg0, %arg1) <{transpose_a = false, transpose_b = false}> : (tensor<1x32xf32>, tensor<32x10xbf16>) -> tensor<1x10xf32> loc(#loc3)
    %2 = "ttir.relu"(%1) : (tensor<1x10xf32>) -> tensor<1x10xf32> loc(#loc4)
    return %2 : tensor<1x10xf32> loc(#loc)
  } loc(#loc)
} loc(#loc)
#loc2 = loc("model.py":10:3)
#loc3 = loc("fc"(#loc2))
#loc4 = loc(fused<"pass">["relu_3"(#loc2), callsite("inner"(#loc2) at "outer"("main.py":1:1))])
