"""What is fuzzed: for each reader of hostile text or bytes, inputs, and what must hold for them.

A target takes one input and raises AssertionError, or anything but an error of Studio's family,
where the reader is at fault. `TARGETS` has each with its strategy; test_fuzz.py tries a few
inputs, ``python -m tests.fuzz`` as many as there is time for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from hypothesis import strategies as st

from studio_core.attributes import GridSpec, IntListSpec, ValueListSpec, format_value, parse_value
from studio_core.attributes.wire import spec_from_json
from studio_core.errors import StudioError
from studio_core.graphs.from_mlir import graphs_from_mlir
from studio_core.graphs.model_explorer_json import graph_to_json
from studio_core.hardware.layouts import format_layout, parse_layout
from studio_core.hardware.system_text import parse_system
from studio_core.limits import Limits
from studio_core.mlir.reader import parse_mlir
from studio_core.overrides.compiler_options import parse_compiler_options, to_compiler_options
from studio_core.overrides.documents import from_json, to_json
from studio_core.overrides.records import Override, Overrides
from studio_core.samples import sample_names, sample_path
from studio_core.session import Session

# Small, so that a file of a few bytes that asks for much is refused and not computed.
LIMITS = Limits(max_elements=10**7, max_nodes=10_000)
DATA = Path(__file__).parents[1] / "data" / "mlir"


@dataclass(frozen=True)
class Target:
    """A reader: ``run`` gets what ``inputs`` makes."""

    run: Callable[[Any], None]
    inputs: st.SearchStrategy[Any]


# ONNX

MODEL = """<ir_version: 10, opset_import: ["": 21, "local": 1]>
    g (float[N,2,4,4] x, bool c) => (float[N,3] y)
    <float[3,2,1,1] k = {1,2,3,4,5,6}, float[4] s = {0.5,0.25,0.5,1},
     int8[4,3] q = {1,2,3,4,5,6,7,8,9,10,11,12}, int64[2] to = {-1,3}>
    {
        h = Conv <pads = [0,0,0,0], group = 1> (x, k)
        p = GlobalAveragePool (h)
        f = Reshape (p, to)
        d = DequantizeLinear <axis = 0> (q, s)
        m = Gemm <transB = 0> (f, d)
        t = local.twice (m)
        y = If (c) <
            then_branch = t1 () => (float[N,3] a)
                <float[3,3] w = {1,2,3,4,5,6,7,8,9}> { a = MatMul (t, w) },
            else_branch = t2 () => (float[N,3] b) { b = Identity (t) }
        >
    }
    <opset_import: ["": 21], domain: "local"> twice (a) => (b) { b = Add (a, a) }"""


def seeds() -> list[bytes]:
    small = onnx.parser.parse_model(MODEL).SerializeToString()
    large = min((sample_path(name) for name in sample_names()), key=lambda p: p.stat().st_size)
    return [small, large.read_bytes()]


@st.composite
def damaged(draw: st.DrawFn, whole: list[bytes]) -> bytes:
    """A whole file with bytes overwritten, taken out, put in twice, or moved."""
    data = bytearray(draw(st.sampled_from(whole)))
    for _ in range(draw(st.integers(1, 6))):
        # Structure stands at the beginning and the end, weights in between.
        at = draw(st.integers(0, len(data)) | st.integers(0, min(400, len(data))))
        size = draw(st.integers(0, 12))
        kind = draw(st.sampled_from(["flip", "cut", "put", "repeat", "end"]))
        if kind == "flip" and at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del data[at : at + size]
        elif kind == "put":
            data[at:at] = draw(st.binary(max_size=12))
        elif kind == "repeat":
            data[at:at] = data[at : at + size] * draw(st.integers(1, 40))
        elif kind == "end":
            del data[max(1, at) :]
    return bytes(data)


# What protobuf is made of, so that nonsense gets past the first byte.
tags = st.integers(1, 26).flatmap(
    lambda n: st.sampled_from([(n << 3 | w) & 0xFF for w in (0, 2, 5)])
)
fields = st.recursive(
    st.tuples(tags, st.binary(max_size=20)),
    lambda inner: st.tuples(
        tags, st.lists(inner, max_size=5).map(lambda f: b"".join(map(coded, f)))
    ),
    max_leaves=25,
)


def coded(field: tuple[int, bytes]) -> bytes:
    tag, body = field
    if tag & 7 != 2:
        return bytes([tag]) + (body or b"\0")[:1]
    size, length = len(body), bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([tag, *length, size]) + body


def read_onnx(data: bytes) -> None:
    """Opened, listed and estimated; or refused in words."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.onnx")
        path.write_bytes(data)
        try:
            session = Session.open(path, limits=LIMITS)
            layers = session.layers
            assert session.summary and session.loss and session.perf
        except StudioError as error:
            assert error.message
            return
        assert len({layer.id for layer in layers}) == len(layers)


# MLIR

PIECES = [
    "%", "%0", '"', "(", ")", "{", "}", "<", ">", "[", "]", "->", ":", ",", "=", "#a", "!a", "@",
    "^bb0", "loc(", "dense<", "\n", "0x", "::", "\n// -----\n", "{-#", "#-}", "tensor<", "?", "x",
    "1", "e", ".", "true", "\\", "é", "module", "func.func", "stablehlo.reduce", "scf.for", "f32",
    "array<i64: ", "tensor<4x4xf32>", "#ttnn.ttnn_layout<", "memref<", "attributes", "4294967296",
]  # fmt: skip
MODULES = [path.read_text(encoding="utf-8") for path in sorted(DATA.glob("*.mlir"))]


@st.composite
def damaged_text(draw: st.DrawFn, whole: list[str]) -> str:
    text = draw(st.sampled_from(whole))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(text)))
        gone = draw(st.integers(0, 10))
        put = draw(st.sampled_from(["", *PIECES]) | st.text(max_size=4))
        text = text[:at] + put * draw(st.integers(1, 3)) + text[at + gone :]
    return text


def read_module(text: str) -> None:
    """Read, made into graphs and their JSON; or refused in words."""
    try:
        for found in graphs_from_mlir(parse_mlir(text, limits=LIMITS), None):
            graph_to_json(found.graph)
    except StudioError as error:
        assert error.message


# Editable attributes

specs = st.one_of(
    st.builds(IntListSpec),
    st.builds(GridSpec, separator=st.sampled_from(["x", ", ", "*"])),
    st.just(ValueListSpec(("l1", "dram", "None"))),
)
words = st.text(max_size=30) | st.lists(
    st.sampled_from(["[", "]", ",", "x", "-", "1", "64", "٣", " ", "0", "9" * 30, "_", "l1", "*"])
).map("".join)


def edit_attribute(given: tuple[Any, str]) -> None:
    """What is read can be written, and reads back equal."""
    spec, text = given
    try:
        value = parse_value(spec, text)
    except StudioError:
        return
    assert parse_value(spec, format_value(spec, value)) == value


def read_layout(text: str) -> None:
    layout = parse_layout(text)
    if layout is not None:
        again = parse_layout(format_layout(layout))
        assert again == layout, (text, format_layout(layout))


def read_system(text: str) -> None:
    try:
        parse_system(text)
    except StudioError as error:
        assert error.message


LAYOUT_PIECES = [
    "#ttnn.ttnn_layout<", "(d0, d1) -> (d0, d1)", ", ", "<1x1>", "<8x8, (d0) -> (0, d0)>",
    "memref<", "1x1x!tt.tile<32x32, bf16>", "#dram", "#l1", ">", "<interleaved>", "<",
    "core_ranges = <[#ttnn.core_range<(0,0), (7,7)>]>", "4x", "x", "?", "-1", "9" * 20, "loc",
]  # fmt: skip
SYSTEM_PIECES = [
    "#ttcore.system_desc<[{", "}]", ">", "chip_desc", "arch = <wormhole_b0>", ", ", "grid = 8x8",
    "l1_size = 1499136", "num_dram_channels = 12", "[", "]", "(", ")", "{", "}", "nan", "1e999",
    '{"chips": ', '"grid": [8, 8]', '"arch": ',
]  # fmt: skip


def jumbled(pieces: list[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(pieces) | st.text(max_size=3), max_size=25).map("".join)


# Overrides, both ways

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=10)
            | st.sampled_from(["named_location", "attributes", "key", "value"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)
OPTION_PIECES = [
    "override-output-layout=", "override-conv2d-config=", "enable-optimizer=true", " ", "=", ",",
    "relu_3", "4x8", "l1", "block_sharded", "tile", "bf16", "weights_dtype#bf16", "#", ":",
    "insert-memreconfig=", "system-desc-path=/x", "memory-layout-analysis-enabled=", "None", "[64]",
]  # fmt: skip
names = st.text(min_size=1, max_size=20)
settings_of_nodes = st.dictionaries(
    st.sampled_from(
        ["data_type", "memory_layout", "tensor_memory_layout", "buffer_type", "grid_shape",
         "weights_dtype", "activation", "act_block_h_override", "odd key"]
    ),
    st.sampled_from(["bf16", "tile", "l1", "4x8", "None", "[64]", "true"]) | st.text(max_size=12),
    max_size=5,
)  # fmt: skip


def read_override_document(document: Any) -> None:
    """Any JSON: an error in words, or overrides that are written and read as they are."""
    try:
        overrides = from_json(document)
    except StudioError as error:
        assert error.message
        return
    again = from_json(to_json(overrides))
    assert to_json(again) == to_json(overrides)


def read_options(text: str) -> None:
    """An option string: what was understood is written so that it is understood again."""
    try:
        parsed = parse_compiler_options(text)
    except StudioError as error:
        assert error.message
        return
    written = to_compiler_options(parsed.overrides)
    if not written.left_out:
        again = parse_compiler_options(written.text).overrides
        assert as_dict(again) == as_dict(parsed.overrides), written.text


def write_options(by_name: dict[str, dict[str, str]]) -> None:
    """Overrides of any names and values: read back as asked, or named among what is left out."""
    overrides = Overrides.of(Override(name, "", values) for name, values in by_name.items())
    written = to_compiler_options(overrides)
    left_out = {(item.override, item.attribute) for item in written.left_out}
    read = parse_compiler_options(written.text).overrides
    again = parse_compiler_options(to_compiler_options(read).text).overrides
    assert as_dict(again) == as_dict(read), written.text
    asked = {(name, key) for name, values in by_name.items() for key in values}
    assert {(o.named_location, key) for o in read for key in o.attributes} == asked - left_out


def as_dict(overrides: Overrides) -> dict[str, dict[str, str]]:
    return {o.named_location: dict(o.attributes) for o in overrides}


TARGETS: dict[str, Target] = {
    "onnx-damaged": Target(read_onnx, damaged(seeds())),
    "onnx-made-up": Target(
        read_onnx,
        st.lists(fields, max_size=6).map(lambda f: b"\x08\x0a" + b"".join(map(coded, f))),
    ),
    "mlir-damaged": Target(read_module, damaged_text(MODULES)),
    "mlir-made-up": Target(
        read_module, st.lists(st.sampled_from(PIECES)).map(" ".join) | st.text()
    ),
    "attributes": Target(edit_attribute, st.tuples(specs, words)),
    "attribute-specs": Target(
        lambda content: _refused_or_made(spec_from_json, content), json_values
    ),
    "layouts": Target(read_layout, jumbled(LAYOUT_PIECES)),
    "systems": Target(read_system, jumbled(SYSTEM_PIECES)),
    "override-documents": Target(read_override_document, json_values),
    "options-read": Target(read_options, jumbled(OPTION_PIECES)),
    "options-written": Target(write_options, st.dictionaries(names, settings_of_nodes, max_size=4)),
}


def _refused_or_made(make: Callable[[Any], object], content: Any) -> None:
    try:
        make(content)
    except StudioError as error:
        assert error.message
