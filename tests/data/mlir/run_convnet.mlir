// A small convolutional net in TTIR, NHWC: convolution, pooling, mean, classifier.
module @convnet {
  func.func @main(%arg0: tensor<1x8x8x3xf32> {ttir.name = "image"}, %arg1: tensor<4x3x3x3xf32> {ttir.name = "conv.weight"}, %arg2: tensor<1x1x1x4xf32> {ttir.name = "conv.bias"}, %arg3: tensor<4x5xf32> {ttir.name = "fc.weight"}) -> tensor<1x5xf32> {
    %0 = "ttir.conv2d"(%arg0, %arg1, %arg2) <{stride = array<i32: 1, 1>, padding = array<i32: 1, 1, 1, 1>, dilation = array<i32: 1, 1>, groups = 1 : i32}> : (tensor<1x8x8x3xf32>, tensor<4x3x3x3xf32>, tensor<1x1x1x4xf32>) -> tensor<1x8x8x4xf32> loc("conv_0")
    %1 = "ttir.relu"(%0) : (tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xf32> loc("relu_1")
    %2 = "ttir.max_pool2d"(%1) <{kernel = array<i32: 2, 2>, stride = array<i32: 2, 2>, padding = array<i32: 0, 0, 0, 0>, dilation = array<i32: 1, 1>, ceil_mode = false}> : (tensor<1x8x8x4xf32>) -> tensor<1x4x4x4xf32> loc("pool_2")
    %3 = "ttir.mean"(%2) <{dim_arg = [1 : i32, 2 : i32], keep_dim = false}> : (tensor<1x4x4x4xf32>) -> tensor<1x4xf32> loc("mean_3")
    %4 = "ttir.linear"(%3, %arg3) <{transpose_a = false, transpose_b = false}> : (tensor<1x4xf32>, tensor<4x5xf32>) -> tensor<1x5xf32> loc("linear_4")
    return %4 : tensor<1x5xf32>
  }
}
