"""The groups of a graph as a tree: `group_tree`, computed once for each graph.

A namespace ``a/b`` is the group ``b`` in the group ``a``. A group that holds one node in all is no
group: its node stands in the group around it, as in Model Explorer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from weakref import WeakKeyDictionary

from studio_core.graphs.records import Graph

MAX_DEPTH = 40
"""Groups below this depth are not told apart: no model nests so deep, but a hostile file may."""


@dataclass(slots=True, eq=False)
class Group:
    """A group; ``id`` is its namespace, the root's is empty.

    ``nodes`` are places in `Graph.nodes` of the nodes directly in it, ``groups`` the groups
    directly in it, both in the order of the graph; ``num_nodes`` counts those inside groups too.
    """

    id: str
    label: str
    parent: Group | None
    depth: int
    groups: list[Group] = field(default_factory=list)
    nodes: list[int] = field(default_factory=list)
    num_nodes: int = 0
    first: int = 0
    """The place of its first node in the graph."""

    def outwards(self) -> Iterator[Group]:
        """This group and those around it, the root last."""
        group: Group | None = self
        while group is not None:
            yield group
            group = group.parent


@dataclass(frozen=True, eq=False)
class GroupTree:
    """All groups, and for each node of the graph the group that it stands in."""

    root: Group
    of_nodes: list[Group]

    def groups(self) -> Iterator[Group]:
        """All groups without the root, each before those in it, in the order of the graph."""
        waiting = list(reversed(self.root.groups))
        while waiting:
            group = waiting.pop()
            yield group
            waiting.extend(reversed(group.groups))

    @cached_property
    def by_id(self) -> Mapping[str, Group]:
        return {group.id: group for group in self.groups()}

    def around(self, places: Iterable[int]) -> tuple[str, ...]:
        """The groups to open for the nodes at ``places`` to be seen, the outermost first."""
        found = {
            group.id: group.depth
            for place in places
            for group in self.of_nodes[place].outwards()
            if group.parent is not None
        }
        return tuple(sorted(found, key=lambda name: (found[name], name)))


_TREES: WeakKeyDictionary[Graph, GroupTree] = WeakKeyDictionary()


def group_tree(graph: Graph) -> GroupTree:
    """The tree of the groups of ``graph``; the same object at every call."""
    tree = _TREES.get(graph)
    if tree is None:
        tree = _TREES[graph] = _build(graph)
    return tree


def namespace_parts(namespace: str) -> list[str]:
    """The labels of the groups on the way to ``namespace``, the outermost first."""
    if not namespace:
        return []
    return [part for part in namespace.split("/", MAX_DEPTH) if part]


def _build(graph: Graph) -> GroupTree:
    root = Group("", "", None, 0)
    known: dict[str, Group] = {"": root}
    of_nodes = []
    for place, node in enumerate(graph.nodes):
        group = known.get(node.namespace)
        if group is None:
            group = known[node.namespace] = _group(node.namespace, known, place)
        of_nodes.append(group)
    _count(of_nodes)
    of_nodes = [_standing(group) for group in of_nodes]
    for place, group in enumerate(of_nodes):
        group.nodes.append(place)
    for group in set(known.values()):
        group.groups = [inner for inner in group.groups if inner.num_nodes > 1]
    return GroupTree(root, of_nodes)


def _group(namespace: str, known: dict[str, Group], place: int) -> Group:
    group, path = known[""], ""
    for part in namespace_parts(namespace):
        path = f"{path}/{part}" if path else part
        inner = known.get(path)
        if inner is None:
            inner = known[path] = Group(path, part, group, group.depth + 1, first=place)
            group.groups.append(inner)
        group = inner
    return group


def _count(of_nodes: Iterable[Group]) -> None:
    direct: dict[int, tuple[Group, int]] = {}
    for group in of_nodes:
        direct[id(group)] = (group, direct.get(id(group), (group, 0))[1] + 1)
    for group, num_nodes in direct.values():
        for outer in group.outwards():
            outer.num_nodes += num_nodes


def _standing(group: Group) -> Group:
    """The innermost group around a node that holds more than that node."""
    for outer in group.outwards():
        if outer.num_nodes > 1 or outer.parent is None:
            return outer
    return group
