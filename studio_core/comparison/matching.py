"""`match_graphs`: which node of one graph is which of another, by name or by structure.

Names are believed where the structure agrees. Where it does not, as after a renumbering, the
structure goes first: what is alike in all that leads to it, or in all that it leads to, then what
is alike nearby, then what hangs on something that is matched. Each step looks once at the nodes
that are left, so that the whole is about linear in the size of the graphs. A node is never
matched with one of another operator, except by a name that nothing contradicts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from studio_core.comparison.structure import Edges, Numbers, Structure
from studio_core.graphs.records import Graph

How = Literal["name", "content", "structure"]
Marks = Mapping[str, Hashable]
View = tuple[Sequence[Hashable], Sequence[Hashable]]
"""What each node of the left and of the right graph looks like; alike if equal."""

_AROUND = (3, 2, 1)
"""Steps of the neighbourhoods that are compared, the surest first."""


@dataclass(frozen=True, slots=True)
class NodePair:
    """Two nodes that are the same one; ``certainty`` from above 0 to 1, where nothing else fits."""

    left: str
    right: str
    how: How
    certainty: float


@dataclass(frozen=True, eq=False)
class GraphMatch:
    """The pairs in the order of the left graph, and what only one graph has, in its own."""

    pairs: tuple[NodePair, ...]
    only_left: tuple[str, ...]
    only_right: tuple[str, ...]

    @cached_property
    def by_left(self) -> Mapping[str, NodePair]:
        return {pair.left: pair for pair in self.pairs}

    @cached_property
    def by_right(self) -> Mapping[str, NodePair]:
        return {pair.right: pair for pair in self.pairs}

    @property
    def certainty(self) -> float | None:
        """The mean over all pairs; None without any."""
        return sum(p.certainty for p in self.pairs) / len(self.pairs) if self.pairs else None


def match_graphs(
    left: Graph, right: Graph, left_marks: Marks | None = None, right_marks: Marks | None = None
) -> GraphMatch:
    """Match the nodes of two graphs; each node is in one pair at most.

    ``left_marks`` and ``right_marks`` say what is known of nodes beyond the graph, by node id,
    such as a digest of a layer's weight: nodes with one and the same mark are the same.
    """
    numbers = Numbers()
    matching = _Matching(Structure(left, numbers), Structure(right, numbers))
    matching.run(left_marks or {}, right_marks or {})
    return matching.result()


class _Matching:
    """The pairs so far, by the places of the nodes."""

    def __init__(self, left: Structure, right: Structure) -> None:
        self.left, self.right = left, right
        self.partner: dict[int, int] = {}
        self.taken: dict[int, int] = {}
        self.said: dict[int, tuple[How, float]] = {}

    def run(self, left_marks: Marks, right_marks: Marks) -> None:
        if left_marks and right_marks:
            self._by_marks(left_marks, right_marks)
        self._by_structure((self.left.signatures, self.right.signatures), 1.0)
        self._by_structure((self.left.labels, self.right.labels), 0.8)
        self._by_names(None, 0.5)

    def _by_structure(self, own: tuple[list[int], list[int]], trust: float) -> None:
        """All steps with ``own`` as what a node is by itself."""
        if self._is_done():
            return
        above = self.left.above(own[0]), self.right.above(own[1])
        below = self.left.below(own[0]), self.right.below(own[1])
        whole = _zipped(above[0], below[0]), _zipped(above[1], below[1])
        views: tuple[View, ...] = (whole, above, below)
        for view in views:
            self._by_names(view, trust)
        for view in views:
            self._by_view(view, trust, most_alike=1)
        self._by_names(own, 0.9 * trust)
        for view in views:
            self._by_view(view, trust)
        self._nearby(own, trust)

    def _is_done(self) -> bool:
        """Whether no node of one of the graphs is left."""
        num_left, num_right = len(self.left.graph.nodes), len(self.right.graph.nodes)
        return len(self.partner) in (num_left, num_right)

    def _by_marks(self, left_marks: Marks, right_marks: Marks) -> None:
        marks = (
            [left_marks.get(node.id) for node in self.left.graph.nodes],
            [right_marks.get(node.id) for node in self.right.graph.nodes],
        )
        for a, b in self._groups(marks):
            if len(a) == len(b) == 1 and marks[0][a[0]] is not None:
                same_name = self._id(self.left, a[0]) == self._id(self.right, b[0])
                self._pair(a[0], b[0], "name" if same_name else "content", 1.0)

    def _by_names(self, view: View | None, certainty: float) -> None:
        """Nodes of one name that are alike in ``view``; None asks for the name only."""
        if self._is_done():
            return
        for a, node in enumerate(self.left.graph.nodes):
            b = self.right.places.get(node.id)
            if b is None or not self._is_free(a, b):
                continue
            if view is None or view[0][a] == view[1][b]:
                self._pair(a, b, "name", certainty)

    def _by_view(self, view: View, certainty: float, most_alike: int | None = None) -> None:
        """Nodes that are alike in ``view``, as many in the one graph as in the other."""
        if self._is_done():
            return
        for a, b in self._groups(view):
            if len(a) == len(b) and (most_alike is None or len(a) <= most_alike):
                for pair in zip(a, b, strict=True):
                    self._pair(*pair, "structure", certainty / len(a))

    def _nearby(self, own: tuple[list[int], list[int]], trust: float) -> None:
        for steps in _AROUND:
            if self._is_done():
                return
            view = self.left.around(own[0], steps), self.right.around(own[1], steps)
            self._by_view(view, 0.9 * trust, most_alike=1)
            self._along_edges(own, 0.8 * trust)

    def _along_edges(self, own: tuple[list[int], list[int]], certainty: float) -> None:
        """What is alike and hangs on the same place of a pair, and so on from there."""
        waiting = sorted(self.partner)
        for a in waiting:  # it grows while we walk
            b = self.partner[a]
            for edges in (_users, _sources):
                for one, other in self._same_ends(edges, a, b, own):
                    self._pair(one, other, "structure", certainty)
                    waiting.append(one)

    def _same_ends(
        self, edges: Callable[[Structure], Edges], a: int, b: int, own: tuple[list[int], list[int]]
    ) -> Iterator[tuple[int, int]]:
        left = self._free_ends(edges(self.left)[a], own[0], self.partner)
        right = self._free_ends(edges(self.right)[b], own[1], self.taken)
        for key, ends in left.items():
            others = right.get(key, [])
            if len(ends) == len(others) == 1 and self._is_free(ends[0], others[0]):
                yield ends[0], others[0]

    @staticmethod
    def _free_ends(
        edges: list[tuple[int, str, str]], own: list[int], done: Mapping[int, int]
    ) -> dict[Hashable, list[int]]:
        found: dict[Hashable, list[int]] = defaultdict(list)
        for end, output, port in edges:
            if end not in done:
                found[own[end], output, port].append(end)
        return found

    def _groups(self, view: View) -> Iterator[tuple[list[int], list[int]]]:
        """The free nodes of both graphs that are alike, in the order of the left graph."""
        left: dict[Hashable, list[int]] = defaultdict(list)
        right: dict[Hashable, list[int]] = defaultdict(list)
        for a, key in enumerate(view[0]):
            if a not in self.partner:
                left[key].append(a)
        for b, key in enumerate(view[1]):
            if b not in self.taken and key in left:
                right[key].append(b)
        yield from ((left[key], right[key]) for key in left if key in right)

    def _is_free(self, a: int, b: int) -> bool:
        return a not in self.partner and b not in self.taken

    def _pair(self, a: int, b: int, how: How, certainty: float) -> None:
        self.partner[a], self.taken[b], self.said[a] = b, a, (how, certainty)

    @staticmethod
    def _id(structure: Structure, place: int) -> str:
        return structure.graph.nodes[place].id

    def result(self) -> GraphMatch:
        pairs = tuple(
            NodePair(self._id(self.left, a), self._id(self.right, self.partner[a]), *self.said[a])
            for a in sorted(self.partner)
        )
        return GraphMatch(
            pairs,
            tuple(n.id for a, n in enumerate(self.left.graph.nodes) if a not in self.partner),
            tuple(n.id for b, n in enumerate(self.right.graph.nodes) if b not in self.taken),
        )


def _zipped(above: list[int], below: list[int]) -> list[tuple[int, int]]:
    return list(zip(above, below, strict=True))


def _users(structure: Structure) -> Edges:
    return structure.users


def _sources(structure: Structure) -> Edges:
    return structure.sources
