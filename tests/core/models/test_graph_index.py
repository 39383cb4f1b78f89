"""Names, ids, shapes and attributes as the index keeps them."""

from __future__ import annotations

import json

import numpy as np
import onnx
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from studio_core.models.graph_index import index_graph
from studio_core.models.tensor import Tensor


def index(graph):
    return index_graph(graph, lambda name, tensor, scope: Tensor(name, tensor, None, scope))


def test_ids_are_the_first_output_names(mlp):
    nodes = list(mlp.model.nodes())
    assert [n.id for n in nodes] == ["a", "ra", "b", "rb", "c", "y"]
    assert all(n.outputs[0] == n.id for n in nodes)


def test_producers_constants_and_shapes(mlp):
    main = mlp.model.main
    assert main.producer("ra").op_type == "Relu"
    assert main.producer("x") is None and main.producer("nothing") is None
    assert main.constant("first_weight").shape == (3, 4)
    assert main.constant("x") is None
    assert main.shape("x") == (1, 3) and main.shape("b") == (1, 6)
    assert main.shape("first_weight") == (3, 4)
    assert main.shape("nothing") is None


def test_optional_inputs_and_outputs_without_a_name(open_text):
    session = open_text(
        "g (float[N,3] x) => (float[N,3] y) { y = Clip (x, , high) }",
        {"high": np.float32(1)},
    )
    (node,) = session.model.nodes()
    assert node.inputs == ("x", "", "high")


def test_a_node_without_outputs_still_has_an_id():
    graph = helper.make_graph(
        [helper.make_node("Print", ["x"], []), helper.make_node("Print", ["x"], [""])], "g", [], []
    )
    assert [n.id for n in index(graph)[0].nodes] == ["node_0", "node_1"]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("ab/"), st.sampled_from(["a", "node_1", "a/b", ""])), max_size=6
    )
)
def test_ids_are_unique_whatever_the_names(pairs):
    nodes = [helper.make_node("Relu", ["x"], [out], name=name) for name, out in pairs]
    body = helper.make_graph(nodes, "body", [], [])
    nodes += [helper.make_node("If", ["c"], ["a"], name="a", then_branch=body, else_branch=body)]
    scopes = index(helper.make_graph(nodes + nodes, "g", [], []))
    ids = [n.id for scope in scopes for n in scope.nodes]
    assert len(ids) == len(set(ids)) == 6 * len(pairs) + 2


def test_attributes_are_ready_for_json():
    node = helper.make_node(
        "Thing", ["x"], ["y"], f=1.5, i=3, s="text", fs=[1.0, 2.0], ints=[1, 2], ss=["a", "b"],
        t=helper.make_tensor("t", TensorProto.FLOAT, [2], [1, 2]),
        g=helper.make_graph([], "inner", [], []),
    )  # fmt: skip
    node.attribute.append(onnx.AttributeProto(name="bytes", type=3, s=b"\xff\xfe"))
    node.attribute.append(onnx.AttributeProto(name="strange"))
    (found,) = index(helper.make_graph([node], "g", [], []))[0].nodes
    attributes = found.attributes()
    json.dumps(attributes)
    assert attributes["ints"] == [1, 2] and attributes["s"] == "text"
    assert attributes["t"] == "tensor of shape [2]" and attributes["g"] == "subgraph"
    assert found.integer("i", 7) == 3
    assert found.integer("s", 7) == 7 == found.integer("none", 7)


def test_the_own_domain_has_two_spellings():
    nodes = [helper.make_node("Relu", ["x"], [d or "e"], domain=d) for d in ("", "ai.onnx", "my")]
    (scope,) = index(helper.make_graph(nodes, "g", [], []))
    assert [n.domain for n in scope.nodes] == ["", "", "my"]


def test_subgraphs_in_subgraphs():
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "leaf", [], [])
    # Protobuf itself refuses to parse beyond 100 messages; in memory more can be built.
    for _ in range(30):
        node = helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=graph)
        graph = onnx.GraphProto(name="g")
        graph.node.append(node)
        del graph.node[0].attribute[1]
    assert len(index(graph)) == 31
