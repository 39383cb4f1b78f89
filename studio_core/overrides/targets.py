"""The ops that overrides are for, taken from a module or from a graph, and found by location."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from studio_core.graphs.records import Graph, GraphNode
from studio_core.hardware.attribute_text import dimensions
from studio_core.hardware.configs import CONV2D_CONFIG, parse_config
from studio_core.hardware.data_types import TILE, data_type_of, scalar_bytes
from studio_core.hardware.layouts import Element, Layout
from studio_core.hardware.liveness import layout_of
from studio_core.mlir.records import Operation, TensorType
from studio_core.overrides.documents import stripped
from studio_core.overrides.records import Override

NOT_DRAWN = ("ttnn.deallocate", "ttnn.get_device", "ttnn.empty", "ttir.empty")
"""Helpers of other ops, with locations of those: nobody overrides them."""

LOCATION_KEYS = ("named_location", "full_location")


@dataclass(frozen=True, slots=True)
class Target:
    """An op as far as overrides care: how it is named, and its attributes as text, by key."""

    op_name: str
    named_location: str
    full_location: str
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def tensor_shape(self) -> tuple[int, ...] | None:
        """The shape of the first result; None where a dimension is unknown."""
        text = self.attributes.get("shape", "").strip()
        if not (text.startswith("[") and text.endswith("]")):
            return None
        return dimensions("x".join(part.strip() for part in text[1:-1].split(",")))

    @property
    def layout(self) -> Layout | None:
        """The layout that the attributes tell; without any, DRAM interleaved tiles.

        The latter is what the compiler begins with before it has chosen anything. None where
        not even shape and data type are known.
        """
        return _layout(self)


def targets_of_graph(graph: Graph) -> tuple[Target, ...]:
    """The nodes of a graph that have a location or can be edited."""
    return tuple(_target(node) for node in graph.nodes if _may_be_overridden(node))


def targets_of_module(module: Operation) -> tuple[Target, ...]:
    """The ops of a module that make a tensor, with what their types and configurations tell."""
    makers = (o for o in module.walk() if o.results and o.name not in NOT_DRAWN)
    return tuple(
        Target(o.name, o.location.name or "", stripped(o.location.text), _values_of(o))
        for o in makers
        if o.location is not None
    )


class TargetIndex:
    """Targets by named location and by full location without quotes."""

    def __init__(self, targets: Iterable[Target]) -> None:
        self._by_name: dict[str, list[Target]] = {}
        self._by_location: dict[str, list[Target]] = {}
        for target in targets:
            if target.named_location:
                self._by_name.setdefault(stripped(target.named_location), []).append(target)
            if target.full_location:
                self._by_location.setdefault(stripped(target.full_location), []).append(target)

    def of(self, override: Override) -> tuple[Target, ...]:
        """The ops an override reaches: those of its name, else those of its full location."""
        by_name = self._by_name.get(stripped(override.named_location), ())
        return tuple(by_name or self._by_location.get(stripped(override.full_location), ()))


def _values_of(operation: Operation) -> dict[str, str]:
    values: dict[str, str] = {}
    kind = operation.results[0].type
    if isinstance(kind, TensorType):
        values["dtype"] = kind.element
        if kind.shape is not None:
            shown = ", ".join("?" if n is None else str(n) for n in kind.shape)
            values["shape"] = f"[{shown}]"
    layout = layout_of(operation.results[0])
    values |= layout.values() if layout is not None else {}
    config = operation.attributes.get("conv2d_config")
    values |= (parse_config(config.text, CONV2D_CONFIG) or {}) if config is not None else {}
    return values


def _may_be_overridden(node: GraphNode) -> bool:
    # An argument may bear the name of an op; it is none, and the compiler does not look at it.
    return not node.label.startswith("%") and any(
        a.key in LOCATION_KEYS or a.editable is not None for a in node.attributes
    )


def _target(node: GraphNode) -> Target:
    values: dict[str, str] = {}
    for attribute in node.attributes:
        values.setdefault(attribute.key, attribute.value)
    # What is known of the first result only counts for the node, if it says nothing itself.
    for attribute in node.outputs[0].attributes if node.outputs else ():
        values.setdefault(attribute.key, attribute.value)
    if not any(key in values for key in LOCATION_KEYS):
        # A node of an ONNX model: it has no location, and its id is what people know it by.
        return Target(node.label, node.id, node.id, values)
    named, full = (_known(values.get(key, "")) for key in LOCATION_KEYS)
    return Target(node.label, named, full, values)


def _known(location: str) -> str:
    return "" if location.strip() in ("unknown", "loc(unknown)") else location


def _layout(target: Target) -> Layout | None:
    values = target.attributes
    data_type = values.get("data_type") or data_type_of(values.get("dtype", ""))
    grid = dimensions(values.get("grid_shape", "1x1"))
    shape = dimensions("x".join(values.get("memref_shape", "[1, 1]").strip("[] ").split(", ")))
    if target.tensor_shape is None or grid is None or shape is None:
        return None
    if scalar_bytes(data_type) is None and "data_type" not in values:
        return None
    tiled = values.get("memory_layout", "tile") == "tile"
    buffer_type = values.get("buffer_type", "dram")
    memory = values.get("tensor_memory_layout", "interleaved")
    return Layout(
        grid=grid,
        memref_shape=shape,
        element=Element(data_type, TILE if tiled else None),
        buffer_type=buffer_type,
        tensor_memory_layout=memory if memory not in ("none", "None", "") else None,
    )
