"""What of a graph is drawn, and where: boxes and lines, ready for a screen.

`visible_graph` (layout.py) makes these records; a widget draws them as they are. Lengths are in
pixels at zoom 1, x to the right and y downwards from the top left corner, which is (0, 0).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

BoxKind = Literal["group", "node"]

HEADER_HEIGHT = 26.0
"""Height of the strip at the top of an open group, which holds its label."""


@dataclass(frozen=True, slots=True)
class Box:
    """A node, a closed group, or an open group that encloses the boxes inside it.

    ``id`` is the node's id or the group's namespace; ``(kind, id)`` is unique, ``id`` alone need
    not be. ``label`` is the node's label or the last part of the namespace. The box spans
    ``width`` × ``height`` from its top left corner (``x``, ``y``). ``depth`` counts the open groups
    around it, ``parent`` is the number in `VisibleGraph.boxes` of the innermost one, None at
    the top. ``num_nodes`` counts the nodes in a group, those of its groups included; 1 for a node.
    """

    id: str
    label: str
    kind: BoxKind
    x: float
    y: float
    width: float
    height: float
    depth: int
    num_nodes: int
    parent: int | None = None
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """What flows from one box to another: ``count`` edges of the graph drawn as one.

    ``source`` and ``target`` are numbers in `VisibleGraph.boxes`, of nodes or closed groups.
    ``points`` (at least two) lead from the lower border of the source to the upper border of the
    target; a smooth curve or straight pieces through them cross no box of the same group.
    ``label`` is the shape that flows, such as ``1×64×56×56``; empty where the edges differ or it
    is unknown. ``crosses_groups`` is true where it leaves or enters an open group: there can be
    many of these, so draw them faint until one of their ends is selected.
    """

    source: int
    target: int
    points: tuple[tuple[float, float], ...]
    count: int = 1
    label: str = ""
    crosses_groups: bool = False


@dataclass(frozen=True)
class VisibleGraph:
    """All that is drawn: ``boxes`` with each open group before what it holds, and ``lines``.

    ``open_groups`` are those of the asked ones that exist and stand open, in the order of their
    boxes: a group in a closed group is not among them.
    """

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: float
    height: float
    open_groups: tuple[str, ...] = ()

    @cached_property
    def numbers(self) -> Mapping[tuple[BoxKind, str], int]:
        """The number of each box by kind and id."""
        return {(box.kind, box.id): number for number, box in enumerate(self.boxes)}
