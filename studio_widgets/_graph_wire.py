"""What the graph view sends: an index of the model once, then each visible part as one buffer.

The readers are ``static/_graph_scene.js`` and ``static/_graph_overlay.js``.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

import numpy as np

from studio_core.graphs.groups import Group, GroupTree, group_tree
from studio_core.graphs.layout import VisibleGraph
from studio_core.graphs.records import Graph, GraphNode
from studio_widgets._node_kinds import KINDS, kind_of

MOST_LETTERS = 300
"""Longer names are shown cut; searching and selecting use the whole identifier."""


class NodesDocument(TypedDict):
    """Nodes, column by column.

    ``sub`` is the output in words, ``line`` what stands below the label in the box, ``group`` the
    number of the group around, -1 for none.
    """

    id: list[str]
    label: list[str]
    name: list[str]
    sub: list[str]
    line: list[str]
    kind: list[int]
    group: list[int]


class GroupsDocument(TypedDict):
    """Groups, each after the one around it; ``size`` counts all nodes inside."""

    id: list[str]
    name: list[str]
    parent: list[int]
    size: list[int]


class IndexDocument(TypedDict):
    """Everything that can be searched and selected."""

    graph: str
    node: NodesDocument
    group: GroupsDocument
    kinds: list[str]


@dataclass(frozen=True)
class GraphIndex:
    """Numbers of a graph's nodes and groups; a box is node ``i`` or group ``-1 - g``."""

    graph: Graph

    @cached_property
    def tree(self) -> GroupTree:
        return group_tree(self.graph)

    @cached_property
    def node_numbers(self) -> Mapping[str, int]:
        return {node.id: number for number, node in enumerate(self.graph.nodes)}

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The path of every group, a group before those inside it."""
        return tuple(group.id for group in self.tree.groups())

    @cached_property
    def group_numbers(self) -> Mapping[str, int]:
        return {path: number for number, path in enumerate(self.groups)}

    def around_node(self, node_id: str) -> tuple[str, ...]:
        """The groups to open for a node to be seen, outermost first."""
        return self.tree.around([self.node_numbers[node_id]])

    def around_group(self, path: str) -> tuple[str, ...]:
        """The groups to open for a group to be seen, outermost first."""
        outwards = [group.id for group in self.tree.by_id[path].outwards()]
        return tuple(reversed(outwards[1:-1]))

    def document(self) -> IndexDocument:
        groups = list(self.tree.groups())
        return IndexDocument(
            graph=shown(self.graph.id),
            node=self._nodes(),
            group=GroupsDocument(
                id=[group.id for group in groups],
                name=[shown(group.label) for group in groups],
                parent=[self._number(group.parent) for group in groups],
                size=[group.num_nodes for group in groups],
            ),
            kinds=[words for words, _ in KINDS],
        )

    def _nodes(self) -> NodesDocument:
        nodes = self.graph.nodes
        return NodesDocument(
            id=[node.id for node in nodes],
            label=[shown(node.label) for node in nodes],
            name=[shown(name_of(node)) for node in nodes],
            sub=[shown(output_of(node)) for node in nodes],
            line=[shown(second_line(node)) for node in nodes],
            kind=[kind_of(node.label) for node in nodes],
            group=[self._number(group) for group in self.tree.of_nodes],
        )

    def _number(self, group: Group | None) -> int:
        return -1 if group is None else self.group_numbers.get(group.id, -1)


def name_of(node: GraphNode) -> str:
    """What a person calls the node: its named location, else its identifier."""
    named = node.attribute("named_location")
    return named.value if named is not None and named.value else node.id


def output_of(node: GraphNode) -> str:
    """Shape and type of the first result, as far as they are known."""
    first = node.outputs[0].attributes if node.outputs else ()
    known = {a.key: a.value for a in (*node.attributes, *first)}
    shape = known.get("shape", "").strip("[]").replace(", ", "×")
    return " ".join(part for part in (shape, known.get("dtype", "")) if part)


def second_line(node: GraphNode) -> str:
    """What tells the node from others of its operation: the end of its name, else its output."""
    named = node.attribute("named_location")
    short = named.value.rstrip("/").rpartition("/")[2] if named is not None else ""
    return short or output_of(node)


def shown(text: str) -> str:
    """A text from a model, cut in the middle where it is too long to be shown."""
    if len(text) <= MOST_LETTERS:
        return text
    half = MOST_LETTERS // 2
    return f"{text[:half]}…{text[-half:]}"


def scene_buffer(visible: VisibleGraph, index: GraphIndex) -> bytes:
    """Boxes and lines as they are placed, as compressed little-endian arrays.

    A header of four uint32 (boxes, lines, points, bytes of labels), then by box: reference,
    number of the parent box or -1, flags (1: open), x, y, width, height; by line: source,
    target, 2 × count + (crosses groups), number of its label, then where its points begin; the
    points; the labels as JSON.
    """
    boxes, lines = visible.boxes, visible.lines
    references = [
        -1 - index.group_numbers[box.id] if box.kind == "group" else index.node_numbers[box.id]
        for box in boxes
    ]
    labels: dict[str, int] = {}
    numbers = [labels.setdefault(shown(line.label), len(labels)) for line in lines]
    lengths = np.cumsum([0, *(len(line.points) for line in lines)])
    points = [point for line in lines for point in line.points]
    text = _padded(json.dumps(list(labels), ensure_ascii=False).encode("utf-8", "replace"))
    parts = [
        struct.pack("<4I", len(boxes), len(lines), len(points), len(text)),
        _array(references, "<i4"),
        _array([-1 if box.parent is None else box.parent for box in boxes], "<i4"),
        _array([int(box.is_open) for box in boxes], "<u4"),
        _array([(box.x, box.y, box.width, box.height) for box in boxes], "<f4"),
        _array([line.source for line in lines], "<u4"),
        _array([line.target for line in lines], "<u4"),
        _array([2 * line.count + line.crosses_groups for line in lines], "<u4"),
        _array(numbers, "<u4"),
        _array(lengths, "<u4"),
        _array(points, "<f4"),
        text,
    ]
    return zlib.compress(b"".join(parts), level=1)


def _array(values: Sequence[object] | np.ndarray, kind: str) -> bytes:
    array: np.ndarray = np.asarray(values, dtype=kind)
    return array.tobytes()


def _padded(text: bytes) -> bytes:
    """Filled up with spaces, which JSON passes over."""
    return text + b" " * (-len(text) % 4)
