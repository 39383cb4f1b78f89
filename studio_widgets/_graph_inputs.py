"""What the graph widgets accept where they ask for a graph: one, what holds one, or a path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio_core.errors import InvalidRequestError
from studio_core.explorer.exploration import open_exploration
from studio_core.graphs.records import Graph, GraphCollection


def graph_of(source: Any) -> Graph:
    """``source`` as a graph; of a collection or a file with several, the first.

    Raises `InvalidRequestError` for what is none, and what the readers raise for a file.
    """
    if isinstance(source, str | Path):
        source = open_exploration(source)
    if isinstance(source, GraphCollection):
        source = source.graphs[0] if source.graphs else None
    graph = getattr(source, "graph", source)
    if isinstance(graph, Graph):
        return graph
    raise InvalidRequestError(
        f"A graph is wanted here, not {type(source).__name__}. The path of an .mlir or .onnx "
        "file will do, and so will what `studio.explore(path)` returns."
    )
