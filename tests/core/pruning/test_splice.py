"""Replacing tensors in a file's bytes gives what parsing, changing and writing gives."""

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio_core.pruning.spans import tensor_edit, tensor_spans
from studio_core.pruning.splice import Edit, replacement, spliced, varint


def _model(sizes, depth):
    """Initializers, a Constant, sparse and function tensors, and subgraphs ``depth`` deep."""
    model = onnx.ModelProto(ir_version=10, producer_name="p")
    model.opset_import.add(version=21)
    graph = model.graph
    for level in range(depth + 1):
        graph.name = f"g{level}"
        for i, size in enumerate(sizes):
            array = np.arange(size, dtype=np.float32)
            graph.initializer.append(onnx.numpy_helper.from_array(array, f"t{level}_{i}"))
        value = onnx.numpy_helper.from_array(np.ones(3, np.int64), "c")
        graph.node.append(onnx.helper.make_node("Constant", [], ["c"], value=value))
        node = graph.node.add(op_type="If")
        attribute = node.attribute.add(name="then_branch", type=onnx.AttributeProto.GRAPH)
        graph = attribute.g
    graph.sparse_initializer.add().values.name = "sparse"
    model.functions.add(name="f").node.add(op_type="Constant").attribute.add(name="v").t.name = "f"
    return model


def _tensors(model):
    """All tensors of `_model`, in the order of the file."""
    found, graph = [], model.graph
    found = _of_graph(graph)
    return [*found, model.functions[0].node[0].attribute[0].t]


def _of_graph(graph):
    found = []
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                found.append(attribute.t)
            elif attribute.HasField("g"):
                found += _of_graph(attribute.g)
    found += graph.initializer
    for sparse in graph.sparse_initializer:
        found += [sparse.values] + ([sparse.indices] if sparse.HasField("indices") else [])
    return found


@given(
    st.lists(st.integers(0, 60), max_size=4),
    st.integers(0, 3),
    st.data(),
)
def test_any_tensors_replaced_by_any_others(sizes, depth, data):
    model = _model(sizes, depth)
    raw = model.SerializeToString()
    spans = tensor_spans(memoryview(raw))
    tensors = _tensors(model)
    assert [s.proto(memoryview(raw)) for s in spans] == tensors
    edits = []
    for span, tensor in zip(spans, tensors, strict=True):
        if data.draw(st.booleans()):
            tensor.CopyFrom(onnx.TensorProto(doc_string="x" * data.draw(st.integers(0, 300))))
            edits.append(tensor_edit(span, tensor.SerializeToString()))
    out = b"".join(spliced(memoryview(raw), edits))
    assert out == model.SerializeToString()


def test_without_edits_it_is_a_copy():
    raw = bytes(range(256))
    assert b"".join(spliced(memoryview(raw), [])) == raw


def test_edits_that_overlap_or_make_another_length_are_faults():
    raw = memoryview(bytes(10))
    with pytest.raises(ValueError, match="overlap"):
        list(spliced(raw, [replacement(0, 5, b""), replacement(4, 6, b"")]))
    with pytest.raises(ValueError, match="made 1 bytes instead of 2"):
        list(spliced(raw, [Edit(0, 1, 2, lambda: b"x")]))


def test_content_is_made_one_edit_at_a_time():
    made = []
    edits = [Edit(i, i + 1, 1, lambda i=i: made.append(i) or b"x") for i in (3, 1)]
    chunks = spliced(memoryview(bytes(5)), edits)
    next(chunks)
    assert made == []
    next(chunks)
    assert made == [1]


@given(st.integers(0, 2**63 - 1))
def test_numbers_are_written_as_protobuf_writes_them(value):
    entry = onnx.AttributeProto(i=value).SerializeToString()
    assert varint(value) == (entry[1:] or b"\0")
