// Custom assemblies of dialects that nobody told the reader about.
func.func @kernel(%in: memref<1x1xf32>, %n: i32) {
  %m = odd.generic {grid = #odd.grid<1x1>, kinds = [#odd.kind<a>]}
      ins(%in : memref<1x1xf32>)
      outs(%in : memref<1x1xf32>) {
  ^first(%cb: !odd.cb<memref<1x1xf32>>):
    %w = odd.wait %cb : !odd.cb<memref<1x1xf32>> -> memref<1x1xf32>
    odd.yield
  }, {
  ^second:
    odd.nested::name(%n)
        : (i32) -> ()
    odd.done
  } : memref<1x1xf32>
  odd.loop %i : i32 = %n to %n {
    odd.use %i, %j : i32
  } {odd.flag}
  %s:2 = odd.manual(%n) shardings=[<@mesh, [{"x"}, {?}]>] axes={"x"} (%a: i32, %b: i32) {
    odd.yield %a, %b : i32, i32
  } : (i32) -> (i32, i32)
  odd.call @callee(%s#1) {k = 1 : i8} : (i32) -> () loc("here")
  return
}
