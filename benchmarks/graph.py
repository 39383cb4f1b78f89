"""How long a graph takes: `python benchmarks/graph.py [--rounds N] [--markdown]`.

An ONNX file becomes the JSON that Model Explorer draws: Studio (file opened, shapes inferred,
layers with costs and editable sparsities, JSON) beside the PyPI package `model-explorer-onnx` (its
adapter's conversion, and the records as Model Explorer's server turns them into JSON), in turns.
Then the layout of the graph view, which has no peer here. Needs `pip install model-explorer-onnx`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
from pathlib import Path

import run
from run import Row, medians, model, print_table

from studio_core.graphs.from_onnx import graph_from_onnx
from studio_core.graphs.groups import group_tree
from studio_core.graphs.layout import visible_graph
from studio_core.graphs.model_explorer_json import graph_to_json
from studio_core.graphs.records import Graph, GraphEdge, GraphNode
from studio_core.layers import find_layers
from studio_core.models.model import open_model

MODELS = (
    ("ResNet-50", "resnet50", {}),
    ("BERT-base", "bert_base", {}),
    ("10,000 nodes", "many_layers", {"num_layers": 5000}),
)


def from_file(path: Path) -> str:
    """What Studio does when a file is opened in the graph view."""
    opened = open_model(path)
    return json.dumps({"graphs": [graph_to_json(graph_from_onnx(opened, find_layers(opened)))]})


def peer_from_file(path: Path) -> str:
    """What Model Explorer's server does with the adapter of `model-explorer-onnx`."""
    from model_explorer.utils import convert_adapter_response
    from model_explorer_onnx.main import ONNXAdapter

    return json.dumps(convert_adapter_response(ONNXAdapter().convert(str(path), {})))


def conversion(rounds: int) -> list[Row]:
    rows = []
    for title, name, options in MODELS:
        path = model(name, **options)
        _check_alike(json.loads(from_file(path)), json.loads(peer_from_file(path)))
        mine, theirs = medians(
            rounds, lambda p=path: from_file(p), lambda p=path: peer_from_file(p)
        )
        rows.append(Row(f"{title}: file → JSON", mine * 1e3, theirs * 1e3, "ms"))
        opened = open_model(path)
        layers = find_layers(opened)
        made = graph_from_onnx(opened, layers)
        (graph, text) = medians(
            rounds,
            lambda m=opened, found=layers: graph_from_onnx(m, found),
            lambda g=made: json.dumps(graph_to_json(g)),
        )
        rows.append(Row(f"{title}: opened model → graph", graph * 1e3, None, "ms"))
        rows.append(Row(f"{title}: graph → JSON", text * 1e3, None, "ms"))
    return rows


def _check_alike(mine: dict, theirs: dict) -> None:
    """A comparison of speed is one only if both draw the same: nodes but initializers."""
    labels = [
        sorted(n["label"] for n in found["graphs"][0]["nodes"] if n["label"] != "Initializer")
        for found in (mine, theirs)
    ]
    if labels[0] != labels[1]:
        raise SystemExit("Studio and its peer do not draw the same nodes.")


def layout(rounds: int) -> list[Row]:
    """The graph view: closed, with all groups open, and one group of 3,000 nodes."""
    opened = open_model(model("many_layers", num_layers=5000))
    graph = graph_from_onnx(opened)
    groups = [group.id for group in group_tree(graph).groups()]
    names = [f"n{i}" for i in range(3000)]
    chained = [
        GraphNode(b, "Op", "g", incoming=(GraphEdge(a, "0", "0"), GraphEdge("n0", "0", "1")))
        for a, b in itertools.pairwise(names)
    ]
    big = Graph("big", (GraphNode("n0", "Input"), *chained))
    times = medians(
        rounds,
        lambda: visible_graph(graph),
        lambda: visible_graph(graph, groups),
        lambda: visible_graph(big, ("g",)),
    )
    titles = ("10,000 nodes, all closed", "10,000 nodes, all open", "a group of 3,000 nodes, open")
    return [Row(f"layout: {t}", s * 1e3, None, "ms") for t, s in zip(titles, times, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--markdown", action="store_true")
    chosen = parser.parse_args()
    rows = conversion(chosen.rounds) + layout(chosen.rounds)
    print_table(rows, markdown=chosen.markdown)
    print(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; medians of {chosen.rounds}.")


if __name__ == "__main__":
    run.CACHE.mkdir(exist_ok=True)
    main()
