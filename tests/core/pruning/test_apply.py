"""A pruned model: exactly the planned zeros, everything else as it was, whatever the storage."""

import json
import tracemalloc

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from studio_core.errors import (
    ConflictError,
    InvalidModelError,
    InvalidRequestError,
    NotFoundError,
    StorageError,
)
from studio_core.plans.plan import PruningPlan
from studio_core.pruning import writing
from studio_core.pruning.apply import prune_model
from studio_core.pruning.counts import num_pruned
from studio_core.pruning.masks import Granularity
from studio_core.pruning.verification import verify_file
from studio_core.samples import sample_data, sample_path
from studio_core.session import Session

GEMM = "g (float[N,8] x) => (float[N,6] y) { y = Gemm (x, W) }"


def prune(session, sparsities, target, **options):
    return prune_model(session.model, session.layers, PruningPlan(sparsities), target, **options)


def smallest_to_zero(array, sparsity):
    """The same by other means: a stable sort of magnitudes."""
    flat = array.reshape(-1).copy()
    order = np.argsort(np.abs(flat.astype(np.float32)), kind="stable")
    flat[order[: int(num_pruned(flat.size, sparsity))]] = 0
    return flat.reshape(array.shape)


def initializers(path):
    return {t.name: t for t in onnx.load(path).graph.initializer}


def run(path, feed):
    return ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, feed)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """The bundled CNN, a plan of 80 %, and the model pruned by it."""
    session = Session.open(sample_path("digits_cnn"))
    plan = session.planner.distribute(0.8)
    target = tmp_path_factory.mktemp("digits") / "pruned.onnx"
    return session, plan, prune_model(session.model, session.layers, plan, target)


def test_the_bundled_cnn_has_exactly_the_planned_zeros(digits):
    session, plan, pruned = digits
    expected = {
        layer.id: int(num_pruned(layer.weight_size, plan.sparsities[layer.id]))
        for layer in session.prunable_layers
    }
    after = {layer.id: layer.num_zeros for layer in Session.open(pruned.path).prunable_layers}
    assert after == expected
    assert {x.id: x.num_zeros_after for x in pruned.layers} == expected
    assert sum(expected.values()) / sum(x.num_weights for x in pruned.layers) == pytest.approx(
        0.8, abs=1e-5
    )


def test_all_other_bytes_of_the_bundled_cnn_are_as_they_were(digits):
    session, _plan, pruned = digits
    before, after = session.model.path.read_bytes(), pruned.path.read_bytes()
    changed = bytearray(after[: len(before)])
    for layer in session.prunable_layers:
        place = layer.weight.tensor.storage
        if place is not None:
            part = slice(place.offset, place.offset + place.length)
        else:
            start = before.index(layer.weight.tensor.proto.raw_data)
            part = slice(start, start + layer.weight.num_bytes)
        assert changed[part] != before[part]
        changed[part] = before[part]
    assert bytes(changed) == before
    names = {layer.name for layer in session.prunable_layers}
    old, new = initializers(session.model.path), initializers(pruned.path)
    assert {n: t.SerializeToString() for n, t in old.items() if n not in names} == {
        n: t.SerializeToString() for n, t in new.items() if n not in names
    }


def test_it_computes_what_a_model_pruned_by_hand_computes(digits, tmp_path):
    session, plan, pruned = digits
    by_hand = onnx.load(session.model.path)
    asked = {layer.name: plan.sparsities[layer.id] for layer in session.prunable_layers}
    for tensor in by_hand.graph.initializer:
        if tensor.name in asked:
            array = smallest_to_zero(numpy_helper.to_array(tensor), asked[tensor.name])
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    onnx.save(by_hand, tmp_path / "by_hand.onnx")
    feed = {n: a[:64] for n, a in sample_data("digits_cnn").inputs.items()}
    (ours,), (theirs,) = run(pruned.path, feed), run(tmp_path / "by_hand.onnx", feed)
    assert np.array_equal(ours, theirs)
    assert not np.array_equal(ours, run(session.model.path, feed)[0])


def test_it_says_where_it_comes_from(digits):
    session, plan, pruned = digits
    props = {e.key: e.value for e in onnx.load(pruned.path).metadata_props}
    assert PruningPlan.from_document(json.loads(props["studio.pruning.plan"])) == plan
    assert props["studio.source.sha256"] == session.model.sha256() == pruned.source_sha256
    assert Session.open(pruned.path).model.sha256() == pruned.sha256
    assert str(session.model.path.parent) not in "".join(props.values())


def test_pruned_again_it_keeps_both_origins(digits, tmp_path):
    _, _, pruned = digits
    again = Session.open(pruned.path)
    target = tmp_path / "again.onnx"
    plan = again.planner.distribute(0.9)
    prune_model(again.model, again.layers, plan, target)
    keys = [e.key for e in onnx.load(target).metadata_props]
    assert "studio.pruning.plan" in keys
    assert "studio.pruning.plan.2" in keys
    assert len(set(keys)) == len(keys)
    onnx.checker.check_model(target)


def test_masks_are_those_that_were_applied(digits):
    session, plan, pruned = digits
    assert set(pruned.masks) == {i for i, s in plan.sparsities.items() if s > 0}
    new = initializers(pruned.path)
    for layer in session.prunable_layers:
        assert not numpy_helper.to_array(new[layer.name])[~pruned.masks[layer.id]].any()


def test_the_same_plan_gives_the_same_bytes(digits, tmp_path):
    session, plan, pruned = digits
    prune_model(session.model, session.layers, plan, tmp_path / "other.onnx")
    assert (tmp_path / "other.onnx").read_bytes() == pruned.path.read_bytes()


def test_unknown_fields_deep_in_the_file_stay(write_model, tmp_path):
    weight = np.random.default_rng(0).normal(size=(40, 40)).astype(np.float16)
    proto = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 21]> g (float16[N,40] x) => (float16[N,40] y)'
        "{ y = MatMul (x, W) }"
    )
    # Held as int32_data, so that the tensor's message and all around it change length.
    proto.graph.initializer.append(
        helper.make_tensor("W", TensorProto.FLOAT16, weight.shape, weight.reshape(-1))
    )
    unknown = b"\xfa\x3e\x07unknown"  # field 1007
    tensor, node = proto.graph.initializer[0], proto.graph.node[0]
    tensor.MergeFromString(unknown)
    node.MergeFromString(unknown)
    proto.graph.MergeFromString(unknown)
    session = Session.open(write_model(proto))
    pruned = prune(session, {"y": 0.5}, tmp_path / "p.onnx")
    assert pruned.path.read_bytes().count(unknown) == 3
    new = onnx.load(pruned.path)
    assert np.array_equal(
        numpy_helper.to_array(new.graph.initializer[0]), smallest_to_zero(weight, 0.5)
    )
    assert new.graph.node[0].SerializeToString() == node.SerializeToString()


def test_an_unusual_order_of_fields_stays(open_text, write_model, tmp_path):
    weight = np.random.default_rng(7).normal(size=(8, 6)).astype(np.float32)
    raw = open_text(GEMM, {"W": weight}).model.path.read_bytes()
    tensor = numpy_helper.from_array(weight, "W")
    values = TensorProto(raw_data=tensor.raw_data).SerializeToString()
    usual = tensor.SerializeToString()
    tensor.ClearField("raw_data")
    unusual = values + tensor.SerializeToString()
    assert raw.count(usual) == 1
    source = raw.replace(usual, unusual)
    pruned = prune(Session.open(write_model(source)), {"y": 0.5}, tmp_path / "p.onnx")
    expected = source.replace(weight.tobytes(), smallest_to_zero(weight, 0.5).tobytes())
    assert pruned.path.read_bytes().startswith(expected)


def _float_data(array, name):
    return helper.make_tensor(name, TensorProto.FLOAT, array.shape, array.reshape(-1))


def _in_pieces(array, name):
    """float_data in two packed runs, which protobuf joins."""
    halves = np.split(array.reshape(-1), 2)
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=array.shape)
    data = tensor.SerializeToString()
    for half in halves:
        body = half.tobytes()
        data += b"\x22" + bytes([len(body) & 0x7F | 0x80, len(body) >> 7]) + body
    return data


def _typed(data_type):
    def make(array, name):
        return helper.make_tensor(name, data_type, array.shape, array.reshape(-1))

    return make


def _raw(data_type):
    def make(array, name):
        dtype = helper.tensor_dtype_to_np_dtype(data_type)
        return numpy_helper.from_array(array.astype(dtype), name)

    return make


STORAGES = {
    "raw float32": _raw(TensorProto.FLOAT),
    "float_data": _float_data,
    "raw float64": _raw(TensorProto.DOUBLE),
    "double_data": _typed(TensorProto.DOUBLE),
    "raw float16": _raw(TensorProto.FLOAT16),
    "float16 in int32_data": _typed(TensorProto.FLOAT16),
    "raw bfloat16": _raw(TensorProto.BFLOAT16),
    "bfloat16 in int32_data": _typed(TensorProto.BFLOAT16),
}


@pytest.mark.parametrize("shape", [(8, 6), (8, 600)], ids=["small", "large"])
@pytest.mark.parametrize("storage", STORAGES)
def test_every_storage_of_floats(storage, shape, open_text, tmp_path):
    array = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    tensor = STORAGES[storage](array, "W")
    name = TensorProto.DataType.Name(tensor.data_type).lower()
    text = f"g ({name}[N,8] x) => ({name}[N,M] y) {{ y = Gemm (x, W) }}"
    session = open_text(text, {"W": tensor})
    pruned = prune(session, {"y": 0.3}, tmp_path / "p.onnx", verify=False)
    (new,) = onnx.load(pruned.path).graph.initializer
    old = numpy_helper.to_array(tensor)
    assert np.array_equal(numpy_helper.to_array(new), smallest_to_zero(old, 0.3))
    assert new.HasField("raw_data") == tensor.HasField("raw_data")
    assert pruned.layers[0].num_zeros_after == num_pruned(array.size, 0.3)


def test_values_in_pieces_are_put_together(write_model, tmp_path):
    array = np.random.default_rng(1).normal(size=(8, 6)).astype(np.float32)
    proto = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 21]>\n{GEMM}')
    proto.graph.initializer.add()
    marker = proto.graph.initializer[0]
    marker.name = "here"
    placed = marker.SerializeToString()
    graph = proto.graph.SerializeToString()
    pieces = _in_pieces(array, "W")
    field = b"\x2a" + bytes([len(placed)]) + placed
    assert graph.count(field) == 1
    header = b"\x2a" + bytes([len(pieces) & 0x7F | 0x80, len(pieces) >> 7])
    graph = graph.replace(field, header + pieces)
    proto.ClearField("graph")
    size = bytes([len(graph) & 0x7F | 0x80, len(graph) >> 7])
    data = proto.SerializeToString() + b"\x3a" + size + graph
    pruned = prune(Session.open(write_model(data)), {"y": 0.5}, tmp_path / "p.onnx")
    (new,) = onnx.load(pruned.path).graph.initializer
    assert np.array_equal(numpy_helper.to_array(new), smallest_to_zero(array, 0.5))


QDQ = """
g (float[N,8] x) => (float[N,6] y) {{
    w = DequantizeLinear <axis: int = {axis}> (W, scale, zero)
    y = MatMul (x, w)
}}
"""


@pytest.mark.parametrize("make", [_raw, _typed], ids=["raw", "typed"])
@pytest.mark.parametrize("kind", ["INT8", "UINT8", "INT4", "UINT4"])
def test_quantized_weights_get_their_zero_point(kind, make, open_text, tmp_path):
    data_type = TensorProto.DataType.Value(kind)
    dtype = helper.tensor_dtype_to_np_dtype(data_type)
    rng = np.random.default_rng(2)
    low = 0 if kind.startswith("U") else -7
    stored = rng.integers(low, 8, (8, 6)).astype(np.int32)
    zeros = rng.integers(1, 5, 6).astype(np.int32)
    weights = {
        "W": make(data_type)(stored, "W"),
        "scale": np.full(6, 0.5, np.float32),
        "zero": numpy_helper.from_array(zeros.astype(dtype), "zero"),
    }
    session = open_text(QDQ.format(axis=1), weights)
    pruned = prune(session, {"y": 0.75}, tmp_path / "p.onnx")
    real = (stored - zeros) * 0.5
    expected = smallest_to_zero(real, 0.75)
    new = {t.name: t for t in onnx.load(pruned.path).graph.initializer}
    values = numpy_helper.to_array(new["W"]).astype(np.int32)
    assert np.array_equal((values - zeros) * 0.5, expected)
    assert new["zero"].SerializeToString() == weights["zero"].SerializeToString()
    assert pruned.layers[0].num_zeros_after == max(36, (real == 0).sum())


def test_weights_of_constant_nodes_and_of_subgraphs(open_text, tmp_path):
    rng = np.random.default_rng(3)
    then_weight, else_weight, first = (rng.normal(size=(4, 4)).astype(np.float32) for _ in range(3))
    model = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["": 21]>
        g (float[N,4] x, bool c) => (float[N,4] y) {
            h = MatMul (x, K)
            y = If (c) <
                then_branch = t () => (float[N,4] a) { a = MatMul (h, W) },
                else_branch = e () => (float[N,4] b) { b = MatMul (h, W) }
            >
        }"""
    )
    value = numpy_helper.from_array(first, "ignored")
    model.graph.node.insert(0, helper.make_node("Constant", [], ["K"], value=value))
    branches = {a.name: a.g for a in model.graph.node[2].attribute}
    branches["then_branch"].initializer.append(numpy_helper.from_array(then_weight, "W"))
    branches["else_branch"].initializer.append(numpy_helper.from_array(else_weight, "W"))
    session = open_text(model)
    by_output = {layer.id.rsplit("/", 1)[-1]: layer.id for layer in session.prunable_layers}
    asked = {by_output["h"]: 0.25, by_output["a"]: 0.5, by_output["b"]: 0.75}
    pruned = prune(session, asked, tmp_path / "p.onnx")
    new = onnx.load(pruned.path)
    branches = {a.name: a.g for a in new.graph.node[2].attribute}
    for tensor, old, sparsity in (
        (new.graph.node[0].attribute[0].t, first, 0.25),
        (branches["then_branch"].initializer[0], then_weight, 0.5),
        (branches["else_branch"].initializer[0], else_weight, 0.75),
    ):
        assert np.array_equal(numpy_helper.to_array(tensor), smallest_to_zero(old, sparsity))


def _function_model(shape, weight):
    model = onnx.parser.parse_model(
        f"""<ir_version: 10, opset_import: ["": 21, "local": 1]>
        g (float[N,{shape[0]}] x) => (float[N,{shape[1]}] y) {{
            h = local.linear (x)
            y = local.linear (h)
        }}
        <domain: "local", opset_import: ["": 21]>
        linear (x) => (y) {{ y = MatMul (x, W) }}"""
    )
    constant = helper.make_node("Constant", [], ["W"], value=numpy_helper.from_array(weight, "W"))
    model.functions[0].node.insert(0, constant)
    return model


@pytest.mark.parametrize("width", [4, 64], ids=["small", "large"])
def test_a_weight_of_a_function_that_is_called_twice(width, open_text, tmp_path):
    weight = np.random.default_rng(4).normal(size=(width, width)).astype(np.float32)
    session = open_text(_function_model(weight.shape, weight))
    ids = [layer.id for layer in session.prunable_layers]
    assert len(ids) == 2
    pruned = prune(session, dict.fromkeys(ids, 0.5), tmp_path / "p.onnx")
    new = onnx.load(pruned.path)
    assert len(new.functions) == 1
    array = numpy_helper.to_array(new.functions[0].node[0].attribute[0].t)
    assert np.array_equal(array, smallest_to_zero(weight, 0.5))
    # The two calls have one weight, so they cannot differ.
    with pytest.raises(InvalidRequestError, match="share one weight"):
        prune(session, {ids[0]: 0.5, ids[1]: 0.6}, tmp_path / "q.onnx")


TIED = """
g (int64[N] ids) => (float[N,12] y) {
    h = Gather (E, ids)
    t = Transpose <perm = [1, 0]> (E)
    y = MatMul (h, t)
}
"""


def test_a_tied_embedding_is_pruned_with_its_layer_and_named(open_text, tmp_path):
    table = np.random.default_rng(5).normal(size=(12, 4)).astype(np.float32)
    session = open_text(TIED, {"E": table})
    pruned = prune(session, {"y": 0.5}, tmp_path / "p.onnx")
    assert pruned.layers[0].also_changes == ("h",)


def test_layers_that_share_a_weight_must_agree(open_text, tmp_path):
    text = "g (float[N,4] x) => (float[N,4] y) { h = MatMul (x, W)  y = MatMul (h, W) }"
    weight = np.random.default_rng(6).normal(size=(4, 4)).astype(np.float32)
    session = open_text(text, {"W": weight})
    for asked in ({"h": 0.5, "y": 0.25}, {"h": 0.5}, {"h": 0.5, "y": 0.0}):
        with pytest.raises(InvalidRequestError, match="share one weight"):
            prune(session, asked, tmp_path / "p.onnx")
    pruned = prune(session, {"h": 0.5, "y": 0.5}, tmp_path / "p.onnx")
    assert [x.num_zeros_after for x in pruned.layers] == [8, 8]


def test_external_data_goes_to_a_fresh_file_beside_the_target(generated, tmp_path):
    path = generated("many_layers", num_layers=6, width=64, external_data=True)
    session = Session.open(path)
    (source_data,) = session.model.data_files
    before = source_data.read_bytes()
    pruned = prune(session, {x.id: 0.6 for x in session.prunable_layers}, tmp_path / "p.onnx")
    assert source_data.read_bytes() == before
    assert [f.name for f in pruned.data_files] == ["p.onnx.data"]
    proto = onnx.load(pruned.path, load_external_data=False)
    places = [{e.key: e.value for e in t.external_data} for t in proto.graph.initializer]
    assert {p["location"] for p in places if p} == {"p.onnx.data"}
    old, new = initializers(path), initializers(pruned.path)
    names = {layer.name for layer in session.prunable_layers}
    for name, tensor in old.items():
        array = numpy_helper.to_array(tensor)
        wanted = smallest_to_zero(array, 0.6) if name in names else array
        assert np.array_equal(numpy_helper.to_array(new[name]), wanted)
    feed = {v.name: np.ones([1, *v.shape[1:]], np.float32) for v in session.model.inputs}
    assert np.isfinite(run(pruned.path, feed)[0]).all()


def test_only_one_tensor_at_a_time_is_in_memory(generated, tmp_path):
    path = generated("large_mlp", num_layers=6, width=1024, external_data=True)
    session = Session.open(path)
    layers = session.layers
    asked = {x.id: 0.5 for x in layers if x.is_prunable}
    largest = max(x.weight.num_bytes for x in layers)
    total = sum(x.weight.num_bytes for x in layers)
    tracemalloc.start()
    try:
        prune(session, asked, tmp_path / "p.onnx", verify=False)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The tensor, its magnitudes, their sorted copy, masks; never a second tensor's.
    assert peak < 5 * largest < total


def test_bytes_that_two_tensors_share_in_part_are_not_pruned(write_model, tmp_path):
    proto = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 21]> g (float[N,4] x) => (float[N,4] y)'
        "{ h = MatMul (x, A)  y = MatMul (h, B) }"
    )
    for name, offset in (("A", 0), ("B", 32)):
        tensor = TensorProto(name=name, data_type=1, dims=[4, 4], data_location=1)
        for key, value in (("location", "w.bin"), ("offset", str(offset)), ("length", "64")):
            tensor.external_data.add(key=key, value=value)
        proto.graph.initializer.append(tensor)
    path = write_model(proto)
    (path.parent / "w.bin").write_bytes(np.arange(24, dtype=np.float32).tobytes())
    with pytest.raises(InvalidRequestError, match=r"'A' and 'B' share some"):
        prune(Session.open(path), {"h": 0.5}, tmp_path / "p.onnx")
    assert list(tmp_path.iterdir()) == []


def test_data_of_an_overwritten_model_goes_with_it(generated, tmp_path):
    path = generated("many_layers", num_layers=6, width=64, external_data=True)
    session = Session.open(path)
    asked = {x.id: 0.5 for x in session.prunable_layers}
    target = tmp_path / "p.onnx"
    prune(session, asked, target)
    with pytest.raises(ConflictError, match="overwrite=True"):
        prune(session, asked, target)
    second = prune(session, asked, target, overwrite=True)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["p.onnx", "p.onnx.2.data"]
    assert Session.open(target).model.sha256() == second.sha256


def test_the_source_is_never_the_target(open_text, tmp_path):
    session = open_text(GEMM, {"W": np.ones((8, 6), np.float32)})
    source = session.model.path
    (tmp_path / "link.onnx").symlink_to(source)
    (tmp_path / "hard.onnx").hardlink_to(source)
    before = source.read_bytes()
    spelled = source.parent / ".." / source.parent.name / source.name
    for target in (source, spelled, tmp_path / "link.onnx", tmp_path / "hard.onnx"):
        with pytest.raises(InvalidRequestError, match="belongs to the model that is pruned"):
            prune(session, {"y": 0.5}, target, overwrite=True)
    assert source.read_bytes() == before


def test_a_full_disk_leaves_nothing_behind(open_text, tmp_path, monkeypatch):
    session = open_text(GEMM, {"W": np.ones((8, 6), np.float32)})

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        prune(session, {"y": 0.5}, tmp_path / "p.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_appears_meanwhile_is_not_replaced(open_text, tmp_path, monkeypatch):
    session = open_text(GEMM, {"W": np.ones((8, 6), np.float32)})
    target = tmp_path / "p.onnx"
    verify = writing.verify_file

    def meanwhile(path):
        target.write_bytes(b"theirs")
        return verify(path)

    monkeypatch.setattr(writing, "verify_file", meanwhile)
    with pytest.raises(ConflictError, match="meanwhile"):
        prune(session, {"y": 0.5}, target)
    assert target.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [target]


def test_a_source_that_changes_meanwhile_is_noticed(open_text, tmp_path, monkeypatch):
    session = open_text(GEMM, {"W": np.ones((8, 6), np.float32)})
    spliced = writing.spliced

    def meanwhile(data, edits):
        yield from spliced(data, edits)
        with session.model.path.open("ab") as file:
            file.write(b"\x72\x00")

    monkeypatch.setattr(writing, "spliced", meanwhile)
    with pytest.raises(ConflictError, match="changed while it was read"):
        prune(session, {"y": 0.5}, tmp_path / "p.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_file_replaced_since_it_was_opened_is_noticed(open_text, tmp_path):
    session = open_text(GEMM.replace("6]", "600]"), {"W": np.ones((8, 600), np.float32)})
    proto = onnx.load(session.model.path)
    proto.producer_name = "somebody else, " * 4000  # moves the weight, changes nothing else
    session.model.path.write_bytes(proto.SerializeToString())
    with pytest.raises(InvalidModelError, match="no longer the file that was opened"):
        prune(session, {"y": 0.5}, tmp_path / "p.onnx")


def test_what_cannot_be_done_is_refused(open_text, tmp_path):
    session = open_text(GEMM, {"W": np.ones((8, 6), np.float32)})
    target = tmp_path / "p.onnx"
    with pytest.raises(InvalidRequestError, match="'z', which the model does not have"):
        prune(session, {"z": 0.5}, target)
    with pytest.raises(NotFoundError, match="does not exist"):
        prune(session, {"y": 0.5}, tmp_path / "none" / "p.onnx")
    with pytest.raises(InvalidRequestError, match="is a folder"):
        prune(session, {"y": 0.5}, tmp_path)
    other = open_text(GEMM, {"W": np.ones((8, 6), np.float32)})
    with pytest.raises(InvalidRequestError, match="opened at another time"):
        prune_model(session.model, other.layers, PruningPlan({"y": 0.5}), target)
    tied = open_text(TIED, {"E": np.ones((12, 4), np.float32)})
    with pytest.raises(InvalidRequestError, match="embedding table"):
        prune(tied, {"h": 0.5}, target)
    assert list(tmp_path.iterdir()) == []


def test_a_weight_with_nan_is_refused(open_text, tmp_path):
    weight = np.full((8, 6), np.nan, np.float32)
    with pytest.raises(InvalidModelError, match="NaN"):
        prune(open_text(GEMM, {"W": weight}), {"y": 0.5}, tmp_path / "p.onnx")


def test_what_others_refuse_in_the_source_is_said_and_not_blamed_on_pruning(open_text, tmp_path):
    text = """
    <ir_version: 10, opset_import: ["": 21, "my.own": 1]>
    g (float[N,8] x) => (float[N,6] y) { h = my.own.Thing (x)  y = Gemm (h, W) }
    """
    session = open_text(text, {"W": np.ones((8, 6), np.float32)})
    pruned = prune(session, {"y": 0.5}, tmp_path / "p.onnx")
    assert len(pruned.notes) == 1
    assert pruned.notes[0].startswith("onnxruntime refuses the model, as it does its source")


def test_verify_file_says_who_refuses_and_why(digits, tmp_path):
    assert verify_file(digits[2].path).is_accepted
    (tmp_path / "bad.onnx").write_bytes(b"\x08\x0a")
    verdict = verify_file(tmp_path / "bad.onnx")
    assert verdict.checker
    assert verdict.runtime
    assert not verdict.is_accepted


def test_granularity_by_layer(mlp, tmp_path):
    first, second, _ = mlp.prunable_layers
    pruned = prune(
        mlp,
        {first.id: 0.5, second.id: 0.5},
        tmp_path / "p.onnx",
        granularity={second.id: Granularity.N_OF_M},
    )
    assert [x.granularity for x in pruned.layers] == ["element", "n:m"]
    new = numpy_helper.to_array(initializers(pruned.path)["second_weight"])
    assert ((new == 0).sum(axis=0) == 2).all()
