#map = affine_map<(d0) -> (d0 + 4, 8)>
func.func @loops(%n: index, %m: memref<?x8xf32>, %t: tensor<4x8xf32>) -> (f32, i32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %true = arith.constant true
  %s = scf.for %i = %c0 to %n step %c1 iter_args(%acc = %zero) -> (f32) {
    %x = memref.load %m[%i, %c0] : memref<?x8xf32>
    %y = arith.addf %acc, %x fastmath<fast> : f32
    scf.yield %y : f32
  } loc("outer"("loops.py":3:1))
  %r:2 = scf.while (%a = %c0, %b = %zero) : (index, f32) -> (index, f32) {
    %c = arith.cmpi slt, %a, %n : index
    scf.condition(%c) %a, %b : index, f32
  } do {
  ^bb0(%a: index, %b: f32):
    %k = arith.addi %a, %c1 : index
    scf.yield %k, %b : index, f32
  }
  %if = scf.if %true -> (f32) {
    scf.yield %s : f32
  } else {
    scf.yield %zero : f32
  }
  scf.parallel (%i, %j) = (%c0, %c0) to (%n, %n) step (%c1, %c1) {
    memref.store %zero, %m[%i, %j] : memref<?x8xf32>
    scf.reduce
  }
  affine.for %i = 0 to min #map(%n) step 2 {
    %x = affine.load %m[%i, 0] : memref<?x8xf32>
    affine.yield
  }
  %e = tensor.extract %t[%c0, %c1] : tensor<4x8xf32>
  %d = tensor.dim %t, %c0 : tensor<4x8xf32>
  %cast = arith.index_cast %d : index to i32
  cf.cond_br %true, ^a(%cast : i32), ^b
^a(%u: i32):
  return %if, %u : f32, i32
^b:
  %one = arith.constant 1 : i32 %two = arith.addi %one, %one : i32
  cf.br ^a(%two : i32)
}
