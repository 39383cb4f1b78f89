"""`check_graph`: what is wrong with a graph, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from studio_core.graphs.records import Graph, GraphNode


def check_graph(graph: Graph) -> list[str]:
    """The faults of ``graph``; an empty list where every front end can draw it.

    Ids must be there and unique, edges must begin at a node that is there, at an output that the
    node tells of, and each overlay must speak of nodes that are there.
    """
    counts = Counter(node.id for node in graph.nodes)
    faults = [f"Id {name!r} stands for {n} nodes." for name, n in counts.items() if n > 1]
    outputs = {node.id: {port.id for port in node.outputs} for node in graph.nodes}
    for node in graph.nodes:
        faults.extend(_node_faults(node, outputs))
    for kind, overlay in graph.overlays.items():
        absent = [name for name in overlay.values if name not in counts]
        faults += [
            f"Overlay {kind!r} has a value for {name!r}, which is no node." for name in absent
        ]
    return faults


def _node_faults(node: GraphNode, outputs: dict[str, set[str]]) -> Iterator[str]:
    if not node.id:
        yield f"A node labelled {node.label!r} has no id."
    for edge in node.incoming:
        known = outputs.get(edge.source)
        if known is None:
            yield f"An edge of {node.id!r} begins at {edge.source!r}, which is no node."
        elif known and edge.source_output not in known:
            yield (
                f"An edge of {node.id!r} begins at output {edge.source_output!r} of "
                f"{edge.source!r}, which has no such output."
            )
