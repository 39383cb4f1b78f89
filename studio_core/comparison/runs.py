"""`compare_runs`: two runs of one module or model, with what was asked of each.

The graph is the same in both; what differs is what the overrides asked, the times and the
accuracy. A request stands among the changed attributes of its node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from studio_core.comparison.graphs import (
    AttributeChange,
    GraphComparison,
    NodeChange,
    compare_graphs,
)
from studio_core.explorer.running import ExecutedRun
from studio_core.graphs.records import Graph

Requests = Mapping[str, Mapping[str, str]]
"""Requested values by node id and key."""


def compare_runs(left: ExecutedRun, right: ExecutedRun) -> GraphComparison:
    """Compare two runs: the graphs with their overlays, and what was asked of each node."""
    found = compare_graphs(left.graph, right.graph)
    asked = _requests(left), _requests(right)
    changes = {change.pair.left: change for change in found.changes}
    for pair in found.match.pairs:
        own = changes.get(pair.left)
        more = tuple(_request_changes(found, pair.left, pair.right, asked))
        if more:
            labels = found.left.by_id[pair.left].label, found.right.by_id[pair.right].label
            known = own.attributes if own is not None else ()
            kept = (a for a in known if a.key not in {change.key for change in more})
            changes[pair.left] = NodeChange(pair, *labels, (*kept, *more))
    in_order = (changes[p.left] for p in found.match.pairs if p.left in changes)
    return replace(found, changes=tuple(in_order))


def _requests(run: ExecutedRun) -> Requests:
    found: dict[str, dict[str, str]] = {}
    for applied in run.applied:
        found.setdefault(applied.node_id, {})[applied.key] = applied.requested
    return found


def _request_changes(
    found: GraphComparison, left_id: str, right_id: str, asked: tuple[Requests, Requests]
) -> Iterator[AttributeChange]:
    before, after = asked[0].get(left_id, {}), asked[1].get(right_id, {})
    for key in dict.fromkeys((*before, *after)):
        left = before.get(key, _own(found.left, left_id, key))
        right = after.get(key, _own(found.right, right_id, key))
        if left != right:
            yield AttributeChange(key, left, right)


def _own(graph: Graph, node_id: str, key: str) -> str | None:
    attribute = graph.by_id[node_id].attribute(key)
    return attribute.value if attribute is not None else None
