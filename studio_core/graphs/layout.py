"""`visible_graph`: what is seen of a graph with some groups open, each thing in its place."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from studio_core.graphs.bulk import without_collection
from studio_core.graphs.groups import Group, GroupTree, group_tree
from studio_core.graphs.layering import Edge
from studio_core.graphs.placing import Placement, Point, Way, placed
from studio_core.graphs.records import Graph, GraphNode
from studio_core.graphs.visible import HEADER_HEIGHT, Box, BoxKind, Line, VisibleGraph

__all__ = ["HEADER_HEIGHT", "Box", "Line", "VisibleGraph", "visible_graph"]

PADDING = 16.0
NODE_HEIGHT = 42.0
GROUP_HEIGHT = 44.0
_CHARACTER = 7.6
_NARROWEST, _WIDEST = 132.0, 260.0
_SHAPE = re.compile(r"\[([^\[\]]{0,80})\]")


def visible_graph(graph: Graph, open_groups: Collection[str] = ()) -> VisibleGraph:
    """Boxes and lines of ``graph`` with the groups (namespaces) ``open_groups`` open.

    Groups that do not exist are passed over, so that a set of open groups may outlive an edit.
    The same graph and groups give the same places. Edges with the same visible ends are one
    line; those within a closed group are not seen.
    """
    with without_collection():
        scene = _Scene(graph, group_tree(graph), frozenset(open_groups))
        flows = _flows(graph, scene.seen_as)
        for a, b in flows:
            scene.connect(a, b)
        return scene.drawn(flows)


@dataclass(slots=True, eq=False)
class _Thing:
    """A box while its place is sought; the root is one that is not drawn."""

    id: str
    label: str
    kind: BoxKind
    number: int
    parent: _Thing | None
    place: int = 0
    """Its place among the things in its parent."""
    num_nodes: int = 1
    is_open: bool = False
    is_pinned: bool = False
    width: float = 0.0
    height: float = 0.0
    inside: list[_Thing] = field(default_factory=list)
    edges: dict[Edge, None] = field(default_factory=dict)
    entered: dict[int, None] = field(default_factory=dict)
    left: dict[int, None] = field(default_factory=dict)
    placement: Placement | None = None
    x: float = 0.0
    y: float = 0.0

    @property
    def depth(self) -> int:
        return 0 if self.parent is None else self.parent.depth + 1

    def add(self, thing: _Thing) -> None:
        thing.place = len(self.inside)
        self.inside.append(thing)


@dataclass(slots=True)
class _Flow:
    """The edges of the graph between two boxes: how many, and the shape where they agree."""

    count: int
    shape: str


class _Scene:
    """The visible things of a graph as a tree, in which each open group is laid out by itself."""

    def __init__(self, graph: Graph, tree: GroupTree, open_groups: frozenset[str]) -> None:
        self.graph = graph
        self.root = _Thing("", "", "group", -1, None, is_open=True)
        self.things: list[_Thing] = []
        shown: dict[int, _Thing] = {}
        self._unfold(tree.root, self.root, open_groups, shown)
        closed = {thing.id: thing for thing in self.things if thing.kind == "group"}
        self.seen_as: list[_Thing] = [
            shown.get(place) or _closed_around(group, closed)
            for place, group in enumerate(tree.of_nodes)
        ]

    def _unfold(
        self, root: Group, into: _Thing, open_groups: frozenset[str], shown: dict[int, _Thing]
    ) -> None:
        """Make a thing for all that is seen, each open group before what it holds."""
        waiting: list[tuple[Group | int, _Thing]] = [(root, into)]
        while waiting:
            item, parent = waiting.pop()
            if isinstance(item, int):
                shown[item] = self._add_node(item, parent)
            elif item.parent is None:
                waiting.extend((i, into) for i in reversed(_content(item)))
            else:
                thing = self._add_group(item, parent, is_open=item.id in open_groups)
                if thing.is_open:
                    waiting.extend((i, thing) for i in reversed(_content(item)))

    def _add_node(self, place: int, parent: _Thing) -> _Thing:
        node = self.graph.nodes[place]
        thing = _Thing(node.id, node.label, "node", len(self.things), parent)
        thing.is_pinned = node.pinned
        thing.width, thing.height = _text_width(node.label), NODE_HEIGHT
        return self._add(thing, parent)

    def _add_group(self, group: Group, parent: _Thing, *, is_open: bool) -> _Thing:
        thing = _Thing(group.id, group.label, "group", len(self.things), parent)
        thing.num_nodes, thing.is_open = group.num_nodes, is_open
        thing.width, thing.height = _text_width(group.label) + 24, GROUP_HEIGHT
        return self._add(thing, parent)

    def _add(self, thing: _Thing, parent: _Thing) -> _Thing:
        parent.add(thing)
        self.things.append(thing)
        return thing

    def connect(self, a: int, b: int) -> None:
        """Note what the flow from thing ``a`` to thing ``b`` asks of the groups it passes."""
        up, down = self._meeting(a, b)
        for thing in up[:-1]:
            _parent(thing).left[thing.place] = None
        for thing in down[:-1]:
            _parent(thing).entered[thing.place] = None
        _parent(up[-1]).edges[up[-1].place, down[-1].place] = None

    def _meeting(self, a: int, b: int) -> tuple[list[_Thing], list[_Thing]]:
        """The things from ``a`` and from ``b`` outwards, up to those that stand side by side."""
        up, down = [self.things[a]], [self.things[b]]
        outer = _around(up[0])
        while id(down[-1].parent) not in outer:
            down.append(_parent(down[-1]))
        while up[-1].parent is not down[-1].parent:
            up.append(_parent(up[-1]))
        return up, down

    def drawn(self, flows: dict[Edge, _Flow]) -> VisibleGraph:
        for thing in reversed(self.things):
            if thing.is_open:
                _arrange(thing)
        _arrange(self.root)
        for thing in [self.root, *self.things]:
            _spread(thing)
        boxes = tuple(_box(thing) for thing in self.things)
        lines = tuple(self._line(edge, flow) for edge, flow in flows.items())
        opened = tuple(box.id for box in boxes if box.is_open)
        return VisibleGraph(boxes, lines, self.root.width, self.root.height, opened)

    def _line(self, edge: Edge, flow: _Flow) -> Line:
        up, down = self._meeting(*edge)
        source, target = up[0], down[0]
        passed = [(_parent(thing), _placement(thing).exits[thing.place]) for thing in up[:-1]]
        way = _placement(up[-1]).ways[up[-1].place, down[-1].place]
        passed.append((_parent(up[-1]), way))
        for thing in reversed(down[:-1]):
            passed.append((_parent(thing), _placement(thing).entries[thing.place]))
        points = _joined(source, passed, target)
        rounded = ((round(x, 1), round(y, 1)) for x, y in points)
        crosses = len(up) > 1 or len(down) > 1
        return Line(*edge, tuple(dict.fromkeys(rounded)), flow.count, flow.shape, crosses)


def _content(group: Group) -> list[Group | int]:
    """Groups and nodes directly in a group, in the order of the graph."""
    items: list[tuple[int, Group | int]] = [(inner.first, inner) for inner in group.groups]
    items += [(place, place) for place in group.nodes]
    return [item for _, item in sorted(items, key=lambda pair: pair[0])]


def _closed_around(group: Group, things: dict[str, _Thing]) -> _Thing:
    """The closed group that is seen in place of what is in ``group``."""
    return next(things[outer.id] for outer in group.outwards() if outer.id in things)


def _around(thing: _Thing) -> set[int]:
    found = set()
    outer = thing.parent
    while outer is not None:
        found.add(id(outer))
        outer = outer.parent
    return found


def _parent(thing: _Thing) -> _Thing:
    assert thing.parent is not None  # only the root has none, and no edge ends there
    return thing.parent


def _placement(thing: _Thing) -> Placement:
    placement = _parent(thing).placement
    assert placement is not None  # every open group was arranged before
    return placement


def _flows(graph: Graph, seen_as: Sequence[_Thing]) -> dict[Edge, _Flow]:
    """The edges of the graph by the boxes at their ends, those within one box left out."""
    place_of = {node.id: place for place, node in enumerate(graph.nodes)}
    flows: dict[Edge, _Flow] = {}
    for place, node in enumerate(graph.nodes):
        target = seen_as[place].number
        for edge in node.incoming:
            found = place_of.get(edge.source)
            if found is None:
                continue
            source = seen_as[found].number
            if source == target:
                continue
            shape = _shape(graph.nodes[found], edge.source_output)
            flow = flows.get((source, target))
            if flow is None:
                flows[source, target] = _Flow(1, shape)
            else:
                flow.count += 1
                flow.shape = shape if flow.shape == shape else ""
    return flows


def _shape(node: GraphNode, output: str) -> str:
    """``[1, 64]`` as ``1×64``; empty where the shape of the output is not known."""
    for port in node.outputs:
        if port.id == output:
            for attribute in port.attributes:
                if attribute.key == "shape":
                    found = _SHAPE.fullmatch(attribute.value)
                    return "×".join(p.strip() for p in found[1].split(",")) if found else ""
    return ""


def _text_width(label: str) -> float:
    return min(max(len(label) * _CHARACTER + 20, _NARROWEST), _WIDEST)


def _arrange(thing: _Thing) -> None:
    """Lay out the inside of an open group, of which all that is inside has its size."""
    placement = placed(
        [(inner.width, inner.height) for inner in thing.inside],
        list(thing.edges),
        first=[inner.place for inner in thing.inside if inner.is_pinned],
        entered=list(thing.entered),
        left=list(thing.left),
    )
    header = HEADER_HEIGHT if thing.parent is not None else 0.0
    thing.width = max(placement.width + 2 * PADDING, thing.width)
    thing.height = header + placement.height + 2 * PADDING
    thing.placement = placement


def _origin(thing: _Thing) -> Point:
    """The top left corner of the inside of an open group, which stands in its middle."""
    assert thing.placement is not None
    header = HEADER_HEIGHT if thing.parent is not None else 0.0
    return thing.x + (thing.width - thing.placement.width) / 2, thing.y + header + PADDING


def _spread(thing: _Thing) -> None:
    """Give all directly in an open group its place in the drawing."""
    if thing.placement is None:
        return
    x, y = _origin(thing)
    for inner, (left, top) in zip(thing.inside, thing.placement.corners, strict=True):
        inner.x, inner.y = x + left, y + top


def _joined(source: _Thing, passed: Sequence[tuple[_Thing, Way]], target: _Thing) -> list[Point]:
    """The whole way of a line through the groups it passes, borders crossed straight down."""
    points = [(source.x + source.width / 2, source.y + source.height)]
    end = target.x + target.width / 2
    meeting = next(i for i, (group, _) in enumerate(passed) if group.depth == _least_depth(passed))
    for number, (group, way) in enumerate(passed):
        left, top = _origin(group)
        if number > meeting:
            points.append((left + way.points[0][0], group.y))
        if way.down is not None:
            points.append((points[-1][0], top + way.down))
        points += [(left + x, top + y) for x, y in way.points]
        if way.up is not None:
            inner = passed[number + 1 : number + 2] if number >= meeting else []
            x = _origin(inner[0][0])[0] + inner[0][1].points[0][0] if inner else end
            points.append((x, top + way.up))
        if number < meeting:
            points.append((points[-1][0], group.y + group.height))
    points.append((end, target.y))
    return points


def _least_depth(passed: Sequence[tuple[_Thing, Way]]) -> int:
    return min(group.depth for group, _ in passed)


def _box(thing: _Thing) -> Box:
    parent = _parent(thing)
    return Box(
        thing.id,
        thing.label,
        thing.kind,
        round(thing.x, 1),
        round(thing.y, 1),
        round(thing.width, 1),
        round(thing.height, 1),
        thing.depth - 1,
        thing.num_nodes,
        parent.number if parent.parent is not None else None,
        thing.is_open,
    )
