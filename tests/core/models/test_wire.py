"""Stripping weights at the wire: what is read back is what onnx itself reads."""

from __future__ import annotations

import math
from collections.abc import Iterator

import ml_dtypes
import numpy as np
import onnx
import onnx.parser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import TensorProto, helper, numpy_helper

from studio_core.errors import (
    InvalidModelError,
    NotAModelError,
    StudioError,
    TruncatedModelError,
)
from studio_core.layers import summarize
from studio_core.models.model import open_model
from studio_core.models.wire import INLINE_LIMIT, strip_weights
from studio_core.sensitivity import estimate_loss, estimate_perf
from studio_core.sensitivity.documents import to_document
from studio_core.session import Session

RAW_TYPES = {
    "float32": np.float32,
    "float16": np.float16,
    "float64": np.float64,
    "bfloat16": ml_dtypes.bfloat16,
    "int8": np.int8,
    "uint8": np.uint8,
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
    "uint64": np.uint64,
    "bool": np.bool_,
    "int4": ml_dtypes.int4,
    "uint4": ml_dtypes.uint4,
    "float8_e4m3fn": ml_dtypes.float8_e4m3fn,
    "float8_e5m2": ml_dtypes.float8_e5m2,
}


def bits(array: np.ndarray) -> bytes:
    """The bytes of an array, so that NaN and -0.0 compare as what they are."""
    return array.tobytes()


def values(dtype: type, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if np.dtype(dtype) in (np.dtype(ml_dtypes.int4), np.dtype(ml_dtypes.uint4)):
        low, high = (-8, 8) if dtype is ml_dtypes.int4 else (0, 16)
        return rng.integers(low, high, shape).astype(dtype)
    if np.dtype(dtype).kind in "iub":
        return rng.integers(0, 2 if dtype is np.bool_ else 100, shape).astype(dtype)
    return rng.normal(size=shape).astype(dtype)


def model_with(*tensors: TensorProto, nodes: list[onnx.NodeProto] | None = None) -> bytes:
    graph = helper.make_graph(nodes or [], "g", [], [], initializer=list(tensors))
    opset = [helper.make_opsetid("", 21)]
    return helper.make_model(graph, opset_imports=opset, ir_version=10).SerializeToString()


def typed(name: str, array: np.ndarray) -> TensorProto:
    """The tensor in its typed field (float_data, int32_data, …) instead of raw_data."""
    data_type = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor(name, data_type, array.shape, array.reshape(-1).tolist())


@pytest.mark.parametrize("dtype", RAW_TYPES.values(), ids=RAW_TYPES)
@pytest.mark.parametrize("size", [0, 1, 7, 20_001])
def test_every_type_reads_back_as_onnx_reads_it(write_model, dtype, size):
    array = values(dtype, (size,))
    path = write_model(model_with(numpy_helper.from_array(array, "w")))

    (tensor,) = open_model(path).tensors()

    expected = numpy_helper.to_array(onnx.load(path).graph.initializer[0])
    assert tensor.read().dtype == expected.dtype
    assert bits(tensor.read()) == bits(expected) == bits(array)
    assert bits(tensor.read_flat()) == bits(expected)
    assert (tensor.storage is not None) == (tensor.num_bytes > INLINE_LIMIT)


TYPED = (np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.int8, np.uint8, np.int32)


@pytest.mark.parametrize(
    "dtype", [*TYPED, np.int64, np.uint64, np.bool_], ids=lambda d: np.dtype(d).name
)
@pytest.mark.parametrize("shape", [(3, 2), (70, 80)])
def test_typed_fields_read_back_as_onnx_reads_them(write_model, dtype, shape):
    tensor_proto = typed("w", values(dtype, shape))
    assert not tensor_proto.HasField("raw_data")
    path = write_model(model_with(tensor_proto))

    (tensor,) = open_model(path).tensors()

    assert bits(tensor.read()) == bits(numpy_helper.to_array(tensor_proto))
    assert tensor.read().shape == shape


def everywhere(array: np.ndarray) -> bytes:
    """One array as initializer, Constant, in both branches of If, in a function, and sparse."""

    def tensor(name: str) -> TensorProto:
        return numpy_helper.from_array(array, name)

    def branch(number: int) -> onnx.GraphProto:
        constant = helper.make_node("Constant", [], [f"c{number}"], value=tensor("inner"))
        output = helper.make_tensor_value_info(f"c{number}", TensorProto.FLOAT, None)
        return helper.make_graph(
            [constant], f"branch{number}", [], [output], [tensor(f"init{number}")]
        )

    nodes = [
        helper.make_node("Constant", [], ["constant"], value=tensor("ignored")),
        helper.make_node("If", ["cond"], ["o"], then_branch=branch(1), else_branch=branch(2)),
    ]
    flat = np.array(array).reshape(-1)
    where = np.arange(flat.size, dtype=np.int64)
    graph = helper.make_graph(nodes, "g", [], [], initializer=[tensor("main")])
    if flat.size:
        sparse = helper.make_sparse_tensor(
            numpy_helper.from_array(flat, "sparse"), numpy_helper.from_array(where), [flat.size]
        )
        graph.sparse_initializer.append(sparse)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return model.SerializeToString()


@settings(max_examples=25, deadline=None)
@given(
    array=st.one_of(
        hnp.arrays(dtype, hnp.array_shapes(max_dims=3, max_side=40))
        for dtype in (np.float32, np.float64, np.float16, np.int8, np.int64, np.bool_)
    ),
    repeat=st.sampled_from([1, 50]),
)
def test_constants_read_back_wherever_they_stand(write_model, array, repeat):
    array = np.concatenate([array] * repeat)
    path = write_model(everywhere(array))

    tensors = list(open_model(path).tensors())

    assert len(tensors) == 6, [t.name for t in tensors]  # all but the sparse one
    assert all(bits(t.read()) == bits(array) for t in tensors)
    assert all(t.read().shape == array.shape for t in tensors)


def all_tensors(message: object) -> Iterator[TensorProto]:
    """Every TensorProto below a message, found without knowing the wire format's tables."""
    if isinstance(message, TensorProto):
        yield message
        return
    for field, value in message.ListFields():  # type: ignore[attr-defined]
        if field.message_type is not None:
            for child in value if field.is_repeated else [value]:
                yield from all_tensors(child)


def restored(stripped: bytes, data: bytes) -> onnx.ModelProto:
    """The stripped model with each payload put back where strip_weights says it was."""
    model = onnx.ModelProto.FromString(stripped)
    for tensor in all_tensors(model):
        entries = {e.key: e.value for e in tensor.external_data}
        if entries.get("location") == "m.onnx":
            start = int(entries["offset"])
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
            tensor.raw_data = data[start : start + int(entries["length"])]
    return model


def numbers(model: onnx.ModelProto) -> list[bytes]:
    return [bits(numpy_helper.to_array(t)) for t in all_tensors(model)]


@settings(max_examples=25, deadline=None)
@given(array=hnp.arrays(np.float32, st.integers(1, 30)), limit=st.integers(0, 300))
def test_nothing_but_payloads_is_changed(array, limit):
    data = everywhere(array)

    model = restored(strip_weights(memoryview(data), "m.onnx", limit), data)

    # The sparse initializer and its indices, too.
    assert numbers(model) == numbers(onnx.ModelProto.FromString(data))
    assert model == onnx.ModelProto.FromString(data)


def test_what_is_stripped_is_small_and_loads_by_itself(generated):
    path = generated("resnet18")
    data = path.read_bytes()

    stripped = strip_weights(memoryview(data), path.name)

    assert len(stripped) < len(data) / 200
    assert onnx.ModelProto.FromString(stripped).graph.node == onnx.load(path).graph.node


def test_a_payload_in_several_parts_is_kept(write_model):
    # protobuf allows a packed field in pieces; only the whole of them is the tensor.
    first, second = np.arange(3000, dtype="<f4"), np.arange(50, dtype="<f4")
    body = TensorProto(name="w", dims=[3050], data_type=TensorProto.FLOAT).SerializeToString()
    for piece in (first, second):
        body += _bytes_field(4, piece.tobytes())
    path = write_model(_model_around(body))

    (tensor,) = open_model(path).tensors()

    assert np.array_equal(tensor.read(), np.concatenate([first, second]))


def test_unpacked_values_beside_packed_ones_are_kept(write_model):
    packed = np.arange(3000, dtype="<f4")
    body = TensorProto(name="w", dims=[3001], data_type=TensorProto.FLOAT).SerializeToString()
    body += _bytes_field(4, packed.tobytes()) + bytes([4 << 3 | 5]) + np.float32(7).tobytes()
    path = write_model(_model_around(body))

    (tensor,) = open_model(path).tensors()

    assert np.array_equal(tensor.read(), np.append(packed, np.float32(7)))


def _model_around(tensor: bytes) -> bytes:
    graph = onnx.GraphProto(name="g").SerializeToString() + _bytes_field(5, tensor)
    head = onnx.ModelProto(ir_version=10, opset_import=[helper.make_opsetid("", 21)])
    return head.SerializeToString() + _bytes_field(7, graph)


def _bytes_field(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def small_model(inline: bool) -> bytes:
    """A model of some 300 bytes, or of 5 kB with one stripped weight."""
    width = 4 if inline else 40
    model = onnx.parser.parse_model(
        f"""<ir_version: 10, opset_import: ["": 21], producer_name: "test">
        g (float[N,{width}] x) => (float[N,{width}] y) {{ y = MatMul (x, w) }}"""
    )
    weight = values(np.float32, (width, width))
    model.graph.initializer.append(numpy_helper.from_array(weight, "w"))
    model.metadata_props.add(key="author", value="nobody")
    return model.SerializeToString()


def top_level_ends(data: bytes) -> dict[int, int]:
    """End of each field of the ModelProto, with the field's number."""
    ends, position = {}, 0
    while position < len(data):
        tag = data[position]
        position += 1
        length, shift = 0, 0
        while True:
            byte = data[position]
            position += 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        if tag & 7 == 2:
            position += length
        ends[position] = tag >> 3
    return ends


@pytest.mark.parametrize("inline", [True, False])
def test_a_cut_at_any_byte_is_refused(write_model, inline):
    data = small_model(inline)
    ends = top_level_ends(data)
    path = write_model(data)
    complete = open_model(path)
    step = 1 if inline else 7
    truncated = 0
    for cut in range(0, len(data), step):
        path.write_bytes(data[:cut])
        try:
            model = open_model(path)
        except InvalidModelError as error:
            truncated += isinstance(error, TruncatedModelError)
            assert str(path) in str(error)
        else:
            # Only between two whole fields, once the graph and its opset have been read.
            assert cut in ends
            seen = {number for end, number in ends.items() if end <= cut}
            assert {7, 8} <= seen
            assert model.proto.graph.node == complete.proto.graph.node
    assert truncated > 0.5 * len(data) / step


def test_a_large_model_that_is_cut_says_so(generated, write_model):
    data = generated("mobilenet_v2").read_bytes()
    path = write_model(b"")
    rng = np.random.default_rng(0)
    for cut in sorted(rng.integers(1000, len(data) - 100, 20).tolist()):
        path.write_bytes(data[:cut])
        with pytest.raises(TruncatedModelError, match="ends too early"):
            open_model(path)


def use_everything(path) -> None:
    """What a person may do with a model, as far as the core goes."""
    session = Session.open(path)
    layers = session.layers
    summarize(session.model, layers)
    to_document(estimate_loss(layers, levels=[0.5, 1.0]))
    to_document(estimate_perf(layers, levels=[0.5, 1.0]))
    assert len({layer.id for layer in layers}) == len(layers)
    for layer in layers:
        assert isinstance(layer.name, str) and isinstance(layer.reason, str)
        assert layer.macs is None or layer.macs >= 0


VICTIM = """<ir_version: 10, opset_import: ["": 21, "local": 1]>
    g (float[N,2,4,4] x, bool c) => (float[N,3] y)
    <float[3,2,3,3] k = {1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9,
                         1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9},
     float[4] s = {0.5,0.25,0.5,1}, int8[4,3] q = {1,2,3,4,5,6,7,8,9,10,11,12}>
    {
        h = Conv <pads = [1,1,1,1], group = 1> (x, k)
        p = GlobalAveragePool (h)
        f = Flatten (p)
        d = DequantizeLinear <axis = 0> (q, s)
        dt = Transpose <perm = [1,0]> (d)
        m = Gemm <transB = 0> (f, dt)
        t = local.twice (m)
        y = If (c) <
            then_branch = t1 () => (float[N,3] a)
                <float[4,3] w = {1,2,3,4,5,6,7,8,9,10,11,12}> { a = MatMul (t, w) },
            else_branch = t2 () => (float[N,3] b) { b = Slice (t, s0, s3, s1) }
        >
    }
    <opset_import: ["": 21], domain: "local">
    twice (a) => (b) { b = Add (a, a) }"""


@pytest.fixture(scope="module")
def victim() -> bytes:
    return onnx.parser.parse_model(VICTIM).SerializeToString()


@settings(max_examples=200, deadline=None)
@given(
    flips=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4
    )
)
def test_damaged_bytes_are_refused_or_read(write_model, victim, flips):
    data = bytearray(victim)
    for place, byte in flips:
        data[math.floor(place * len(data))] = byte
    try:
        use_everything(write_model(bytes(data)))
    except StudioError as error:
        assert str(error)


def test_single_bit_flips_are_refused_or_read(write_model, victim):
    path = write_model(b"")
    rng = np.random.default_rng(1)
    for place in rng.permutation(len(victim) * 8)[:600].tolist():
        data = bytearray(victim)
        data[place // 8] ^= 1 << place % 8
        path.write_bytes(bytes(data))
        try:
            use_everything(path)
        except StudioError:
            pass
        except Exception as error:  # says which flip it was
            raise AssertionError(f"bit {place % 8} of byte {place // 8}") from error


@settings(max_examples=200, deadline=None)
@given(
    data=st.binary(max_size=200), head=st.sampled_from([b"", b"\x08\x0a", b"\x3a", b"\x08\x07:"])
)
def test_random_bytes_are_no_model(write_model, data, head):
    with pytest.raises(InvalidModelError):
        open_model(write_model(head + data))


@pytest.mark.parametrize(
    "text",
    [
        "This is a text file that somebody named .onnx.\n",
        "2 apples and 3 pears\n",
        ": a colon\n",
        '"builtin.module"() ({ "func.func"() : () -> () }) : () -> ()\n',
        "module { func.func @main(%arg0: tensor<1xf32>) { return } }\n",
        "#loc = loc(unknown)\nmodule @m {}\n",
        '{"irVersion": "8", "graph": {}}',
        'ir_version: 8\ngraph { name: "g" }\n',
        "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 102161418\n",
        "<!DOCTYPE html><html><body>404</body></html>",
        "BMÜ text that begins like a field\n",
    ],
)
def test_a_text_is_no_model(write_model, text):
    with pytest.raises(NotAModelError, match="is not an ONNX model"):
        open_model(write_model(text.encode() * 20))


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04\x14\x00\x00\x00\x08\x00" + bytes(300),  # a zip: a PyTorch checkpoint
        b"\x80\x02}q\x00(X\x05\x00\x00\x00" * 20,  # a pickle
        b"\x89HDF\r\n\x1a\n" + bytes(500),
        b"ML\xefR\x0dMLIR18.0.0git\x00" * 10,  # MLIR bytecode
        b"\x1c\x00\x00\x00TFL3" + bytes(100),
        bytes(1000),
        b"\xff" * 1000,
    ],
)
def test_another_format_is_no_model(write_model, data):
    with pytest.raises(InvalidModelError):
        open_model(write_model(data))


def test_an_empty_file_a_folder_and_a_missing_path(write_model, tmp_path):
    with pytest.raises(NotAModelError, match="empty"):
        open_model(write_model(b""))
    with pytest.raises(NotAModelError, match="folder"):
        open_model(tmp_path)
    with pytest.raises(StudioError, match="does not exist"):
        open_model(tmp_path / "none.onnx")


@pytest.mark.parametrize("padding", [0, 6000])
def test_a_thousand_nested_subgraphs_are_refused(write_model, padding):
    graph = _bytes_field(2, b"g" * (padding + 1))
    for _ in range(1000):
        attribute = _bytes_field(1, b"then_branch") + _bytes_field(6, graph) + b"\xa0\x01\x05"
        node = _bytes_field(4, b"If") + _bytes_field(2, b"o") + _bytes_field(5, attribute)
        graph = _bytes_field(1, node)
    data = onnx.ModelProto(ir_version=10).SerializeToString() + _bytes_field(7, graph)
    with pytest.raises(InvalidModelError):
        open_model(write_model(data))


def test_functions_that_grow_without_bounds_are_refused(write_model):
    # 40 functions that each call the next one twice: 2⁴⁰ nodes from 3 kB.
    text = '<ir_version: 8, opset_import: ["": 17, "l": 1]>\ng (float[N] x) => (float[N] y) {'
    text += " y = l.f0 (x) }"
    for i in range(40):
        text += f'\n<opset_import: ["": 17, "l": 1], domain: "l"> f{i} (a) => (c)'
        text += f" {{ b = l.f{i + 1} (a) c = l.f{i + 1} (b) }}"
    text += '\n<opset_import: ["": 17], domain: "l"> f40 (a) => (b) { b = Relu (a) }'
    with pytest.raises(InvalidModelError, match="functions"):
        open_model(write_model(text))


def test_functions_that_call_themselves_are_refused(write_model):
    text = """<ir_version: 8, opset_import: ["": 17, "l": 1]>
        g (float[N] x) => (float[N] y) { y = l.f (x) }
        <opset_import: ["": 17, "l": 1], domain: "l"> f (a) => (b) { b = l.h (a) }
        <opset_import: ["": 17, "l": 1], domain: "l"> h (a) => (b) { b = l.f (a) }"""
    with pytest.raises(InvalidModelError, match="functions"):
        open_model(write_model(text))


def test_a_file_name_of_any_letters(write_model):
    weight = values(np.float32, (100, 100))
    data = model_with(numpy_helper.from_array(weight, "w"))
    for name in ("modèle – 模型.onnx", "with space.onnx", "a'b\"c.onnx", "no_suffix"):
        (tensor,) = open_model(write_model(data, name=name)).tensors()
        assert np.array_equal(tensor.read(), weight)
