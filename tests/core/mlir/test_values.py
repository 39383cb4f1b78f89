"""Attributes, types, constants, locations and aliases, as values."""

from __future__ import annotations

import numpy as np
import pytest

from studio_core.mlir.dense import dense_array, float_of_bits
from studio_core.mlir.reader import parse_mlir, read_mlir
from studio_core.mlir.records import (
    Attribute,
    DenseArray,
    DenseElements,
    OpaqueValue,
    SymbolRef,
    TensorType,
    Type,
)
from studio_core.mlir.types import parse_type


def attribute(text: str, before: str = "", after: str = "") -> Attribute:
    file = parse_mlir(f'{before}\n"t.op"() {{a = {text}}} : () -> ()\n{after}')
    return list(file.modules[0].walk())[1].attributes["a"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 : i32", 1), ("-2 : si32", -2), ("0x1F : i32", 31), ("true", True), ("false", False),
        ("1.5e-3 : f32", 1.5e-3), ("0x7FC00000 : i32", 0x7FC00000), ("0xFF800000 : f32", -np.inf),
        ("0x3FC0 : bf16", 1.5), ('"a\\22\\n\\\\\\C3\\A9"', 'a"\n\\é'), ("unit", True),
        ("[]", ()), ("[1, [2.0, true]]", (1, (2.0, True))), ("{}", {}),
        ("{b = 1 : i8, c, d = {e = [@f]}}", {"b": 1, "c": True, "d": {"e": (SymbolRef(("f",)),)}}),
        ("@f", SymbolRef(("f",))), ('@f::@"g h"', SymbolRef(("f", "g h"))),
        ("array<i64: 1, -2>", DenseArray("i64", (1, -2))), ("array<i64>", DenseArray("i64", ())),
        ("array<i1: true, false>", DenseArray("i1", (True, False))),
        ("array<f32: 1.0, 0x7F800000>", DenseArray("f32", (1.0, np.inf))),
        ("f32", Type("f32")), ("(i32) -> tensor<2xf32>", Type("(i32) -> tensor<2xf32>")),
        ("!t.x<a, [b]>", Type("!t.x<a, [b]>")), ("tuple<i32, f32>", Type("tuple<i32, f32>")),
        ("#t.x<a = 1>", OpaqueValue("#t.x<a = 1>", "t.x", "a = 1")),
        ("#t<x dram>", OpaqueValue("#t<x dram>", "t.x", "dram")),
        ("#t.unit", OpaqueValue("#t.unit", "t.unit")),
        ("strided<[1]>", OpaqueValue("strided<[1]>", "strided", "[1]")),
        ("some odd stuff", OpaqueValue("some odd stuff")),
    ],
)  # fmt: skip
def test_an_attribute_has_its_value(text, value):
    found = attribute(text)
    assert found.value == value
    assert type(found.value) is type(value)
    assert found.text == ("" if text == "unit" and found.text == "" else text)


def test_properties_and_attributes_are_one_mapping():
    file = parse_mlir('"t.op"() <{a = 1 : i32}> {"b.c" = 2 : i32, d} : () -> ()')
    found = list(file.modules[0].walk())[1].attributes
    assert {k: a.value for k, a in found.items()} == {"a": 1, "b.c": 2, "d": True}
    assert found["d"].text == ""


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("dense<[[1, 2], [3, 4]]> : tensor<2x2xi32>", [[1, 2], [3, 4]]),
        ("dense<1.5> : tensor<2x2xf32>", [[1.5, 1.5], [1.5, 1.5]]),
        ('dense<"0x0000803F00000040"> : tensor<2xf32>', [1.0, 2.0]),
        ('dense<"0x803F"> : tensor<2xbf16>', [1.0, 1.0]),
        ("dense<0xFF800000> : tensor<f32>", -np.inf),
        ("dense<[0x3F800000, 2.0]> : tensor<2xf32>", [1.0, 2.0]),
        ("dense<[true, false]> : tensor<2xi1>", [True, False]),
        ('dense<"0x05"> : tensor<3xi1>', [True, False, True]),
        ("dense<[(1.0, -2.0)]> : tensor<1xcomplex<f32>>", [1 - 2j]),
        ("dense<255> : tensor<1xi8>", [-1]), ("dense<255> : tensor<1xui8>", [255]),
        ("dense<0xFF> : tensor<1xi8>", [-1]), ("dense<> : tensor<0x4xf32>", np.zeros((0, 4))),
        ("dense<[1.0, 2.0]> : vector<2xf16>", [1.0, 2.0]),
        ("dense<0x38> : tensor<f8E4M3FN>", 1.0),
    ],
)  # fmt: skip
def test_a_constant_is_an_array(text, values):
    found = attribute(text).value
    assert isinstance(found, DenseElements) and found.array is not None
    np.testing.assert_array_equal(found.array, np.asarray(values))
    assert found.array.shape == found.type.shape
    assert found.text == text


def test_a_splat_is_not_copied():
    found = attribute("dense<0.0> : tensor<100000x100000xf32>").value
    assert isinstance(found, DenseElements) and found.array is not None
    assert found.array.shape == (100000, 100000) and set(found.array.strides) == {0}


@pytest.mark.parametrize(
    "text",
    [
        "dense_resource<__elided__> : tensor<4xf32>", "dense<[1, 2, 3]> : tensor<2xi32>",
        "dense<300> : tensor<1xui8>", 'dense<["a"]> : tensor<1x!t.string>',
        "dense<0> : tensor<999999999999x999999999999xf32>", "dense<1> : tensor<?xi32>",
    ],
)  # fmt: skip
def test_data_that_are_not_there_are_none(text):
    found = attribute(text).value
    assert isinstance(found, DenseElements) and found.array is None


def test_resources_are_found_at_the_end_of_the_file():
    end = """{-#
      dialect_resources: { builtin: { blob: "0x040000000000803F00000040" } }
    #-}"""
    found = attribute("dense_resource<blob> : tensor<2xf32>", after=end).value
    assert isinstance(found, DenseElements) and found.array is not None
    np.testing.assert_array_equal(found.array, [1.0, 2.0])


def test_bits_of_floats_follow_their_type():
    assert float_of_bits(0x3C00, "f16") == 1.0
    with pytest.raises(ValueError, match="f80"):
        float_of_bits(1, "f80")
    assert dense_array("1.0", parse_type("tensor<f80>")) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "shape", "element", "encoding"),
    [
        ("tensor<1x?x3xf32>", (1, None, 3), "f32", None),
        ("tensor<f32>", (), "f32", None),
        ("tensor<*xbf16>", None, "bf16", None),
        ("tensor<0xi1>", (0,), "i1", None),
        ("tensor<2x2x!ttcore.tile<32x32, bf16>, #t.l<1x1, [a]>>", (2, 2),
         "!ttcore.tile<32x32, bf16>", "#t.l<1x1, [a]>"),
        ("tensor<4xcomplex<f32>, 7 : i32>", (4,), "complex<f32>", "7 : i32"),
        ("tensor<2x!quant.uniform<i8:f32, 0.1:5>>", (2,), "!quant.uniform<i8:f32, 0.1:5>", None),
    ],
)  # fmt: skip
def test_a_tensor_type_is_taken_apart(text, shape, element, encoding):
    assert parse_type(text) == TensorType(text, shape, element, encoding)


def test_other_types_are_text():
    for text in ("memref<2xf32>", "i32", "tensor<>", "!a.b", "tensor<2xf32"):
        assert parse_type(text) == Type(text)


def test_aliases_are_put_in_wherever_they_are_defined(data):
    file = read_mlir(data / "ttnn_layouts.mlir")
    function = next(o for o in file.modules[0].walk() if o.symbol == "forward")
    kind = function.regions[0][0].arguments[0].type
    assert isinstance(kind, TensorType)
    assert kind.encoding == (
        "#ttnn.ttnn_layout<(d0, d1) -> (d0, d1), <1x1>, "
        "memref<8x8x!ttcore.tile<32x32, bf16>, #ttnn.buffer_type<dram>>, <interleaved>>"
    )
    assert file.aliases["#dram"] == "#ttnn.buffer_type<dram>"
    assert file.notes == ()


def test_an_unknown_or_circular_alias_is_kept_and_noted():
    file = parse_mlir('#a = #t.x<#b>\n#b = #t.x<#a>\n"t.op"() {p = #a, q = #none} : () -> ()')
    operation = list(file.modules[0].walk())[1]
    assert operation.attributes["q"].text == "#none"
    assert any("#none is used but never defined" in n for n in file.notes)
    assert any("defined by itself" in n for n in file.notes)


def test_a_file_of_aliases_that_grow_without_end_is_bounded():
    lines = ["#a0 = #t.x<0123456789>"]
    lines += [f"#a{i} = #t.x<#a{i - 1}, #a{i - 1}>" for i in range(1, 60)]
    file = parse_mlir("\n".join([*lines, '"t.op"() {p = #a59} : () -> ()']))
    assert any("more text than is read" in n for n in file.notes)
    assert sum(map(len, file.aliases.values())) < 10_000_000


def test_locations_are_whole_and_named(data):
    file = read_mlir(data / "ttir.mlir")
    found = {o.name: o.location for o in file.modules[0].walk() if o.location}
    assert found["ttir.matmul"].text == 'loc("fc"("model.py":10:3))'
    assert found["ttir.matmul"].names == ("fc",)
    assert found["ttir.empty"].names == () and found["ttir.empty"].name is None
    assert found["ttir.relu"].names == ("relu_3", "inner", "outer")
    function = next(o for o in file.modules[0].walk() if o.symbol == "forward")
    first, second = function.regions[0][0].arguments
    assert first.location.name == "input" and second.location.name == "weight"
    assert first.attributes["ttir.name"].value == "input"


def test_arguments_of_a_generic_function_have_their_attributes(data):
    file = read_mlir(data / "generic.mlir")
    function = next(o for o in file.modules[0].walk() if o.symbol == "branches")
    first, second = function.regions[0][0].arguments
    assert first.attributes["test.name"].value == "count" and not second.attributes
    branch = next(o for o in file.modules[0].walk() if o.name == "cf.cond_br")
    assert branch.successors == ("^left", "^right")
    assert [b.label for b in function.regions[0]] == ["^bb0", "^left", "^right", "^join"]
