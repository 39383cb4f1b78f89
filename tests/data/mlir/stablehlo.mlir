module @pretty {
  func.func public @main(%x: tensor<1x8x8x3xf32>, %k: tensor<3x3x3x4xf32>, %m: tensor<4x6xf32>, %w: tensor<6x2xf32>, %i: tensor<4x2xi32>) -> (tensor<4xf32> {jax.result_info = "r"}, tensor<4xf32>) {
    %cst = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %0 = stablehlo.convolution(%x, %k) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {stride = [2, 2], pad = [[0, 1], [1, 0]], rhs_dilate = [1, 1], reverse = [false, true]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>) -> tensor<1x4x4x4xf32>
    %1 = stablehlo.dot_general %m, %w, contracting_dims = [1] x [0], precision = [DEFAULT, HIGHEST] : (tensor<4x6xf32>, tensor<6x2xf32>) -> tensor<4x2xf32>
    %2 = stablehlo.transpose %1, dims = [1, 0] : (tensor<4x2xf32>) -> tensor<2x4xf32>
    %3 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f32>) -> tensor<2x4xf32>
    %4 = stablehlo.compare GT, %2, %3, FLOAT : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xi1>
    %5 = stablehlo.select %4, %2, %3 : tensor<2x4xi1>, tensor<2x4xf32>
    %6 = stablehlo.slice %5 [0:1, 0:4:2] : (tensor<2x4xf32>) -> tensor<1x2xf32>
    %7 = stablehlo.pad %6, %zero, low = [0, 1], high = [0, -1], interior = [0, 0] : (tensor<1x2xf32>, tensor<f32>) -> tensor<1x2xf32>
    %8 = stablehlo.iota dim = 1 : tensor<4x2xf32>
    %9 = stablehlo.concatenate %1, %8, dim = 1 : (tensor<4x2xf32>, tensor<4x2xf32>) -> tensor<4x4xf32>
    %10 = stablehlo.reduce(%9 init: %cst) applies stablehlo.maximum across dimensions = [1] : (tensor<4x4xf32>, tensor<f32>) -> tensor<4xf32>
    %11:2 = stablehlo.reduce(%1 init: %zero), (%8 init: %zero) across dimensions = [1] : (tensor<4x2xf32>, tensor<4x2xf32>, tensor<f32>, tensor<f32>) -> (tensor<4xf32>, tensor<4xf32>)
     reducer(%a: tensor<f32>, %b: tensor<f32>) (%c: tensor<f32>, %d: tensor<f32>)  {
      %20 = stablehlo.add %a, %b : tensor<f32>
      %21 = stablehlo.maximum %c, %d : tensor<f32>
      stablehlo.return %20, %21 : tensor<f32>, tensor<f32>
    }
    %12:2 = stablehlo.while(%n = %zero, %v = %11#0) : tensor<f32>, tensor<4xf32>
     cond {
      %20 = stablehlo.compare LT, %n, %zero : (tensor<f32>, tensor<f32>) -> tensor<i1>
      stablehlo.return %20 : tensor<i1>
    } do {
      %20 = stablehlo.negate %v : tensor<4xf32>
      stablehlo.return %n, %20 : tensor<f32>, tensor<4xf32>
    }
    %p = stablehlo.constant dense<1> : tensor<i32>
    %13 = stablehlo.dynamic_slice %m, %p, %p, sizes = [2, 2] : (tensor<4x6xf32>, tensor<i32>, tensor<i32>) -> tensor<2x2xf32>
    %14 = stablehlo.reduce_precision %m, format = e5m10 : tensor<4x6xf32>
    %15 = stablehlo.custom_call @target(%m) {backend_config = "", api_version = 2 : i32} : (tensor<4x6xf32>) -> tensor<4xf32>
    return %10, %12#1 : tensor<4xf32>, tensor<4xf32>
  }
}
