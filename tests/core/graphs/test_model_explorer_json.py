"""Graphs as Model Explorer's JSON, there and back, and in Model Explorer's own hands."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio_core.attributes import GridSpec, IntListSpec, ValueListSpec
from studio_core.errors import InvalidRequestError
from studio_core.graphs.checks import check_graph
from studio_core.graphs.from_mlir import collection_from_mlir
from studio_core.graphs.from_onnx import graph_from_onnx
from studio_core.graphs.model_explorer_json import (
    collection_to_json,
    collections_from_json,
    graph_from_json,
    graph_to_json,
    overlay_to_json,
)
from studio_core.graphs.overlays import accuracy_overlay, perf_overlay
from studio_core.graphs.records import (
    Graph,
    GraphAttribute,
    GraphCollection,
    GraphEdge,
    GraphNode,
    PortMetadata,
)
from studio_core.mlir.reader import read_mlir

from .conftest import OWN_MODULES, chain


def documents(*graphs: Graph) -> list[dict[str, object]]:
    return [json.loads(json.dumps(graph_to_json(graph))) for graph in graphs]


def test_a_node_word_for_word():
    node = GraphNode(
        "loc(a)__0",
        "ttnn.relu",
        "a/b",
        (
            GraphAttribute("grid", "4x4", GridSpec(4, 64, 4)),
            GraphAttribute("l1_memory", "0.25", display_type="memory", certainty="exact"),
        ),
        (GraphEdge("x", "1", "0"),),
        (PortMetadata("0", (GraphAttribute("shape", "[8, 8]"),)),),
        pinned=True,
    )
    assert documents(Graph("g", (node,))) == [
        {
            "id": "g",
            "nodes": [
                {
                    "id": "loc(a)__0",
                    "label": "ttnn.relu",
                    "namespace": "a/b",
                    "attrs": [
                        {
                            "key": "grid",
                            "value": "4x4",
                            "editable": {
                                "input_type": "grid",
                                "min_value": 4,
                                "max_value": 64,
                                "step": 4,
                                "separator": "x",
                            },
                        },
                        {"key": "l1_memory", "value": "0.25", "display_type": "memory"},
                    ],
                    "incomingEdges": [
                        {"sourceNodeId": "x", "sourceNodeOutputId": "1", "targetNodeInputId": "0"}
                    ],
                    "outputsMetadata": [
                        {"id": "0", "attrs": [{"key": "shape", "value": "[8, 8]"}]}
                    ],
                    "inputsMetadata": [],
                    "config": {"pinToGroupTop": True},
                }
            ],
            "groupNodeAttributes": {},
            "groupNodeConfigs": [],
        }
    ]


def test_what_a_run_adds_is_written_where_there_is_any():
    overlays = {
        "perf_data": perf_overlay({"a": 5.0}),
        "accuracy_data": accuracy_overlay({"a": 0.9}, {"a": 0.9}),
    }
    overrides = {"loc(a)": {"named_location": "a", "full_location": "loc(a)", "attributes": []}}
    graph = Graph("g", chain({"a": ""}).nodes, {}, overlays, overrides, "int main();")
    (content,) = documents(graph)
    assert content["overlays"]["perf_data"] == {
        "g": {
            "name": "perf_data",
            "results": {"a": {"value": 5.0}},
            "gradient": [{"stop": 0.0, "bgColor": "yellow"}, {"stop": 1.0, "bgColor": "red"}],
        }
    }
    thresholds = content["overlays"]["accuracy_data"]["g"]["thresholds"]
    assert thresholds == [{"value": 0.0, "bgColor": "red"}, {"value": 1.0, "bgColor": "green"}]
    assert (content["overrides"], content["cppCode"]) == (overrides, "int main();")
    assert graph_to_json(graph_from_json(content)) == graph_to_json(graph)


def test_what_other_tools_leave_out_is_read():
    graph = graph_from_json({"id": "g", "nodes": [{"id": "a"}, {"id": "b", "label": "B", "attrs": [
        {"key": "n", "value": 3}, {"key": "to", "value": {"type": "node_ids", "nodeIds": ["a"]}}],
        "incomingEdges": [{"sourceNodeId": "a"}]}]})  # fmt: skip
    assert graph.by_id["b"].incoming == (GraphEdge("a", "0", "0"),)
    assert [a.value for a in graph.by_id["b"].attributes] == ["3", "a"]


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {"id": "g"},
        {"id": 1, "nodes": []},
        {"id": "g", "nodes": {}},
        {"id": "g", "nodes": [1]},
        {"id": "g", "nodes": [{"label": "x"}]},
        {"id": "g", "nodes": [{"id": "a", "attrs": [{"value": "x"}]}]},
        {"id": "g", "nodes": [{"id": "a", "attrs": [{"key": "x", "value": ["y"]}]}]},
        {"id": "g", "nodes": [{"id": "a", "incomingEdges": [{}]}]},
        {"id": "g", "nodes": [{"id": "a", "attrs": [{"key": "x", "editable": {}}]}]},
        {"id": "g", "nodes": [], "overlays": {"p": {"g": {"results": {"a": {"value": []}}}}}},
        {"id": "g", "nodes": [], "groupNodeAttributes": []} | {"groupNodeAttributes": [1]},
    ],
)
def test_what_is_no_graph_is_refused_with_its_place(content):
    with pytest.raises(InvalidRequestError):
        graph_from_json(content)


def test_collections_in_each_of_their_forms():
    graph = chain({"a": "", "b": ""})
    (content,) = documents(graph)
    collection = GraphCollection("label", (graph,))
    for document, label in (
        ({"graphs": [content]}, ""),
        ({"graphCollections": [collection_to_json(collection)]}, "label"),
        ([collection_to_json(collection)], "label"),
    ):
        (read,) = collections_from_json(document)
        assert (read.label, documents(*read.graphs)) == (label, [content])
    with pytest.raises(InvalidRequestError):
        collections_from_json({"nodes": []})


texts = st.text(max_size=8)
specs = st.one_of(
    st.none(),
    st.just(IntListSpec(8, 64, 8)),
    st.just(GridSpec(1, 8)),
    st.builds(ValueListSpec, st.lists(texts, max_size=3).map(tuple)),
)
attributes = st.builds(
    GraphAttribute, texts, texts, specs, st.sampled_from([None, "memory"])
)  # fmt: skip
some = st.lists(attributes, max_size=2).map(tuple)
ports = st.lists(st.builds(PortMetadata, texts, some), max_size=2).map(tuple)
edges = st.lists(st.builds(GraphEdge, texts, texts, texts), max_size=2).map(tuple)
nodes = st.builds(GraphNode, texts, texts, texts, some, edges, ports, ports, st.booleans())


@given(st.lists(nodes, max_size=4).map(tuple), texts)
@settings(max_examples=30, deadline=None)
def test_any_graph_is_read_as_it_was_written(drawn, name):
    graph = Graph(name, drawn, {name: {name: name}})
    (content,) = documents(graph)
    read = graph_from_json(content)
    for field in fields(Graph):
        assert getattr(read, field.name) == getattr(graph, field.name)


keys = st.sampled_from(
    ["id", "nodes", "attrs", "key", "value", "graphs", "incomingEdges", "overlays", "editable"]
)
contents = st.recursive(
    st.none() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner),
    max_leaves=12,
)


@given(contents)
@settings(max_examples=60, deadline=None)
def test_any_json_is_a_graph_or_refused(content):
    for read in (graph_from_json, collections_from_json):
        try:
            read(content)
        except InvalidRequestError as error:
            assert str(error).endswith(".")


def test_faults_of_a_graph_are_found():
    shape = (PortMetadata("0"),)
    graph = Graph(
        "g",
        (
            GraphNode("a", "A", outputs=shape),
            GraphNode("a", "A", outputs=shape),
            GraphNode("b", "B", incoming=(GraphEdge("a", "7", "0"), GraphEdge("ghost", "0", "1"))),
            GraphNode("", "C"),
        ),
        overlays={"perf_data": perf_overlay({"gone": 1.0})},
    )
    faults = check_graph(graph)
    assert len(faults) == 5
    for word in ("'a' stands for 2", "output '7'", "'ghost'", "'C' has no id", "'gone'"):
        assert any(word in fault for fault in faults), word
    assert check_graph(chain({"a": "", "b": "x"})) == []


# What follows asks the PyPI package, which only the tests use.


@pytest.fixture(scope="module")
def own_graphs(generated) -> list[Graph]:
    from studio_core.models.model import open_model

    paths = sorted(OWN_MODULES.glob("*.mlir"))
    graphs = [g for path in paths for g in collection_from_mlir(read_mlir(path)).graphs]
    return [*graphs, graph_from_onnx(open_model(generated("mobilenet_v2")))]


def test_model_explorers_own_records_hold_the_graphs(own_graphs):
    graph_builder = pytest.importorskip("model_explorer.graph_builder")
    dacite = pytest.importorskip("dacite")
    utils = pytest.importorskip("model_explorer.utils")
    for graph, content in zip(own_graphs, documents(*own_graphs), strict=True):
        made = dacite.from_dict(graph_builder.Graph, content)
        answer = utils.convert_adapter_response({"graphs": [made]})
        nodes = answer["graphs"][0]["nodes"]
        assert [n["id"] for n in nodes] == [n.id for n in graph.nodes]
        assert [n["namespace"] for n in nodes] == [n.namespace for n in graph.nodes]
        assert sum(len(n["incomingEdges"]) for n in nodes) == sum(
            len(n.incoming) for n in graph.nodes
        )


def test_node_data_are_as_model_explorer_writes_them():
    builder = pytest.importorskip("model_explorer.node_data_builder")
    overlay = perf_overlay({"a": 5.0, "b": 7.5})
    theirs = builder.GraphNodeData(
        results={n: builder.NodeDataResult(value=v) for n, v in overlay.values.items()},
        name=overlay.name,
        gradient=[builder.GradientItem(stop=s, bgColor=c) for s, c in overlay.gradient],
    )
    said = json.loads(theirs.to_json_string())
    ours = overlay_to_json(overlay)
    assert {key: said[key] for key in ours} == ours


SERVE = """
import sys
from pathlib import Path
from model_explorer import server
from model_explorer.config import ModelExplorerConfig
server._check_new_version = lambda *_: {}  # it would call out
settings = ModelExplorerConfig()
settings.graphs_list.append(Path(sys.argv[1]).read_text("utf-8"))
server.start(host="127.0.0.1", port=int(sys.argv[2]), config=settings, no_open_in_browser=True,
             skip_health_check=True)
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_model_explorers_server_hands_out_the_graphs(own_graphs, tmp_path):
    """Its own server, with the graphs as it keeps those of a notebook, asked over HTTP."""
    pytest.importorskip("model_explorer")
    contents, path, port = documents(*own_graphs), tmp_path / "graphs.json", free_port()
    path.write_text(json.dumps({"graphs": contents}), "utf-8")
    url = f"http://127.0.0.1:{port}/api/v1/load_graphs_json?graph_index=0"
    arguments = [sys.executable, "-c", SERVE, str(path), str(port)]
    with subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            answer = _patiently(url, server)
        finally:
            server.kill()
    assert answer["graphs"] == contents


def _patiently(url: str, server: subprocess.Popen[bytes], patience_s: float = 60.0):
    end = time.monotonic() + patience_s
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)
        except OSError:
            if server.poll() is not None or time.monotonic() > end:
                raise
            time.sleep(0.1)


def test_the_front_end_reads_the_keys_that_are_written():
    """Model Explorer's scripts know by name each key that a node is written with."""
    package = pytest.importorskip("model_explorer")
    folder = Path(package.__file__).parent / "web_app"
    script = "".join(p.read_text("utf-8") for p in folder.glob("*.js"))
    (content,) = documents(chain({"a": "x", "b": "x"}))
    for key in (*content["nodes"][1], "pinToGroupTop", "sourceNodeOutputId", "groupNodeAttributes"):
        assert key in script, key
