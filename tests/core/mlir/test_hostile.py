"""Texts that mean ill, or nothing: an answer or an error of the family, and in linear time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio_core.errors import MlirSyntaxError, StudioError
from studio_core.mlir.reader import parse_mlir

DATA = Path(__file__).parents[2] / "data" / "mlir"
OWN = ("generic", "ttir", "ttnn_layouts", "stablehlo", "loops", "splits", "unknown")
TEXTS = [(DATA / f"{name}.mlir").read_text() for name in OWN]
PIECES = [
    "%", "%0", '"', "(", ")", "{", "}", "<", ">", "[", "]", "->", ":", ",", "=", "#a", "!a", "@",
    "^", "loc(", "dense<", "\n", "0x", "::", "\n// -----\n", "{-#", "#-}", "tensor<", "?", "x",
    "1", "e", ".", "true", "\\", "é", "module", "func.func", "stablehlo.reduce", "scf.for",
]  # fmt: skip


def read(text: str) -> None:
    try:
        file = parse_mlir(text)
    except StudioError as error:
        assert isinstance(error, MlirSyntaxError) and error.line and error.column
    else:
        assert file.modules


@given(st.text() | st.lists(st.sampled_from(PIECES)).map(" ".join))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_or_refused(text):
    read(text)


@given(st.sampled_from(TEXTS), st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_damaged_module_is_read_or_refused(text, data):
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        gone = data.draw(st.integers(0, 8))
        text = text[:at] + data.draw(st.sampled_from(["", *PIECES])) + text[at + gone :]
    read(text)


@pytest.mark.parametrize("name", OWN)
def test_a_module_that_breaks_off_is_read_or_refused(name):
    text = TEXTS[OWN.index(name)]
    for end in range(0, len(text), 7):
        read(text[:end])


NESTED: dict[str, Callable[[int], str]] = {
    "regions": lambda n: '"a.b"() ({' * n + "}) : () -> ()" * n,
    "lists": lambda n: '"a.b"() {x = ' + "[" * n + "]" * n + "} : () -> ()",
    "types": lambda n: '"a.b"() : () -> ' + "tuple<" * n + "i32" + ">" * n,
    "functions": lambda n: '"a.b"() : () -> (' + "(" * n + ")" * n + ")",
    "modules": lambda n: "module {" * n + "}" * n,
    "locations": lambda n: "module {} loc(" + '"a"(' * n + "unknown" + ")" * n + ")",
}


@pytest.mark.parametrize("make", NESTED.values(), ids=NESTED)
def test_nesting_is_limited_and_needs_no_recursion(make):
    parse_mlir(make(300))
    with pytest.raises(MlirSyntaxError, match="max_mlir_nesting = 1,000"):
        parse_mlir(make(100_000))


def steps(text: str) -> int:
    """Lines of the reader that run: unlike time, the same in every run."""
    count = 0

    def local(frame: object, event: str, argument: object) -> object:
        nonlocal count
        count += 1
        return local

    sys.settrace(local)  # type: ignore[arg-type]
    try:
        read(text)
    finally:
        sys.settrace(None)
    return count


SHAPES: dict[str, Callable[[int], str]] = {
    "operations": lambda n: "\n".join(f'%{i} = "a.b"() : () -> i32' for i in range(n)),
    "locations": lambda n: "\n".join(
        ["module {}", *(f'#l{i} = loc("a"(#l{i + 1}))' for i in range(n)), f"#l{n} = loc(unknown)"]
    ).replace("(#l", "(#m"),
    "blank lines": lambda n: "func.func @f() { return }" + "\n" * n + "module {}",
    "unknown words": lambda n: "a.b " + "c.d " * n,
    "braces": lambda n: "a.b " + "{} " * n,
    "regions": lambda n: "a.b " + "(%x: i32) { c.d } " * n,
    "keywords": lambda n: "a.b " + "k = [1] " * n,
    "wrapped names": lambda n: '%x = "a.b"() : () -> i32\nc.d ' + "%x,\n" * n + "%x : i32",
    "symbols": lambda n: "a.b " + "(@x) " * n,
    "list": lambda n: '"a.b"() {x = [' + "1, " * n + "2]} : () -> ()",
    "lone brackets": lambda n: '"a.b"() {x = [' + "#a<, " * n + "2]} : () -> ()",
    "arguments": lambda n: "func.func @f(" + ", ".join(f"%a{i}: i32" for i in range(n)) + ") {}",
}


@pytest.mark.parametrize("make", SHAPES.values(), ids=SHAPES)
def test_the_work_grows_with_the_text(make):
    small, large = steps(make(100)), steps(make(800))
    assert large < 9.5 * small
