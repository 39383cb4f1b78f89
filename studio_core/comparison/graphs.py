"""`compare_graphs`: two graphs, or two runs of one, node by node: attributes, times, accuracy.

A run's numbers are in the overlays of its graph; what both graphs have is compared, as a table
(`values`) and as an overlay that either graph can show (`overlay`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from studio_core.comparison.matching import GraphMatch, NodePair, match_graphs
from studio_core.graphs.overlays import PERF_DATA
from studio_core.graphs.records import Graph, GraphNode, Overlay

Side = Literal["left", "right"]

DIFFERENCE = "difference"
STRUCTURE = "structure_difference"

OF_FORMER = "of the former time"
"""Unit of a relative change: 0.5 is half as much again, -0.5 half as much."""

MARKS = "0.5 changed, 1 only here"
"""Unit of the overlay of the structure, whose values are marks."""

_NAMES = frozenset({"name", "named_location", "full_location", "schedule", "weight"})
"""Attributes that say what a node is called, and where it stands, not what it is."""

_BANDS = (-0.5, -0.2, -0.05, 0.05, 0.2, 0.5)
_LOWER_TO_HIGHER = ("#2166ac", "#67a9cf", "#d1e5f0", "#f0f0f0", "#fddbc7", "#ef8a62", "#b2182b")
"""Blue to red, which everybody can tell apart; grey where hardly anything changed."""


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """One attribute of a matched node; None where the node has none."""

    key: str
    left: str | None
    right: str | None


@dataclass(frozen=True, slots=True)
class NodeChange:
    """A matched node that is not the same: another operator, or other attributes."""

    pair: NodePair
    left_label: str
    right_label: str
    attributes: tuple[AttributeChange, ...]


@dataclass(frozen=True, slots=True)
class ValueChange:
    """A value of a matched node in both runs, such as its time; None where it is unknown."""

    pair: NodePair
    label: str
    left: float | None
    right: float | None

    @property
    def difference(self) -> float | None:
        if self.left is None or self.right is None:
            return None
        return self.right - self.left

    @property
    def relative(self) -> float | None:
        """Of the left value; None where that is 0 or one of them is unknown."""
        difference = self.difference
        return difference / abs(self.left) if difference is not None and self.left else None


@dataclass(frozen=True, eq=False)
class GraphComparison:
    """Two graphs side by side. ``values`` are by kind of overlay, the largest change first."""

    left: Graph
    right: Graph
    match: GraphMatch
    changes: tuple[NodeChange, ...]
    values: Mapping[str, tuple[ValueChange, ...]]

    def totals(self, kind: str) -> tuple[float, float]:
        """The sums of all known values of a kind, matched or not: left, right."""
        sums = (sum(_numbers(graph, kind).values()) for graph in (self.left, self.right))
        left, right = sums
        return left, right

    def overlay(self, kind: str, side: Side = "right") -> Overlay:
        """The change of a kind's values for one of the graphs; no value where it is unknown.

        Times change relative to the left ones; other values by their difference. Blue is less,
        red is more; for accuracy, of which more is better, the other way round.
        """
        is_time = kind == PERF_DATA
        found: dict[str, float | str] = {}
        for change in self.values.get(kind, ()):
            value = change.relative if is_time else change.difference
            if value is not None and math.isfinite(value):
                found[change.pair.right if side == "right" else change.pair.left] = value
        sizes = [abs(v) for v in found.values() if isinstance(v, float)]
        scale = 1.0 if is_time else max(sizes, default=0.0) or 1.0
        colours = _LOWER_TO_HIGHER if is_time else _LOWER_TO_HIGHER[::-1]
        bounds = (*(band * scale for band in _BANDS), max([scale, *sizes]))
        unit = OF_FORMER if is_time else self.right.overlays[kind].unit
        thresholds = tuple(zip(bounds, colours, strict=True))
        return Overlay(f"{kind}_{DIFFERENCE}", found, thresholds=thresholds, unit=unit)

    def structure_overlay(self, side: Side = "right") -> Overlay:
        """What only this graph has (1), and what is changed in it (0.5); the rest has no value."""
        only = self.match.only_right if side == "right" else self.match.only_left
        ids = (c.pair.right if side == "right" else c.pair.left for c in self.changes)
        values: dict[str, float | str] = {**dict.fromkeys(ids, 0.5), **dict.fromkeys(only, 1.0)}
        colours = ((0.5, "#fdd49e"), (1.0, "#67a9cf" if side == "right" else "#ef8a62"))
        return Overlay(STRUCTURE, values, thresholds=colours, unit=MARKS)


def compare_graphs(left: Graph, right: Graph, match: GraphMatch | None = None) -> GraphComparison:
    """Compare two graphs; ``match`` is found here unless given."""
    found = match if match is not None else match_graphs(left, right)
    kinds = [kind for kind in left.overlays if kind in right.overlays]
    return GraphComparison(
        left,
        right,
        found,
        tuple(_changes(left, right, found)),
        {kind: _values(left, right, found, kind) for kind in kinds},
    )


def _changes(left: Graph, right: Graph, match: GraphMatch) -> Iterator[NodeChange]:
    for pair in match.pairs:
        a, b = left.by_id[pair.left], right.by_id[pair.right]
        attributes = tuple(_attribute_changes(a, b))
        if attributes or a.label != b.label:
            yield NodeChange(pair, a.label, b.label, attributes)


def _attribute_changes(a: GraphNode, b: GraphNode) -> Iterator[AttributeChange]:
    if a.attributes == b.attributes:
        return
    before = {x.key: x.value for x in a.attributes if x.key not in _NAMES}
    after = {x.key: x.value for x in b.attributes if x.key not in _NAMES}
    for key in before | after:
        if before.get(key) != after.get(key):
            yield AttributeChange(key, before.get(key), after.get(key))


def _values(left: Graph, right: Graph, match: GraphMatch, kind: str) -> tuple[ValueChange, ...]:
    before, after = _numbers(left, kind), _numbers(right, kind)
    found = [
        ValueChange(p, right.by_id[p.right].label, before.get(p.left), after.get(p.right))
        for p in match.pairs
        if p.left in before or p.right in after
    ]
    return tuple(sorted(found, key=lambda change: -abs(change.difference or 0.0)))


def _numbers(graph: Graph, kind: str) -> dict[str, float]:
    overlay = graph.overlays.get(kind)
    values = {} if overlay is None else overlay.values
    return {n: float(v) for n, v in values.items() if isinstance(v, (int, float))}
