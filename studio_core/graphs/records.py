"""One graph for MLIR modules and ONNX models: nodes in groups, edges, attributes, overlays.

The records mirror Model Explorer's graph JSON, with which `model_explorer_json` writes and
reads them; the names are ours, the keys on the wire are Model Explorer's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from studio_core.attributes.specs import EditableSpec

Certainty = Literal["exact", "lower bound", "unknown"]


@dataclass(frozen=True, slots=True)
class GraphAttribute:
    """A key with its value as text, perhaps editable, perhaps a memory bar.

    A ``memory`` value is a fraction from 0 to 1 of the memory there is, or text such as
    ``unknown``; ``certainty`` says how far to believe it and ``note`` why.
    """

    key: str
    value: str
    editable: EditableSpec | None = None
    display_type: Literal["memory"] | None = None
    certainty: Certainty | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """Result ``source_output`` of node ``source`` is read by input ``target_input`` of the node
    that holds the edge."""

    source: str
    source_output: str
    target_input: str


@dataclass(frozen=True, slots=True)
class PortMetadata:
    """What is known of one output (or input) of a node, such as shape and dtype."""

    id: str
    attributes: tuple[GraphAttribute, ...] = ()


@dataclass(frozen=True, slots=True)
class GraphNode:
    """An operation, a constant, an input or an output.

    ``id`` is the same at every conversion; ``namespace`` is the path of groups, ``a/b/c``.
    """

    id: str
    label: str
    namespace: str = ""
    attributes: tuple[GraphAttribute, ...] = ()
    incoming: tuple[GraphEdge, ...] = ()
    outputs: tuple[PortMetadata, ...] = ()
    inputs: tuple[PortMetadata, ...] = ()
    pinned: bool = False
    """Shown at the top of its group."""

    def attribute(self, key: str) -> GraphAttribute | None:
        return next((a for a in self.attributes if a.key == key), None)


@dataclass(frozen=True, slots=True)
class Overlay:
    """A value by node, such as its time in nanoseconds, and how the values are coloured.

    ``values`` are numbers (or text) by node id; a node that is absent has no value, never 0.
    ``gradient`` holds (stop from 0 to 1, CSS colour); ``thresholds`` (upper value, CSS colour).
    """

    name: str
    values: Mapping[str, float | str]
    gradient: tuple[tuple[float, str], ...] = ()
    thresholds: tuple[tuple[float, str], ...] = ()
    unit: str = ""


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph with its groups' attributes, and what a run has added to it."""

    id: str
    nodes: tuple[GraphNode, ...]
    group_attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    overlays: Mapping[str, Overlay] = field(default_factory=dict)
    """By kind: ``perf_data``, ``accuracy_data``."""
    overrides: Mapping[str, object] | None = None
    """As the original front end writes them: by location."""
    cpp_code: str | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def by_id(self) -> Mapping[str, GraphNode]:
        return {node.id: node for node in self.nodes}


@dataclass(frozen=True, slots=True, eq=False)
class GraphCollection:
    """Graphs that belong together, such as those of one file."""

    label: str
    graphs: tuple[Graph, ...]
