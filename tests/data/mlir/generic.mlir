// The generic form, with everything it can hold.
"builtin.module"() <{sym_name = "generic"}> ({
  "func.func"() <{function_type = (i32, tensor<2x?xf32>) -> i32, sym_name = "branches", arg_attrs = [{test.name = "count"}, {}]}> ({
  ^bb0(%count: i32, %x: tensor<2x?xf32>):
    %0:2 = "test.pair"(%x) {list = [1 : i32, "a\22b", @f::@g, #test.note<1, "x">], unit} : (tensor<2x?xf32>) -> (i1, i32)
    // A comment with { brackets ( and "quotes
    "cf.cond_br"(%0#0, %0#1)[^left, ^right] <{operandSegmentSizes = array<i32: 1, 1, 0>}> : (i1, i32) -> ()
  ^left(%y: i32):
    %1 = "test.region"() ({
      "test.inner"(%y) : (i32) -> ()
    }, {
    }) : () -> i32
    "cf.br"(%1)[^join] : (i32) -> ()
  ^right:
    "cf.br"(%count)[^join] : (i32) -> ()
  ^join(%z: i32):
    "func.return"(%z) : (i32) -> ()
  }) : () -> ()
}) : () -> ()
