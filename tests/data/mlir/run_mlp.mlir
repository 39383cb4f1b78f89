// A perceptron with one hidden layer in TTIR, as older versions write it: every operation is
// given an empty tensor for its result.
module @mlp {
  func.func @forward(%arg0: tensor<2x8xbf16> {ttir.name = "x"}, %arg1: tensor<8x16xbf16> {ttir.name = "w1"}, %arg2: tensor<16xbf16> {ttir.name = "b1"}, %arg3: tensor<16x4xbf16> {ttir.name = "w2"}) -> (tensor<2x4xbf16> {ttir.name = "scores"}) {
    %0 = ttir.empty() : tensor<2x16xbf16>
    %1 = "ttir.matmul"(%arg0, %arg1, %0) : (tensor<2x8xbf16>, tensor<8x16xbf16>, tensor<2x16xbf16>) -> tensor<2x16xbf16> loc("matmul_1")
    %2 = ttir.empty() : tensor<2x16xbf16>
    %3 = "ttir.add"(%1, %arg2, %2) <{operandSegmentSizes = array<i32: 2, 1>}> : (tensor<2x16xbf16>, tensor<16xbf16>, tensor<2x16xbf16>) -> tensor<2x16xbf16> loc("add_2")
    %4 = ttir.empty() : tensor<2x16xbf16>
    %5 = "ttir.relu"(%3, %4) <{operandSegmentSizes = array<i32: 1, 1>}> : (tensor<2x16xbf16>, tensor<2x16xbf16>) -> tensor<2x16xbf16> loc("relu_3")
    %6 = ttir.empty() : tensor<2x4xbf16>
    %7 = "ttir.matmul"(%5, %arg3, %6) : (tensor<2x16xbf16>, tensor<16x4xbf16>, tensor<2x4xbf16>) -> tensor<2x4xbf16> loc("matmul_4")
    %8 = ttir.empty() : tensor<2x4xbf16>
    %9 = "ttir.softmax"(%7, %8) <{dimension = 1 : si32}> : (tensor<2x4xbf16>, tensor<2x4xbf16>) -> tensor<2x4xbf16> loc("softmax_5")
    return %9 : tensor<2x4xbf16>
  }
}
