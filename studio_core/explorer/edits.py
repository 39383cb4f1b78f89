"""What the changes of one node do, before anything is run: does it fit, what does it cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from studio_core.attributes import read_value
from studio_core.errors import InvalidRequestError
from studio_core.explorer.opened import OpenedGraph
from studio_core.graphs.records import GraphAttribute, GraphNode
from studio_core.hardware.editable_keys import grid_spec
from studio_core.hardware.edits import LAYOUT_KEYS, EditOutcome, edited
from studio_core.hardware.memory import UNKNOWN, Footprint, dram_fraction, fits, l1_fraction
from studio_core.hardware.roofline import OpRoofline, op_roofline
from studio_core.mlir.records import Operation
from studio_core.overrides.documents import stripped
from studio_core.overrides.records import Override
from studio_core.overrides.targets import Target, targets_of_graph


@dataclass(frozen=True, slots=True)
class NodeOutcome:
    """What the changes of a node do.

    ``layout`` is the arithmetic of its layout, None where the node has none or nothing of it is
    changed; ``memory`` are its memory bars with the changes, those of other nodes included;
    ``live_l1_bytes`` what one core holds here, and ``fits`` whether it can, None if unknown;
    ``roofline`` its best time on the chip as the module has it, None for what is no op.
    """

    node_id: str
    changes: Mapping[str, str]
    layout: EditOutcome | None
    memory: tuple[GraphAttribute, ...]
    live_l1_bytes: int | None
    fits: bool | None
    roofline: OpRoofline | None


def node_under(opened: OpenedGraph, node: GraphNode, changes: Mapping[str, str]) -> GraphNode:
    """``node`` with the limits that hold under ``changes``: another way of sharding allows
    another grid. Its values stay the model's own."""
    layout = changes.get("tensor_memory_layout")
    if layout is None:
        return node
    spec = grid_spec(opened.system, layout)
    attributes = (
        replace(a, editable=spec) if a.key == "grid_shape" and a.editable is not None else a
        for a in node.attributes
    )
    return replace(node, attributes=tuple(attributes))


def checked_change(node: GraphNode, key: str, value: str) -> str:
    """``value`` if the attribute ``key`` of ``node`` can have it; raises `InvalidRequestError`."""
    attribute = node.attribute(key)
    if attribute is None or attribute.editable is None:
        known = ", ".join(a.key for a in node.attributes if a.editable is not None)
        raise InvalidRequestError(
            f"'{key}' of {node.label} cannot be edited. Editable: {known or 'nothing'}."
        )
    read_value(attribute.editable, value, current=attribute.value)
    return value.strip()


def override_of(opened: OpenedGraph, node: GraphNode, changes: Mapping[str, str]) -> Override:
    """The override that asks for ``changes`` of ``node``.

    Without a location the node's id stands in for the full one; in an ONNX model, whose nodes
    have names only, for both.
    """
    named, full = node.attribute("named_location"), node.attribute("full_location")
    own = node.id if opened.model is not None else ""
    return Override(
        stripped(named.value) if named is not None else stripped(own),
        stripped(full.value) if full is not None else stripped(node.id),
        dict(changes),
    )


class NodeIndex:
    """The nodes of a graph by location, and the ops that overrides are checked against."""

    def __init__(self, opened: OpenedGraph) -> None:
        self._by_location: dict[str, list[str]] = {}
        self._by_name: dict[str, list[str]] = {}
        self.targets = (*targets_of_graph(opened.graph), *_nameless(opened))
        for node in opened.graph.nodes:
            if any(a.editable is not None for a in node.attributes):
                own = override_of(opened, node, {})
                self._by_location.setdefault(own.full_location, []).append(node.id)
                self._by_name.setdefault(own.named_location, []).append(node.id)

    def nodes_of(self, override: Override) -> tuple[str, ...]:
        """The nodes of an override: those at its full location, else those of its name."""
        found = self._by_location.get(stripped(override.full_location))
        if not found and override.named_location:
            found = self._by_name.get(stripped(override.named_location))
        return tuple(found or ())


def _nameless(opened: OpenedGraph) -> Iterator[Target]:
    """Ops without any location: they have overrides all the same, and are told what is amiss."""
    for node in opened.graph.nodes:
        is_editable = any(a.editable is not None for a in node.attributes)
        if is_editable and node.attribute("full_location") is None:
            yield _target(opened, node)


def outcome_of(
    opened: OpenedGraph,
    node: GraphNode,
    changes: Mapping[str, str],
    others: Mapping[str, Mapping[str, str]] | None = None,
) -> NodeOutcome:
    """What ``changes`` of ``node`` do; well under a millisecond, so that a control can ask.

    ``others`` are the changes of other nodes: what of them is alive here counts as changed.
    """
    operation = opened.operations.get(node.id)
    live = _live(opened, node, operation, others or {})
    layout = layout_outcome(opened, node, changes, live.l1_bytes)
    bars = tuple(a for a in node.attributes if a.display_type == "memory")
    if layout is not None:
        dram = None
        if live.dram_bytes is not None and layout.after.dram_bytes is not None:
            dram = live.dram_bytes - (layout.before.dram_bytes or 0) + layout.after.dram_bytes
        live = Footprint(layout.live_l1_bytes, dram)
    if layout is not None or others:
        after = {
            "l1_memory": l1_fraction(live.l1_bytes, opened.system),
            "dram_memory": dram_fraction(live.dram_bytes, opened.system),
        }
        bars = tuple(_with(bar, after.get(bar.key)) for bar in bars)
    roofline = op_roofline(operation, opened.system) if operation is not None else None
    fit = layout.fits if layout is not None else fits(live.l1_bytes, opened.system)
    return NodeOutcome(node.id, dict(changes), layout, bars, live.l1_bytes, fit, roofline)


def _live(
    opened: OpenedGraph,
    node: GraphNode,
    operation: Operation | None,
    others: Mapping[str, Mapping[str, str]],
) -> Footprint:
    """What lives at the node under the changes of others; None where that is not known."""
    memory = opened.memory.get(operation) if operation is not None else None
    if memory is None or operation is None:
        return UNKNOWN
    l1, dram = memory.l1_bytes, memory.dram_bytes
    here = opened.spans[operation]
    for other, changes in others.items():
        producer = opened.operations.get(other)
        if other == node.id or producer is None or not opened.spans[producer].covers(here):
            continue
        outcome = layout_outcome(opened, opened.node(other), changes, None)
        if outcome is not None:
            l1 = _moved(l1, outcome.before.l1_bytes, outcome.after.l1_bytes)
            dram = _moved(dram, outcome.before.dram_bytes, outcome.after.dram_bytes)
    return Footprint(l1, dram)


def _moved(total: int | None, before: int | None, after: int | None) -> int | None:
    return None if total is None or before is None or after is None else total - before + after


def layout_outcome(
    opened: OpenedGraph, node: GraphNode, changes: Mapping[str, str], live: int | None
) -> EditOutcome | None:
    """The arithmetic of a node's layout under ``changes``; None where it has none to change.

    ``live`` are the bytes of a core at this op before them.
    """
    target = _target(opened, node)
    asked = {key: value for key, value in changes.items() if key in LAYOUT_KEYS}
    if not asked or target.layout is None or target.tensor_shape is None:
        return None
    return edited(target.layout, target.tensor_shape, asked, opened.system, live_l1_bytes=live)


def _target(opened: OpenedGraph, node: GraphNode) -> Target:
    own = override_of(opened, node, {})
    values = {a.key: a.value for a in node.attributes}
    return Target(node.label, own.named_location, own.full_location, values)


def _with(bar: GraphAttribute, fraction: float | None) -> GraphAttribute:
    if fraction is None:
        return replace(bar, value="unknown", certainty="unknown")
    return replace(bar, value=f"{fraction:.6g}")
