// Written for Studio's tests: several modules in a file, several functions in a module.
module @first {
  func.func @forward(%arg0: tensor<2x4xf32>) -> tensor<2x4xf32> {
    %0 = ttir.empty() : tensor<2x4xf32>
    %1 = "ttir.relu"(%arg0, %0) : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
    return %1 : tensor<2x4xf32>
  }
  func.func @backward(%arg0: tensor<2x4xf32>) -> tensor<2x4xf32> {
    %0 = "ttir.gelu"(%arg0) : (tensor<2x4xf32>) -> tensor<2x4xf32>
    %1 = "ttir.relu"(%0) : (tensor<2x4xf32>) -> tensor<2x4xf32>
    return %1 : tensor<2x4xf32>
  }
}
// -----
module {
  func.func @forward(%arg0: tensor<2x4xbf16>) -> tensor<2x4xbf16> {
    return %arg0 : tensor<2x4xbf16>
  }
}
