"""ONNX models as graphs."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from studio_core.attributes import IntListSpec
from studio_core.graphs.checks import check_graph
from studio_core.graphs.from_onnx import SPARSITY_KEY, graph_from_onnx
from studio_core.graphs.records import Graph, GraphNode

HEADER = '<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]>'


def values(node: GraphNode) -> dict[str, str]:
    return {a.key: a.value for a in node.attributes}


def port(node: GraphNode, number: int = 0, kind: str = "outputs") -> dict[str, str]:
    return {a.key: a.value for a in getattr(node, kind)[number].attributes}


def edges(graph: Graph) -> set[tuple[str, str, str, str]]:
    return {(e.source, e.source_output, n.id, e.target_input) for n in graph.nodes
            for e in n.incoming}  # fmt: skip


def test_nodes_edges_and_shapes(mlp):
    graph = graph_from_onnx(mlp.model, mlp.layers)
    assert check_graph(graph) == []
    labels = [node.label for node in graph.nodes]
    assert labels == ["Input", "Gemm", "Relu", "Gemm", "Relu", "Slice", "MatMul", "Output"]
    assert edges(graph) == {
        ("x", "0", "a", "0"), ("a", "0", "ra", "0"), ("ra", "0", "b", "0"), ("b", "0", "rb", "0"),
        ("rb", "0", "c", "0"), ("c", "0", "y", "0"), ("y", "0", "y (output)", "0"),
    }  # fmt: skip
    gemm = graph.by_id["a"]
    assert port(gemm) == {"__tensor_tag": "a", "shape": "[1, 4]", "dtype": "float", "rank": "2"}
    weight = port(gemm, 1, "inputs")
    assert (weight["__tensor_tag"], weight["shape"], weight["kind"]) == (
        "first_weight", "[3, 4]", "constant",
    )  # fmt: skip
    assert "value" not in weight
    assert port(graph.by_id["c"], 1, "inputs")["value"] == "[0]"
    assert values(gemm)["macs"] == "12"


def test_ids_are_those_of_the_layers_and_the_same_each_time(mlp):
    graph = graph_from_onnx(mlp.model)
    assert {layer.id for layer in mlp.layers} <= set(graph.by_id)
    assert [n.id for n in graph_from_onnx(mlp.model).nodes] == [n.id for n in graph.nodes]


def test_the_sparsity_of_a_prunable_layer_can_be_edited(mlp):
    graph = graph_from_onnx(mlp.model, mlp.layers, {"a": 0.5, "b": 0.123})
    attribute = graph.by_id["a"].attribute(SPARSITY_KEY)
    assert (attribute.value, attribute.editable) == ("[50]", IntListSpec(0, 100, 5))
    rounded = graph.by_id["b"].attribute(SPARSITY_KEY)
    assert rounded.value == "[12]"
    assert "12.3 %" in rounded.note
    assert graph.by_id["y"].attribute(SPARSITY_KEY).value == "[0]"
    assert graph.by_id["ra"].attribute(SPARSITY_KEY) is None


def model_with_names(*nodes: onnx.NodeProto, outputs: tuple[str, ...] = ("y",)) -> onnx.ModelProto:
    info = [onnx.helper.make_tensor_value_info(n, 1, [1, 2]) for n in ("x", *outputs)]
    graph = onnx.helper.make_graph(list(nodes), "g", info[:1], info[1:])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)])


def relu(x: str, y: str, name: str, **metadata: str) -> onnx.NodeProto:
    node = onnx.helper.make_node("Relu", [x], [y], name=name)
    for key, value in metadata.items():
        node.metadata_props.add(key=key, value=value)
    return node


SCOPES = "pkg.torch.onnx.name_scopes"


@pytest.mark.parametrize(
    ("name", "output", "metadata", "namespace"),
    [
        ("/encoder/layer.0/attn/Relu", "y", {}, "encoder/layer.0/attn"),
        ("block/relu", "y", {}, "block"),
        ("Relu_0", "y", {}, ""),
        ("Relu_0", "/layer1/relu/Relu_output_0", {}, "layer1/relu"),
        ("//a//b//", "y", {}, "a/b"),
        ("node_relu", "y", {SCOPES: "['', 'enc', 'enc.layer.0', 'relu']"}, "enc/layer.0"),
        ("/a/relu", "y", {SCOPES: "__import__('os')"}, "a"),
        ("/a/relu", "y", {SCOPES: "[" * 5000}, "a"),
        ("/a/relu", "y", {SCOPES: "[1, 2]"}, "a"),
    ],
)
def test_groups_come_from_names(open_text, name, output, metadata, namespace):
    session = open_text(model_with_names(relu("x", output, name, **metadata), outputs=(output,)))
    graph = graph_from_onnx(session.model)
    assert graph.by_id[output].namespace == namespace
    assert graph.by_id["x"].namespace == ""


def test_subgraphs_are_groups_with_their_node_on_top(open_text):
    session = open_text(
        f"""{HEADER}
        g (float[1,2] x, bool c) => (float[1,2] y) {{
            h = Relu (x)
            y = If (c) <
                then_branch = then () => (float[1,2] t) {{ t = Relu (h) }},
                else_branch = other () => (float[1,2] e) {{ u = Neg (x)  e = Relu (u) }}
            >
        }}
        """
    )
    graph = graph_from_onnx(session.model)
    assert check_graph(graph) == []
    assert (graph.by_id["y"].namespace, graph.by_id["y"].pinned) == ("y", True)
    inner = {n.id: n.namespace for n in graph.nodes if n.label in ("Relu", "Neg")}
    assert inner == {
        "h": "",
        "y/then_branch/t": "y/then_branch",
        "y/else_branch/u": "y/else_branch",
        "y/else_branch/e": "y/else_branch",
    }
    assert ("h", "0", "y/then_branch/t", "0") in edges(graph)
    assert ("x", "0", "y/else_branch/u", "0") in edges(graph)
    outputs = [n for n in graph.nodes if n.label == "Output"]
    assert sorted(n.namespace for n in outputs) == ["", "y/else_branch", "y/then_branch"]


def test_a_constant_of_a_subgraph_hides_a_value_around_it(open_text):
    session = open_text(
        f"""{HEADER}
        g (float[1,2] x, bool c) => (float[1,2] y) {{
            h = Relu (x)
            y = If (c) <
                then_branch = then () => (float[1,2] t)
                    <float[1,2] h = {{1, 2}}> {{ t = Relu (h) }},
                else_branch = other () => (float[1,2] e) {{ e = Neg (h) }}
            >
        }}
        """
    )
    graph = graph_from_onnx(session.model)
    assert graph.by_id["y/then_branch/t"].incoming == ()
    assert ("h", "0", "y/else_branch/e", "0") in edges(graph)


def test_constants_attributes_and_domains(open_text):
    session = open_text(
        f"""{HEADER}
        g (float[1,1,4,4] x) => (float[1,1,2,2] y, int64[1,1,4,4] z) {{
            k = Constant <value = float[1,1,3,3] {{0.5,0,0,0,0,0,0,0,0}}> ()
            two = Constant <value_int = 2> ()
            w = com.microsoft.Gelu (x)
            y = Conv <kernel_shape = [3, 3], auto_pad = "NOTSET"> (w, k)
            z = Cast <to = 7> (x)
        }}
        """
    )
    graph = graph_from_onnx(session.model)
    assert graph.by_id["w"].label == "com.microsoft::Gelu"
    conv = values(graph.by_id["y"])
    assert (conv["kernel_shape"], conv["auto_pad"]) == ("[3, 3]", "NOTSET")
    assert values(graph.by_id["k"])["value"] == "float [1, 1, 3, 3]"
    assert values(graph.by_id["two"])["value_int"] == "2"
    assert values(graph.by_id["z"])["to"] == "int64"
    assert ("k", "0", "y", "1") in edges(graph)


def test_an_absent_input_has_no_edge_and_a_constant_is_no_output(open_text):
    session = open_text(
        f"""{HEADER}
        g (float[1,2] x) => (float[1,2] y, float[2] w) {{ y = Clip (x, , top) }}
        """,
        {"top": np.float32(6), "w": np.zeros(2, np.float32)},
    )
    graph = graph_from_onnx(session.model)
    assert check_graph(graph) == []
    assert [p.id for p in graph.by_id["y"].inputs] == ["0", "2"]
    assert port(graph.by_id["y"], 1, "inputs")["value"] == "6"
    assert [n.id for n in graph.nodes if n.label == "Output"] == ["y (output)"]


def test_hostile_names_are_left_as_text(open_text):
    name = "</script><b>\u202e'\"\n/../x"
    session = open_text(model_with_names(relu("x", "y", name)))
    graph = graph_from_onnx(session.model)
    assert values(graph.by_id["y"])["name"] == name
    assert check_graph(graph) == []


def test_well_known_models(generated):
    from studio_core.models.model import open_model

    model = open_model(generated("resnet50"))
    graph = graph_from_onnx(model)
    assert check_graph(graph) == []
    assert len(graph.nodes) == len(model.main.nodes) + 2
    assert graph.by_id["/layer1/0/conv1/Conv_output_0"].namespace == "layer1/0/conv1"
    assert sum(n.attribute(SPARSITY_KEY) is not None for n in graph.nodes) == 54
