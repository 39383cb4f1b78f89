"""Whole files: how many operations, which modules, and what is said of files that are none."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from studio_core.errors import InvalidModelError, LimitError, MlirSyntaxError, NotFoundError
from studio_core.limits import Limits
from studio_core.mlir.reader import parse_mlir, read_mlir
from studio_core.mlir.records import MlirFile, Operation, TensorType

OTHERS = Path(__file__).parents[4] / "shared" / "data" / "mlir"


def operations(file: MlirFile) -> list[Operation]:
    return [o for module in file.modules for o in module.walk()]


def written(file: MlirFile) -> list[Operation]:
    """Without the modules that the file itself does not write."""
    return [o for o in operations(file) if o.line]


def one(text: str) -> Operation:
    return operations(parse_mlir(text))[1]


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("generic", 9), ("ttir", 6), ("ttnn_layouts", 9), ("stablehlo", 29), ("loops", 31),
        ("splits", 7), ("unknown", 12),
    ],
)  # fmt: skip
def test_every_operation_is_there_once(data, name, count):
    file = read_mlir(data / f"{name}.mlir")
    assert len(written(file)) == count
    assert file.path == data / f"{name}.mlir"


def test_only_assemblies_that_nobody_knows_are_opaque(data):
    known = ("generic", "ttir", "ttnn_layouts", "stablehlo")
    found = [o for name in known for o in operations(read_mlir(data / f"{name}.mlir"))]
    assert [o.name for o in found if o.is_opaque] == []
    unknown = Counter(o.name for o in operations(read_mlir(data / "unknown.mlir")) if o.is_opaque)
    assert unknown == {"odd.generic": 1, "odd.loop": 1, "odd.manual": 1, "odd.call": 1}


def test_operations_know_their_lines(data):
    text = (data / "ttir.mlir").read_text()
    for operation in written(read_mlir(data / "ttir.mlir")):
        line = text.split("\n")[operation.line - 1]
        word = operation.name.removeprefix("builtin.").removeprefix("func.")
        assert word in line[operation.column - 1 :]
    last = operations(read_mlir(data / "splits.mlir"))[-1]
    assert (last.name, last.line, last.column) == ("builtin.module", 14, 17)


def test_splits_have_their_own_aliases_and_modules(data):
    file = read_mlir(data / "splits.mlir")
    assert [m.symbol for m in file.modules] == ["first", None, "third"]
    assert [m.line for m in file.modules] == [2, 0, 14]
    first = list(file.modules[0].walk())[1]
    assert first.attributes["map"].text == "affine_map<(d0) -> (d0)>"


def test_operations_outside_a_module_stand_in_an_implicit_one():
    (module,) = parse_mlir("func.func @f() { return }").modules
    assert (module.name, module.line) == ("builtin.module", 0)
    assert [o.name for o in module.walk()] == ["builtin.module", "func.func", "func.return"]
    assert len(parse_mlir("module {}\nmodule {}").modules) == 2


def test_a_file_without_operations_is_an_empty_module_and_says_so():
    file = parse_mlir("// nothing\n")
    assert [len(list(m.walk())) for m in file.modules] == [1]
    assert "no operation" in file.notes[0]


def test_unknown_assembly_keeps_what_can_be_seen(data):
    found = {o.name: o for o in operations(read_mlir(data / "unknown.mlir"))}
    generic = found["odd.generic"]
    assert [v.name for v in generic.operands] == ["%in", "%in"]
    assert [r.type.text for r in generic.results] == ["memref<1x1xf32>"]
    assert [r[0].label for r in generic.regions] == ["^first", "^second"]
    assert "ins(%in" in generic.text and "odd.wait" not in generic.text
    loop = found["odd.loop"]
    assert [a.name for a in loop.regions[0][0].arguments] == ["%i"]
    assert [v.name for v in loop.operands] == ["%n", "%n"]
    use = found["odd.use"]
    assert use.operands[0] is loop.regions[0][0].arguments[0]
    manual = found["odd.manual"]
    assert [a.type.text for a in manual.regions[0][0].arguments] == ["i32", "i32"]
    assert found["odd.call"].operands[0] is manual.results[1]
    assert found["odd.nested::name"].operands[0].name == "%n"


def test_an_undefined_name_inside_an_unknown_operation_is_noted(data):
    notes = read_mlir(data / "unknown.mlir").notes
    assert notes == ("Line 16, column 5: 'odd.use' uses %j, not defined here.",)


def test_values_know_their_producers_and_uses_before_definition():
    file = parse_mlir('module { "a.use"(%x) : (i32) -> ()\n %x = "a.make"() : () -> i32 }')
    _, use, make = operations(file)
    assert use.operands[0] is make.results[0]
    assert make.results[0].producer is make


def test_inner_names_come_before_outer_ones():
    text = """
    func.func @f(%a: i32) { return }
    func.func @g(%a: i64) { "t.u"(%a) : (i64) -> ()
      return }"""
    _, f, _, g, use, _ = operations(parse_mlir(text))
    assert use.operands[0] is g.regions[0][0].arguments[0]
    assert use.operands[0] is not f.regions[0][0].arguments[0]


BROKEN = [
    ('"a.b"(%x) : (i32) -> ()', 1, 1, "nothing here defines"),
    ('\n  %0 = "a.b"() : () -> ()', 2, 24, "0 result types"),
    ('%0 = "a.b"() : () -> i32\n%0 = "a.b"() : () -> i32', 2, 1, "second time"),
    ("module {\n  func.func @f() {\n}", 1, 8, "never closed"),
    ('"a.b"() : () -> i32 }', 1, 21, "closes nothing"),
    ('"a.b"(] : () -> ()', 1, 7, "should be closed"),
    ('"a.b"() {x = "open} : () -> ()', 1, 14, "string is not closed"),
    ('"a.b" : () -> ()', 1, 7, "operands in parentheses"),
    ('"a.b"() () -> ()', 1, 12, "':'"),
    ('"a.b"() : i32', 1, 11, "operand types"),
    ('%0 = "t.p"() : () -> i1\n"a.b"(%0) : () -> ()', 2, 13, "give each operand its type"),
    ('"a.b"() : () -> ,', 1, 17, "type must follow"),
    ("Dear all, this is a letter.", 1, 1, "must begin here, not 'Dear"),
    ("// -----\nmodule {}\n// -----\n42", 4, 1, "must begin here"),
    ('%0:99999999 = "a.b"() : () -> i32', 1, 1, "results"),
]


@pytest.mark.parametrize(("text", "line", "column", "says"), BROKEN)
def test_a_broken_text_is_told_where_it_breaks(text, line, column, says):
    with pytest.raises(MlirSyntaxError, match=re.escape(says)) as caught:
        parse_mlir(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert str(caught.value).startswith(f"Line {line}, column {column}: ")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"ML\xefR\x0dMLIR", "bytecode"),
        (b"\x08\x07\x12\x04onnx", "ONNX"),
        (b"\x10\0\0\0TTNN", "flatbuffer"),
        (b"PK\x03\x04", "zip"),
        (b"abc\xff", "UTF-8"),
        (b"abc\0def", "binary"),
    ],
)
def test_what_is_no_text_is_told_what_it_is(tmp_path, content, says):
    path = tmp_path / "model.mlir"
    path.write_bytes(content)
    with pytest.raises(InvalidModelError, match=says):
        read_mlir(path)


def test_a_missing_file_a_folder_and_a_huge_file(tmp_path):
    with pytest.raises(NotFoundError, match="no file"):
        read_mlir(tmp_path / "none.mlir")
    with pytest.raises(InvalidModelError, match="folder"):
        read_mlir(tmp_path)
    (tmp_path / "m.mlir").write_text("module {  }\n")
    with pytest.raises(LimitError, match="max_mlir_bytes = 10 "):
        read_mlir(tmp_path / "m.mlir", Limits(max_mlir_bytes=10))


def test_a_byte_order_mark_is_no_matter(tmp_path):
    (tmp_path / "m.mlir").write_bytes(b"\xef\xbb\xbfmodule {}")
    assert len(operations(read_mlir(tmp_path / "m.mlir"))) == 1


def expected_counts() -> list[tuple[str, int]]:
    if not (OTHERS / "README.md").exists():
        return []
    rows = re.findall(
        r"\| (\S+\.mlir) \| .*? \| \d+ \| (\d+) \|", (OTHERS / "README.md").read_text()
    )
    return [(name, int(count)) for name, count in rows]


@pytest.mark.skipif(not OTHERS.exists(), reason="the files of others are not here")
def test_the_files_of_others_are_read_to_the_last_operation():
    counts = expected_counts()
    assert len(counts) == len(list(OTHERS.glob("*.mlir")))
    found = {name: len(written(read_mlir(OTHERS / name))) for name, _ in counts}
    assert found == dict(counts)
    tensors = [
        v.type for n, _ in counts for o in operations(read_mlir(OTHERS / n)) for v in o.results
    ]
    assert all(isinstance(t, TensorType) or not t.text.startswith("tensor") for t in tensors)
