"""Layers of a drawing: who stands above whom, and in which order side by side.

The method is that of Sugiyama: layers by longest paths, long edges through dummies, the order
in each layer by barycentres (Sugiyama, Tagawa, Toda 1981). Vertices are numbers from 0.
Time is linear in the drawing but for sorting; the same input gives the same result.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

Edge = tuple[int, int]

_LONGEST_SPAN = 12
"""Edges over more layers run beside the drawing, where they need no dummies."""
_SHORT_SPAN = 3
"""The same for edges from and to the border, and from a vertex with many of them."""
_MANY_EDGES = 6
_SWEEPS = 6
_MANY_VERTICES = 4000


@dataclass(frozen=True)
class Layering:
    """Layers of vertices from left to right, those from ``num_vertices`` on being dummies.

    ``chains`` gives for each edge drawn through the layers its dummies from top to bottom;
    ``beside`` are the edges that run beside them: very long ones, and those that go up.
    """

    layers: list[list[int]]
    chains: dict[Edge, list[int]]
    beside: list[Edge]


def layered(
    num_vertices: int,
    edges: Sequence[Edge],
    *,
    first: Collection[int] = (),
    top: Collection[int] = (),
    bottom: Collection[int] = (),
) -> Layering:
    """Layers and order for vertices 0 … ``num_vertices`` - 1 and ``edges`` (source, target).

    ``top`` and ``bottom`` are vertices of which the first and the last layer are made, where there
    are any; ``first`` are those that stand above all the rest.
    """
    ranks = _ranks(num_vertices, edges, frozenset(first), frozenset(top), frozenset(bottom))
    span = _affordable_span(num_vertices, [ranks[b] - ranks[a] for a, b in edges])
    num_out = Counter(a for a, _ in edges)
    borders = {*top, *bottom}
    layers: list[list[int]] = [[] for _ in range(max(ranks, default=-1) + 1)]
    for vertex in range(num_vertices):
        layers[ranks[vertex]].append(vertex)
    chains: dict[Edge, list[int]] = {}
    beside: list[Edge] = []
    dummy = num_vertices
    for a, b in edges:
        length = ranks[b] - ranks[a]
        is_one_of_many = a in borders or b in borders or num_out[a] > _MANY_EDGES
        if not 1 <= length <= (min(span, _SHORT_SPAN) if is_one_of_many else span):
            beside.append((a, b))
            continue
        chains[a, b] = list(range(dummy, dummy + length - 1))
        for step in range(1, length):
            layers[ranks[a] + step].append(dummy)
            dummy += 1
    return Layering(_ordered(layers, chains, dummy), chains, beside)


def _affordable_span(num_vertices: int, lengths: Iterable[int]) -> int:
    """The longest span whose dummies stay in proportion to the drawing."""
    counts = [0] * (_LONGEST_SPAN + 1)
    for length in lengths:
        if 1 <= length <= _LONGEST_SPAN:
            counts[length] += length - 1
    budget, span = 4 * num_vertices + 1000, 1
    while span < _LONGEST_SPAN and sum(counts[: span + 2]) <= budget:
        span += 1
    return span


def _ranks(
    num_vertices: int,
    edges: Sequence[Edge],
    first: frozenset[int],
    top: frozenset[int],
    bottom: frozenset[int],
) -> list[int]:
    before: list[list[int]] = [[] for _ in range(num_vertices)]
    after: list[list[int]] = [[] for _ in range(num_vertices)]
    for a, b in edges:
        if b not in first:
            before[b].append(a)
            after[a].append(b)
    order, back = _topological(before, after)
    low = int(bool(top))
    ranks = [low] * num_vertices
    lifted = low + bool(first)
    for vertex in order:
        if vertex in top or vertex in first:
            ranks[vertex] = 0 if vertex in top else low
            continue
        above = [ranks[v] + 1 for v in before[vertex] if (v, vertex) not in back]
        ranks[vertex] = max([lifted, *above])
    _pull_down(order, before, after, back, ranks, fixed=first | top, ignored=bottom)
    last = max((ranks[v] for v in range(num_vertices) if v not in bottom), default=-1) + 1
    for vertex in bottom:
        ranks[vertex] = last
    return ranks


def _topological(before: list[list[int]], after: list[list[int]]) -> tuple[list[int], set[Edge]]:
    """An order with each vertex after those before it, and the edges of cycles left out for it."""
    missing = [len(b) for b in before]
    done = [False] * len(before)
    order: list[int] = []
    back: set[Edge] = set()
    ready = [v for v in range(len(before) - 1, -1, -1) if not missing[v]]
    next_stuck = 0
    while len(order) < len(before):
        if not ready:
            # A cycle: it is cut at the vertex that comes first in the graph.
            while done[next_stuck]:
                next_stuck += 1
            ready.append(next_stuck)
            back.update((a, next_stuck) for a in before[next_stuck] if not done[a])
        vertex = ready.pop()
        if done[vertex]:
            continue
        done[vertex] = True
        order.append(vertex)
        for target in after[vertex]:
            missing[target] -= 1
            if not missing[target] and not done[target]:
                ready.append(target)
    return order, back


def _pull_down(
    order: list[int],
    before: list[list[int]],
    after: list[list[int]],
    back: set[Edge],
    ranks: list[int],
    *,
    fixed: frozenset[int],
    ignored: frozenset[int],
) -> None:
    """Bring constants, and what is computed from them alone, down to where they are used."""
    for vertex in reversed(order):
        targets = (v for v in after[vertex] if v not in ignored and (vertex, v) not in back)
        below = [ranks[v] for v in targets]
        if below and vertex not in fixed and len(before[vertex]) <= len(below):
            ranks[vertex] = max(ranks[vertex], min(below) - 1)


def _ordered(
    layers: list[list[int]], chains: dict[Edge, list[int]], num_all: int
) -> list[list[int]]:
    """Each layer sorted by barycentres, sweeping down and up; the best order seen is kept."""
    above: list[list[int]] = [[] for _ in range(num_all)]
    below: list[list[int]] = [[] for _ in range(num_all)]
    for (a, b), dummies in chains.items():
        path = [a, *dummies, b]
        for upper, lower in pairwise(path):
            above[lower].append(upper)
            below[upper].append(lower)
    places = [0.0] * num_all
    for layer in layers:
        for place, vertex in enumerate(layer):
            places[vertex] = place
    best, fewest = layers, _crossings(layers, below, places)
    for sweep in range(_SWEEPS if num_all < _MANY_VERTICES else 2):
        if not fewest:
            break
        neighbours = above if sweep % 2 == 0 else below
        layers = _sweep(layers, neighbours, places, upwards=bool(sweep % 2))
        crossings = _crossings(layers, below, places)
        if crossings < fewest:
            best, fewest = layers, crossings
    return best


def _sweep(
    layers: list[list[int]], neighbours: list[list[int]], places: list[float], *, upwards: bool
) -> list[list[int]]:
    result = list(layers)
    numbers = range(len(layers) - 1, -1, -1) if upwards else range(len(layers))
    for number in numbers:
        keys = {}
        for vertex in layers[number]:
            around = neighbours[vertex]
            # Whoever has no neighbour there keeps its place.
            keys[vertex] = (
                sum(places[v] for v in around) / len(around) if around else places[vertex]
            )
        result[number] = sorted(layers[number], key=keys.__getitem__)
        for place, vertex in enumerate(result[number]):
            places[vertex] = place
    return result


def _crossings(layers: list[list[int]], below: list[list[int]], places: list[float]) -> int:
    """How many pairs of edges cross between neighbouring layers."""
    crossings = 0
    for layer in layers:
        if len(layer) < 2:
            continue
        seen: list[float] = []
        for vertex in layer:
            targets = sorted(places[v] for v in below[vertex])
            crossings += sum(len(seen) - bisect_right(seen, target) for target in targets)
            for target in targets:
                insort(seen, target)
    return crossings
