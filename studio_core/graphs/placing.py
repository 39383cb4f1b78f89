"""Places inside one group: `placed` gives boxes their coordinates and edges their way.

Layers and order come from layering.py. Sideways each layer is laid as near to its neighbours as
the order and the distances allow, which is an isotonic regression and solved exactly by pooling
adjacent violators (Ayer and others 1955).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from studio_core.graphs.layering import Edge, Layering, layered

Point = tuple[float, float]

NODE_GAP = 18.0
LAYER_GAP = 34.0
EDGE_GAP = 9.0
LANE_GAP = 7.0
_PORT_GAP = 18.0
_MOST_LANES = 24
_PASSES = 4
_MANY_VERTICES = 4000


@dataclass(frozen=True, slots=True)
class Way:
    """What an edge passes between two boxes, or a box and the border.

    From its source straight down to ``down``, through ``points``, and from the height ``up``
    straight down to its target; None where it need not.
    """

    points: list[Point]
    down: float | None = None
    up: float | None = None


@dataclass(frozen=True)
class Placement:
    """Where everything is, from the top left corner of the group's inside.

    ``corners`` are the top left corners of the boxes; ``ways`` those from box to box, ``entries``
    those from the upper border to a box, ``exits`` those from a box to the lower border; the
    border's point is the first or the last of their points.
    """

    width: float
    height: float
    corners: list[Point]
    ways: dict[Edge, Way] = field(default_factory=dict)
    entries: dict[int, Way] = field(default_factory=dict)
    exits: dict[int, Way] = field(default_factory=dict)


@dataclass(frozen=True)
class _Rows:
    """Upper and lower border of each layer, and the layer of each vertex."""

    tops: list[float]
    bottoms: list[float]
    of: dict[int, int]


def placed(
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[Edge],
    *,
    first: Sequence[int] = (),
    entered: Sequence[int] = (),
    left: Sequence[int] = (),
) -> Placement:
    """Places for boxes of ``sizes`` (width, height), joined by ``edges``.

    ``first`` stand above the rest. ``entered`` are the boxes that something outside the group
    flows into, ``left`` those from which something flows out.
    """
    if not sizes:
        return Placement(0.0, 0.0, [])
    num = len(sizes)
    entry_ports = {num + i: box for i, box in enumerate(entered)}
    exit_ports = {num + len(entered) + i: box for i, box in enumerate(left)}
    ways_in = list(entry_ports.items())
    ways_out = [(box, port) for port, box in exit_ports.items()]
    layering = layered(
        num + len(entry_ports) + len(exit_ports),
        [*edges, *ways_in, *ways_out],
        first=first,
        top=entry_ports,
        bottom=exit_ports,
    )
    _drop_idle_ports(layering, num)
    return _Drawing(sizes, layering).placement(edges, ways_in, ways_out)


def _drop_idle_ports(layering: Layering, num_boxes: int) -> None:
    """Ports whose edge runs beside the layers need no place among them."""
    num_all = len(layering.chains) + len(layering.beside)
    if not num_all:
        return
    used = {vertex for edge in layering.chains for vertex in edge}
    ports = {vertex for edge in layering.beside for vertex in edge if vertex >= num_boxes} - used
    for layer in layering.layers:
        if ports and any(vertex in ports for vertex in layer):
            layer[:] = [vertex for vertex in layer if vertex not in ports]


class _Drawing:
    """The coordinates of one group while they are found."""

    def __init__(self, sizes: Sequence[tuple[float, float]], layering: Layering) -> None:
        self.sizes = sizes
        self.layering = layering
        self.rows = _rows(sizes, layering.layers)
        self.centers = _centers(sizes, layering)
        left = min((x - self._width(v) / 2 for v, x in self.centers.items()), default=0.0)
        self.centers = {v: x - left for v, x in self.centers.items()}
        self.right = max((x + self._width(v) / 2 for v, x in self.centers.items()), default=0.0)

    def _width(self, vertex: int) -> float:
        return self.sizes[vertex][0] if vertex < len(self.sizes) else 0.0

    def placement(
        self, edges: Sequence[Edge], ways_in: Sequence[Edge], ways_out: Sequence[Edge]
    ) -> Placement:
        beside = set(self.layering.beside)
        lanes = _lanes([edge for edge in edges if edge in beside], self.rows.of)
        if any(edge in beside for edge in ways_in):
            self._shift(2 * LANE_GAP)
        num_lanes = max(lanes.values(), default=-1) + 1
        lane_x = [self.right + LANE_GAP * (lane + 2) for lane in range(num_lanes)]
        width = self.right + LANE_GAP * (num_lanes + 2 if num_lanes else 0)
        bus_x = width + LANE_GAP
        height = self.rows.bottoms[-1] if self.rows.bottoms else 0.0
        ways = {
            edge: self._beside(edge, lane_x[lanes[edge[0]]]) if edge in beside else self._way(edge)
            for edge in edges
        }
        entries = {
            box: self._bus_in(box) if (port, box) in beside else self._way_in(port, box)
            for port, box in ways_in
        }
        exits = {
            box: (
                self._bus_out(box, bus_x, height)
                if (box, port) in beside
                else self._way_out(box, port, height)
            )
            for box, port in ways_out
        }
        if any(edge in beside for edge in ways_out):
            width = bus_x + LANE_GAP
        corners = [
            (self.centers[v] - w / 2, self.rows.tops[self.rows.of[v]])
            for v, (w, _) in enumerate(self.sizes)
        ]
        return Placement(width, height, corners, ways, entries, exits)

    def _shift(self, by: float) -> None:
        self.centers = {v: x + by for v, x in self.centers.items()}
        self.right += by

    def _way(self, edge: Edge) -> Way:
        points: list[Point] = []
        for dummy in self.layering.chains[edge]:
            row, x = self.rows.of[dummy], self.centers[dummy]
            points.append((x, self.rows.tops[row]))
            if self.rows.bottoms[row] - self.rows.tops[row] > 1:
                points.append((x, self.rows.bottoms[row]))
        return Way(points, self._past_higher_boxes(edge[0]))

    def _past_higher_boxes(self, vertex: int) -> float | None:
        if vertex >= len(self.sizes):
            return None
        row = self.rows.of[vertex]
        lower = self.rows.tops[row] + self.sizes[vertex][1]
        return self.rows.bottoms[row] if self.rows.bottoms[row] - lower > 1 else None

    def _way_in(self, port: int, box: int) -> Way:
        return Way([(self.centers[port], 0.0), *self._way((port, box)).points])

    def _way_out(self, box: int, port: int, height: float) -> Way:
        way = self._way((box, port))
        return Way([*way.points, (self.centers[port], height)], way.down)

    def _beside(self, edge: Edge, lane_x: float) -> Way:
        below, above = self._below(edge[0]), self._above(edge[1])
        return Way([(lane_x, below), (lane_x, above)], below, above)

    def _bus_in(self, box: int) -> Way:
        above = self._above(box)
        return Way([(LANE_GAP, 0.0), (LANE_GAP, above)], None, above)

    def _bus_out(self, box: int, bus_x: float, height: float) -> Way:
        below = self._below(box)
        return Way([(bus_x, below), (bus_x, height)], below)

    def _below(self, box: int) -> float:
        return self.rows.bottoms[self.rows.of[box]] + EDGE_GAP

    def _above(self, box: int) -> float:
        return self.rows.tops[self.rows.of[box]] - EDGE_GAP


def _rows(sizes: Sequence[tuple[float, float]], layers: list[list[int]]) -> _Rows:
    tops: list[float] = []
    bottoms: list[float] = []
    of: dict[int, int] = {}
    y = 0.0
    for number, layer in enumerate(layers):
        height = max((sizes[v][1] for v in layer if v < len(sizes)), default=0.0)
        if number:
            y += LAYER_GAP if height and bottoms[-1] > tops[-1] else _PORT_GAP
        tops.append(y)
        y += height
        bottoms.append(y)
        of.update(dict.fromkeys(layer, number))
    return _Rows(tops, bottoms, of)


def _lanes(edges: Sequence[Edge], row_of: Mapping[int, int]) -> dict[int, int]:
    """A lane for each source of ``edges``; sources that overlap share one only if lanes run out."""
    spans: dict[int, tuple[int, int]] = {}
    for source, target in edges:
        ends = (row_of[source], row_of[target], *spans.get(source, ()))
        spans[source] = (min(ends), max(ends))
    lanes: dict[int, int] = {}
    free_from: list[int] = []
    for source, (low, high) in sorted(spans.items(), key=lambda item: (item[1], item[0])):
        lane = next((i for i, row in enumerate(free_from) if row < low), len(free_from))
        if lane == _MOST_LANES:
            lane = min(range(_MOST_LANES), key=free_from.__getitem__)
        if lane == len(free_from):
            free_from.append(high)
        free_from[lane] = max(free_from[lane], high)
        lanes[source] = lane
    return lanes


def _centers(sizes: Sequence[tuple[float, float]], layering: Layering) -> dict[int, float]:
    """The middle of each vertex, from left to right without overlap in each layer."""
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    num_boxes = len(sizes)
    for (a, b), dummies in layering.chains.items():
        path = [a, *dummies, b]
        # What comes from the border follows its box, and never draws it out of its line.
        to_border = max(a, b) >= num_boxes
        for upper, lower in pairwise(path):
            if not (to_border and lower < num_boxes):
                above.setdefault(lower, []).append(upper)
            if not (to_border and upper < num_boxes):
                below.setdefault(upper, []).append(lower)
    layers = [layer for layer in layering.layers if layer]
    offsets = [_offsets(sizes, layer) for layer in layers]
    centers: dict[int, float] = {}
    for layer, offset in zip(layers, offsets, strict=True):
        centers.update(zip(layer, (o - offset[-1] / 2 for o in offset), strict=True))
    passes = _PASSES if sum(map(len, layers)) < _MANY_VERTICES else 2
    for number in range(passes):
        down = number % 2 == 0
        around = above if down else below
        numbers = range(len(layers)) if down else range(len(layers) - 1, -1, -1)
        for i in numbers:
            _settle(layers[i], offsets[i], around, centers, num_boxes)
    return centers


def _offsets(sizes: Sequence[tuple[float, float]], layer: Sequence[int]) -> list[float]:
    """The least distance of each vertex' middle from that of the first in its layer."""
    offsets = [0.0]
    for left, right in pairwise(layer):
        widths = [sizes[v][0] if v < len(sizes) else 0.0 for v in (left, right)]
        gap = NODE_GAP if all(widths) else EDGE_GAP
        offsets.append(offsets[-1] + sum(widths) / 2 + gap)
    return offsets


def _settle(
    layer: Sequence[int],
    offsets: Sequence[float],
    around: Mapping[int, list[int]],
    centers: dict[int, float],
    num_boxes: int,
) -> None:
    """Move the vertices of a layer towards the mean of their neighbours, least squares."""
    blocks: list[tuple[float, float, int]] = []  # weighted sum, weight, number of vertices
    for vertex, offset in zip(layer, offsets, strict=True):
        near = around.get(vertex)
        wanted = sum([centers[v] for v in near]) / len(near) if near else centers[vertex]
        # Straight lines through several layers are worth more than a box right under another.
        weight = (1.0 if vertex < num_boxes else 4.0) if near else 0.1
        block = (weight * (wanted - offset), weight, 1)
        while blocks and blocks[-1][0] / blocks[-1][1] >= block[0] / block[1]:
            total, weights, count = blocks.pop()
            block = (total + block[0], weights + block[1], count + block[2])
        blocks.append(block)
    place = 0
    for total, weight, count in blocks:
        for vertex in layer[place : place + count]:
            centers[vertex] = total / weight + offsets[place]
            place += 1
