"""A run by the compiler as a graph: the compiled module with what the runtime measured.

The nodes are those of the compiled module, so what was requested can be held against what the
compiler applied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from studio_core.execution.records import EXPECTED_PCC
from studio_core.execution.toolchain import ToolchainResult
from studio_core.execution.toolchain_results import bare_location
from studio_core.explorer.opened import open_file
from studio_core.graphs.overlays import (
    ACCURACY_DATA,
    PERF_DATA,
    accuracy_overlay,
    perf_overlay,
)
from studio_core.graphs.records import Graph, GraphAttribute, GraphNode, Overlay
from studio_core.limits import DEFAULT_LIMITS, Limits
from studio_core.overrides.documents import to_json
from studio_core.overrides.records import Overrides

MEASURED = "Measured by the runtime."
_BARS = {"l1": "l1_memory", "dram": "dram_memory", "l1_small": "l1_small_memory"}


def compiled_graph(
    result: ToolchainResult, overrides: Overrides, limits: Limits = DEFAULT_LIMITS
) -> Graph:
    """The graph of the compiled module, with overlays, measured memory, overrides and C++.

    Raises as `open_file` does where the compiled module cannot be read.
    """
    graph = open_file(result.compiled_path, limits=limits)[0].graph
    nodes = _Nodes(graph)
    overlays = dict(_overlays(result, nodes))
    memory = {node: shares for loc, shares in result.memory.items() for node in nodes.at(loc)}
    return replace(
        graph,
        nodes=tuple(_with_memory(node, memory.get(node.id)) for node in graph.nodes),
        overlays=overlays,
        overrides=to_json(overrides) if overrides else None,
        cpp_code=result.cpp_code,
    )


class _Nodes:
    """Nodes by the ways in which the runtime writes a location."""

    def __init__(self, graph: Graph) -> None:
        self._by_location: dict[str, list[str]] = {}
        for node in graph.nodes:
            for text in _spellings(node):
                self._by_location.setdefault(text, []).append(node.id)

    def at(self, location: str) -> list[str]:
        return self._by_location.get(bare_location(location), [])

    def values(self, found: Mapping[str, float]) -> dict[str, float]:
        """Values by node; where ops share a location, the first of them bears its value."""
        values: dict[str, float] = {}
        for location, value in found.items():
            for node in self.at(location)[:1]:
                values[node] = values.get(node, 0.0) + value
        return values


def _spellings(node: GraphNode) -> Iterable[str]:
    if node.label.startswith("%"):
        return ()  # an argument may bear the location of an op
    full, named = node.attribute("full_location"), node.attribute("named_location")
    found = {bare_location(full.value)} if full is not None else set()
    if named is not None:
        name = bare_location(named.value)
        found |= {name, f"loc({name})"}
    return found


def _overlays(result: ToolchainResult, nodes: _Nodes) -> Iterator[tuple[str, Overlay]]:
    times = nodes.values({loc: time.time_ns for loc, time in result.times.items()})
    if times:
        yield PERF_DATA, perf_overlay(times)
    first = {node: a for loc, a in result.accuracy.items() for node in nodes.at(loc)[:1]}
    if first:
        actual = {node: a.actual_pcc for node, a in first.items()}
        expected = {node: a.expected_pcc or EXPECTED_PCC for node, a in first.items()}
        yield ACCURACY_DATA, accuracy_overlay(actual, expected)


def _with_memory(node: GraphNode, shares: Mapping[str, float] | None) -> GraphNode:
    if not shares:
        return node
    measured = {
        _BARS[memory]: GraphAttribute(
            _BARS[memory], f"{share:.6g}", display_type="memory", certainty="exact", note=MEASURED
        )
        for memory, share in shares.items()
    }
    kept = tuple(a for a in node.attributes if a.key not in measured)
    return replace(node, attributes=(*kept, *measured.values()))
