"""Graphs for the tests, written in a few words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from studio_core.graphs.records import Graph, GraphAttribute, GraphEdge, GraphNode, PortMetadata

OWN_MODULES = Path(__file__).parents[2] / "data" / "mlir"
SHARED_MODULES = Path(__file__).parents[4] / "shared" / "data" / "mlir"


def node(name: str, *sources: str, namespace: str = "", pinned: bool = False) -> GraphNode:
    """A node ``name`` that reads ``sources`` and gives a tensor of shape [1, 4]."""
    shape = (GraphAttribute("shape", "[1, 4]"),)
    edges = tuple(GraphEdge(source, "0", str(i)) for i, source in enumerate(sources))
    outputs = (PortMetadata("0", shape),)
    return GraphNode(name, name.upper(), namespace, incoming=edges, outputs=outputs, pinned=pinned)


def chain(namespaces: Mapping[str, str]) -> Graph:
    """Nodes one after another, each with its namespace."""
    names = list(namespaces)
    sources = [(), *((name,) for name in names)]
    nodes = [
        node(name, *before, namespace=namespaces[name])
        for name, before in zip(names, sources, strict=False)
    ]
    return Graph("chain", tuple(nodes))
