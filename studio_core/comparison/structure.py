"""What a node looks like from its place in a graph, as numbers that are equal where it is alike.

    signature   the node alone: operator, shapes and data types of what it makes and reads
    above       the node with all that leads to it
    below       the node with all that it leads to
    around(k)   the node with what is at most k steps away (Weisfeiler–Lehman refinement)

Numbers are handed out by one `Numbers` for both graphs, as things are met: nothing is hashed
down to a few bits, so that equal numbers mean equal structure, and each run gives the same.
A change in one place leaves `above` equal for everything that does not come after it, and
`below` for everything that does not come before it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property

from studio_core.graphs.records import Graph, GraphNode, PortMetadata

_TYPE_KEYS = frozenset({"shape", "dtype"})

Edges = list[list[tuple[int, str, str]]]
"""For each node: the other end, the number of the output, the number of the input."""


class Numbers:
    """One number for each thing that is met, the same for equal things."""

    def __init__(self) -> None:
        self._known: dict[Hashable, int] = {}

    def of(self, thing: Hashable) -> int:
        return self._known.setdefault(thing, len(self._known))


@dataclass(frozen=True, eq=False)
class Structure:
    """A graph as lists; nodes by their place in ``graph.nodes``."""

    graph: Graph
    numbers: Numbers

    @cached_property
    def places(self) -> Mapping[str, int]:
        return {node.id: place for place, node in enumerate(self.graph.nodes)}

    @cached_property
    def sources(self) -> Edges:
        """What each node reads; an edge from a node that is not there is left out."""
        return [
            [
                (self.places[edge.source], edge.source_output, edge.target_input)
                for edge in node.incoming
                if edge.source in self.places
            ]
            for node in self.graph.nodes
        ]

    @cached_property
    def users(self) -> Edges:
        found: Edges = [[] for _ in self.graph.nodes]
        for target, edges in enumerate(self.sources):
            for source, output, port in edges:
                found[source].append((target, output, port))
        return found

    @cached_property
    def labels(self) -> list[int]:
        """The operator alone."""
        return [self.numbers.of(node.label) for node in self.graph.nodes]

    @cached_property
    def signatures(self) -> list[int]:
        """The operator with shapes and data types; names are no part of it."""
        return [self.numbers.of(_signature(node)) for node in self.graph.nodes]

    @cached_property
    def order(self) -> list[int]:
        """Sources before their users; of a cycle, which no model has, the nodes as they stand."""
        waiting = [len(edges) for edges in self.sources]
        ready = [place for place, count in enumerate(waiting) if not count]
        for place in ready:  # it grows while we walk
            for user, _, _ in self.users[place]:
                waiting[user] -= 1
                if not waiting[user]:
                    ready.append(user)
        done = set(ready)
        return ready + [place for place in range(len(waiting)) if place not in done]

    def above(self, own: list[int]) -> list[int]:
        return self._cone(own, self.order, self.sources, "above")

    def below(self, own: list[int]) -> list[int]:
        return self._cone(own, self.order[::-1], self.users, "below")

    def _cone(self, own: list[int], order: list[int], edges: Edges, kind: str) -> list[int]:
        found: list[int] = [-1] * len(own)  # -1 stays where a cycle is entered
        for place in order:
            ends = sorted((port, output, found[end]) for end, output, port in edges[place])
            found[place] = self.numbers.of((kind, own[place], tuple(ends)))
        return found

    def around(self, own: list[int], steps: int) -> list[int]:
        found = own
        for _ in range(steps):
            found = [self.numbers.of(self._neighbours(found, place)) for place in range(len(own))]
        return found

    def _neighbours(self, found: list[int], place: int) -> Hashable:
        sources = sorted((port, output, found[s]) for s, output, port in self.sources[place])
        users = sorted((port, output, found[u]) for u, output, port in self.users[place])
        return "around", found[place], tuple(sources), tuple(users)


def _signature(node: GraphNode) -> Hashable:
    outputs, inputs = map(_types, node.outputs), map(_types, node.inputs)
    return "node", node.label, tuple(outputs), tuple(inputs)


def _types(port: PortMetadata) -> Hashable:
    return port.id, tuple((a.key, a.value) for a in port.attributes if a.key in _TYPE_KEYS)
