"""MLIR texts that mean harm: a sentence that names the limit, or the text kept as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio_core.errors import LimitError, MlirSyntaxError
from studio_core.limits import Limits
from studio_core.mlir.reader import parse_mlir, read_mlir

LONG = "n" * 20_000

REFUSED = {
    "elements": ('%0 = "a.b"() : () -> tensor<1000000x1000000xf32>', "max_elements"),
    "arguments": ("func.func @f(%a: tensor<1000000x1000000xf32>) {}", "max_elements"),
    "splat": (
        '%0 = "a.b"() {v = dense<0> : tensor<1000000x1000000xi8>} : () -> '
        "tensor<1000000x1000000xi8>",
        "max_elements",
    ),
    "beyond a machine word": (
        f'%0 = "a.b"() : () -> tensor<{"999999999999999999x" * 40}f32>', "about 2^",
    ),
    "value's name": (f'%{LONG} = "a.b"() : () -> i32', "max_name_bytes"),
    "symbol": (f"func.func @{LONG}() {{}}", "max_name_bytes"),
    "quoted symbol": (f'func.func @"{LONG}"() {{}}', "max_name_bytes"),
    "operation": (f'"a.{LONG}"() : () -> ()', "max_name_bytes"),
    "bare operation": (f"a.{LONG}", "max_name_bytes"),
    "location": (f'module {{}} loc("{LONG}")', "max_name_bytes"),
    "alias": (f"#{LONG} = 1\nmodule {{}}", "max_name_bytes"),
    "nesting": ("module {" * 1500 + "}" * 1500, "max_mlir_nesting"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_with_a_sentence(text: str, words: str) -> None:
    with pytest.raises((LimitError, MlirSyntaxError)) as refused:
        parse_mlir(text)
    assert words in refused.value.message
    assert len(refused.value.message) < 600


def test_every_limit_can_be_raised_and_is_inclusive() -> None:
    text = 'module { func.func @f() {} }\n%0 = "a.b"() : () -> tensor<10x10xf32>'
    exact = {"max_elements": 100, "max_mlir_nesting": 2, "max_nodes": 3}
    parse_mlir(text, limits=Limits(**exact))
    for name, most in exact.items():
        with pytest.raises((LimitError, MlirSyntaxError), match=f"{name} = {most - 1} "):
            parse_mlir(text, limits=Limits(**{**exact, name: most - 1}))


def test_a_long_string_is_no_name() -> None:
    data = "0x" + "00" * 400_000
    text = (
        f'%0 = "a.b"() {{value = dense<"{data}"> : tensor<100000xf32>}} : () -> tensor<100000xf32>'
    )
    assert parse_mlir(text).modules


def test_aliases_that_double_stand_for_themselves() -> None:
    """Sixty lines that stand for 2^60 texts: kept as written, with a note."""
    lines = ["#a0 = [1, 1]", *(f"#a{i} = [#a{i - 1}, #a{i - 1}]" for i in range(1, 60))]
    file = parse_mlir("\n".join([*lines, '"a.b"() {x = #a59} : () -> ()']))
    assert any("stand for more text" in note for note in file.notes)
    assert sum(map(len, file.aliases.values())) < 70_000_000


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "m.mlir"
    path.write_text("module {}\n" * 10)
    size = path.stat().st_size
    read_mlir(path, Limits(max_mlir_bytes=size))
    with pytest.raises(LimitError, match=f"max_mlir_bytes = {size - 1} "):
        read_mlir(path, Limits(max_mlir_bytes=size - 1))
