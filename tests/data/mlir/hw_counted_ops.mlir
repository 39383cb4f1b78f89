// The formulas for FLOPs, one op each, with numbers that a person can work out.
//   product     A = [96, 64] transposed, B = [96, 32]: 2 · 64 · 96 · 32               =   393,216
//   convolution 6 → 4 channels in 2 groups, kernel 3 × 5, 100 outputs of 4: 2 · 400 · 3 · 15 = 36,000
//   transposed  50 inputs of 6 channels → 4, kernel 2 × 2: 2 · 300 · 4 · 4            =     9,600
//   attention   2 heads, 64 queries, 128 keys, depth 32: 2 · 2 · 64 · 128 · 64        = 2,097,152
module {
  func.func @all(%a: tensor<96x64xbf16>, %b: tensor<96x32xbf16>, %i: tensor<1x1x100x6xbf16>,
                 %w: tensor<4x3x3x5xbf16>, %s: tensor<1x1x50x6xbf16>, %t: tensor<6x4x2x2xbf16>,
                 %q: tensor<1x2x64x32xbf16>, %k: tensor<1x2x128x32xbf16>, %v: tensor<1x2x128x32xbf16>) {
    %d = "ttnn.get_device"() <{mesh_shape = #ttnn<mesh_shape 1x1>}> : () -> !ttnn.device
    %0 = "ttnn.matmul"(%a, %b) <{transpose_a = true, transpose_b = false, compute_config = #ttnn.device_compute_kernel_config<math_fidelity = hifi2>}> : (tensor<96x64xbf16>, tensor<96x32xbf16>) -> tensor<64x32xbf16> loc("product")
    %1 = "ttnn.conv2d"(%i, %w, %d) <{batch_size = 1 : i32, in_channels = 6 : i32, out_channels = 4 : i32, groups = 2 : i32, input_height = 10 : i32, input_width = 10 : i32, kernel_size = array<i32: 3, 5>, stride = array<i32: 1, 1>, padding = array<i32: 1, 1, 2, 2>, dilation = array<i32: 1, 1>, compute_config = #ttnn.device_compute_kernel_config<math_fidelity = hifi2>}> : (tensor<1x1x100x6xbf16>, tensor<4x3x3x5xbf16>, !ttnn.device) -> tensor<1x1x100x4xbf16> loc("convolution")
    %2 = "ttnn.conv_transpose2d"(%s, %t, %d) <{batch_size = 1 : i32, in_channels = 6 : i32, out_channels = 4 : i32, groups = 1 : i32, input_height = 10 : i32, input_width = 5 : i32, kernel_size = array<i32: 2, 2>, stride = array<i32: 2, 2>, padding = array<i32: 0, 0>, output_padding = array<i32: 0, 0>, dilation = array<i32: 1, 1>, compute_config = #ttnn.device_compute_kernel_config<math_fidelity = hifi2>}> : (tensor<1x1x50x6xbf16>, tensor<6x4x2x2xbf16>, !ttnn.device) -> tensor<1x1x200x4xbf16> loc("transposed")
    %3 = "ttnn.scaled_dot_product_attention"(%q, %k, %v) <{is_causal = false, operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>, compute_config = #ttnn.device_compute_kernel_config<math_fidelity = hifi2>}> : (tensor<1x2x64x32xbf16>, tensor<1x2x128x32xbf16>, tensor<1x2x128x32xbf16>) -> tensor<1x2x64x32xbf16> loc("attention")
    %4 = "ttnn.scaled_dot_product_attention"(%q, %k, %v) <{is_causal = true, operandSegmentSizes = array<i32: 1, 1, 1, 0, 0>, compute_config = #ttnn.device_compute_kernel_config<math_fidelity = hifi2>}> : (tensor<1x2x64x32xbf16>, tensor<1x2x128x32xbf16>, tensor<1x2x128x32xbf16>) -> tensor<1x2x64x32xbf16> loc("causal")
    %5 = "ttnn.add"(%0, %0) : (tensor<64x32xbf16>, tensor<64x32xbf16>) -> tensor<64x32xbf16> loc("sum")
    return
  }
  func.func private @prepared(%w: tensor<96x32xbf16>) -> tensor<96x32xbf16> attributes {const_eval} {
    %0 = "ttnn.matmul"(%w, %w) <{transpose_a = true, transpose_b = false}> : (tensor<96x32xbf16>, tensor<96x32xbf16>) -> tensor<32x32xbf16> loc("once")
    return %w : tensor<96x32xbf16>
  }
}
