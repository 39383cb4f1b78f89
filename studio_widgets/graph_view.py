"""A graph of groups and nodes: open, walk, search and colour it, with ten thousand nodes or ten.

    view = GraphView(graph)             # or the path of an .mlir or .onnx file
    view.open_group("encoder/layer_0")
    view.selected = node.id             # what a person clicks is here, too
    view.overlay = "perf_data"

Only what is visible is laid out, in Python, and sent as one buffer; groups begin closed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import traitlets

from studio_core.errors import NotFoundError, StudioError
from studio_core.graphs.groups import Group, GroupTree
from studio_core.graphs.layout import visible_graph
from studio_core.graphs.records import Graph
from studio_widgets._assets import css, esm
from studio_widgets._base import StudioWidget
from studio_widgets._graph_inputs import graph_of
from studio_widgets._graph_wire import GraphIndex, scene_buffer
from studio_widgets._overlay_wire import overlay_document, overlay_label
from studio_widgets._wire import compressed

FIRST_BOXES = 60
"""A graph with fewer boxes than that is shown whole; of a larger one the outer groups."""

MOST_BOXES = 12_000
"""`GraphView.open_all` stops before more would be drawn: beyond that a browser is not fluent."""


class GraphView(StudioWidget):
    """A graph that stays fluent with ten thousand nodes.

    ``graph`` is a `Graph`, anything with a ``.graph``, or the path of a file. Double click or
    Enter opens a group, arrow keys follow the edges, "/" searches.
    """

    _esm = esm("graph_view")
    _css = css("graph_view")

    _index = traitlets.Bytes().tag(sync=True)
    _scene = traitlets.Bytes().tag(sync=True)
    _overlay = traitlets.Bytes().tag(sync=True)
    _overlays: Any = traitlets.List().tag(sync=True)
    _notice = traitlets.Unicode().tag(sync=True)
    _viewport: Any = traitlets.List(default_value=[0.0, 0.0, 0.0]).tag(sync=True)

    graph = traitlets.Instance(Graph)
    """The graph shown. Type: Graph. Default: given first."""

    open_groups = traitlets.Tuple()
    """Paths of the groups that are open. Type: tuple of str. Default: those that a small graph
    has room for."""

    selected = traitlets.Unicode().tag(sync=True)
    """Id of the selected node, "" for none; groups around it open. Type: str. Default: ""."""

    selected_group = traitlets.Unicode().tag(sync=True)
    """Path of the selected group, "" for none. Type: str. Default: ""."""

    search = traitlets.Unicode().tag(sync=True)
    """Mark the nodes and groups whose name holds this text. Type: str. Default: ""."""

    search_regex = traitlets.Bool(False).tag(sync=True)
    """Whether ``search`` is a regular expression. Type: bool. Default: False."""

    overlays = traitlets.Dict()
    """Values that the nodes can be coloured by, as `Overlay` by key. Type: dict. Default: those
    of the graph."""

    overlay = traitlets.Unicode().tag(sync=True)
    """Key of the overlay shown, "" for the kinds of nodes. Type: str. Default: ""."""

    height = traitlets.Int(520, min=160).tag(sync=True)
    """Height of the picture, in pixels. Type: int. Default: 520."""

    def __init__(self, graph: Any, **settings: Any) -> None:
        self._numbers = GraphIndex(Graph("", ()))
        self._is_ready = False
        found = graph_of(graph)
        settings.setdefault("overlays", dict(found.overlays))
        super().__init__(graph=found, **settings)
        if "open_groups" not in settings:
            self.open_groups = self._first_open()
        self._is_ready = True
        self._show({})
        self._send_overlay({})
        self.on_msg(self._answer)

    # In Python

    @property
    def groups(self) -> tuple[str, ...]:
        """Paths of all groups, a group before those inside it."""
        return self._numbers.groups

    def open_group(self, *paths: str) -> None:
        """Open groups, and those around them; `NotFoundError` for one that is not there."""
        wanted = [(*self._numbers.around_group(self._known(path)), path) for path in paths]
        self._open_too(group for groups in wanted for group in groups)

    def close_group(self, *paths: str) -> None:
        """Close groups; what is open inside them is open again when they are."""
        closed = {self._known(path) for path in paths}
        self.open_groups = tuple(path for path in self.open_groups if path not in closed)

    def open_all(self) -> None:
        """Open the groups from the outermost in, as far as `MOST_BOXES` allow."""
        opened = self._opened_within(MOST_BOXES)
        left = len(self.groups) - len(opened)
        self.open_groups = opened
        if left:
            self._notice = (
                f"{left:,} groups stay closed: more than {MOST_BOXES:,} boxes would be drawn. "
                "Open the ones you need."
            )

    def close_all(self) -> None:
        """Close every group."""
        self.open_groups = ()

    def reveal(self, node_id: str) -> None:
        """Open the groups around a node; `NotFoundError` for one that is not there."""
        if node_id not in self._numbers.node_numbers:
            raise NotFoundError(f"This graph has no node {node_id!r}.")
        self._open_too(self._numbers.around_node(node_id))

    # What changes

    @traitlets.observe("graph")
    def _take_graph(self, _change: Any) -> None:
        before, self._numbers = self._numbers, GraphIndex(self.graph)
        if not self._is_ready:
            return
        with self.hold_sync():
            if self.selected not in self.graph.by_id:
                self.selected = ""
            if self.selected_group not in self._numbers.group_numbers:
                self.selected_group = ""
            if before.groups != self._numbers.groups:
                kept = tuple(p for p in self.open_groups if p in self._numbers.group_numbers)
                self.open_groups = kept or self._first_open()
            self.overlays = {**dict(self.graph.overlays)}
            self._show({})

    @traitlets.observe("open_groups")
    def _open_changed(self, _change: Any) -> None:
        if self._is_ready:
            self._send_scene()

    def _show(self, _change: Any) -> None:
        with self.hold_sync():
            self._index = compressed(self._numbers.document())
            self._send_scene()

    def _send_scene(self) -> None:
        self._notice = ""
        visible = visible_graph(self.graph, self.open_groups)
        self._scene = scene_buffer(visible, self._numbers)

    @traitlets.observe("overlays", "overlay")
    def _send_overlay(self, _change: Any) -> None:
        if not self._is_ready:
            return
        with self.hold_sync():
            if self.overlay not in self.overlays:
                self.overlay = ""
            self._overlays = [[key, overlay_label(key, o)] for key, o in self.overlays.items()]
            chosen = self.overlays.get(self.overlay)
            ids = [node.id for node in self.graph.nodes]
            self._overlay = b""
            if chosen is not None:
                self._overlay = compressed(overlay_document(self.overlay, chosen, ids))

    @traitlets.validate("overlay")
    def _check_overlay(self, proposal: Any) -> str:
        key = str(proposal["value"])
        if key and key not in self.overlays:
            known = ", ".join(map(repr, self.overlays)) or "none yet; a run brings some"
            raise NotFoundError(f"There is no overlay {key!r}. There are: {known}.")
        return key

    @traitlets.validate("selected")
    def _check_selected(self, proposal: Any) -> str:
        node_id = str(proposal["value"])
        if node_id and node_id not in self.graph.by_id:
            raise NotFoundError(f"This graph has no node {node_id!r}.")
        return node_id

    @traitlets.observe("selected")
    def _reveal_selected(self, _change: Any) -> None:
        if self.selected:
            self.selected_group = ""
            if self._is_ready:
                self.reveal(self.selected)

    @traitlets.observe("selected_group")
    def _select_group(self, _change: Any) -> None:
        if self.selected_group:
            self.selected = ""

    # What the page asks for

    def _answer(self, _widget: Any, content: Any, _buffers: Any) -> None:
        try:
            self._obey(content)
        except StudioError as error:
            self._notice = str(error)

    def _obey(self, content: Any) -> None:
        kind = content.get("kind") if isinstance(content, dict) else None
        target = str(content.get("id", "")) if isinstance(content, dict) else ""
        before = self._scene
        if kind == "open":
            self.open_group(target)
        elif kind == "close":
            self.close_group(target)
        elif kind == "open_all":
            self.open_all()
        elif kind == "close_all":
            self.close_all()
        elif kind == "reveal":
            self._reveal(target, is_group=bool(content.get("group")))
        if self._scene == before:
            self.send_state("_scene")  # nothing changed, but the page waits for an answer

    def _reveal(self, target: str, *, is_group: bool) -> None:
        if is_group:
            self._open_too(self._numbers.around_group(self._known(target)))
        else:
            self.reveal(target)

    # Which groups are open

    def _open_too(self, groups: Iterable[str]) -> None:
        self.open_groups = tuple(dict.fromkeys((*self.open_groups, *groups)))

    def _known(self, path: str) -> str:
        if path not in self._numbers.group_numbers:
            raise NotFoundError(f"This graph has no group {path!r}.")
        return path

    def _first_open(self) -> tuple[str, ...]:
        return self._opened_within(FIRST_BOXES)

    def _opened_within(self, most: int) -> tuple[str, ...]:
        return opened_within(self._numbers.tree, most)


def opened_within(tree: GroupTree, most: int) -> tuple[str, ...]:
    """Groups to open, outermost first, so that at most ``most`` boxes are visible.

    Groups of one depth are opened in the order of the model as long as their content fits.
    """

    def inside(group: Group) -> int:
        return len(group.nodes) + len(group.groups)

    boxes, opened = inside(tree.root), {""}
    for group in sorted(tree.groups(), key=lambda group: group.depth):
        is_reached = group.parent is not None and group.parent.id in opened
        if is_reached and boxes + inside(group) <= most:
            opened.add(group.id)
            boxes += inside(group)
    return tuple(group.id for group in tree.groups() if group.id in opened)
