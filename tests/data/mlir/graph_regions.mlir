// Written for Studio's tests: ops with regions, nested, and an op of an unknown dialect.
module @regions {
  func.func @main(%arg0: tensor<8x16xf32>, %arg1: tensor<i32>) -> tensor<8xf32> {
    %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
    %limit = stablehlo.constant dense<4> : tensor<i32>
    %0 = "stablehlo.reduce"(%arg0, %cst) <{dimensions = array<i64: 1>}> ({
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %s = stablehlo.add %a, %b : tensor<f32>
      "stablehlo.return"(%s) : (tensor<f32>) -> ()
    }) : (tensor<8x16xf32>, tensor<f32>) -> tensor<8xf32> loc("sum"("model.py":3:1))
    %1:2 = "stablehlo.while"(%arg1, %0) ({
    ^bb0(%i: tensor<i32>, %x: tensor<8xf32>):
      %c = stablehlo.compare LT, %i, %limit : (tensor<i32>, tensor<i32>) -> tensor<i1>
      "stablehlo.return"(%c) : (tensor<i1>) -> ()
    }, {
    ^bb0(%i: tensor<i32>, %x: tensor<8xf32>):
      %y = stablehlo.tanh %x : tensor<8xf32>
      "stablehlo.return"(%i, %y) : (tensor<i32>, tensor<8xf32>) -> ()
    }) : (tensor<i32>, tensor<8xf32>) -> (tensor<i32>, tensor<8xf32>)
    %2 = "stablehlo.reduce"(%arg0, %cst) <{dimensions = array<i64: 1>}> ({
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %m = stablehlo.maximum %a, %b : tensor<f32>
      "stablehlo.return"(%m) : (tensor<f32>) -> ()
    }) : (tensor<8x16xf32>, tensor<f32>) -> tensor<8xf32>
    %3 = strange.mix %1#1 with %2 {how = "gently"} : tensor<8xf32>
    return %3 : tensor<8xf32>
  }
}
