#map = affine_map<(d0) -> (d0)>
module @first { "test.op"() {map = #map} : () -> () }

// -----

#map = affine_map<(d0) -> (d0 + 1)>
func.func private @declared(tensor<4xf32>) -> i32
func.func @second() { return }

// -----
// nothing but a comment

// -----
module @third { module @nested { } }
