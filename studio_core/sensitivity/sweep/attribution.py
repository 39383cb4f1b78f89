"""Which node of the optimised graph is which layer, through fusion and layout changes.

A layer is looked for by its weight (found by content, `optimize`, or by name), and else by
its name and its output: onnxruntime names a fused node after the node, or after the output
of the last operator that it took in. A layer whose node is not found, or is that of another
layer too, is named with the reason and its time counts as unattributed; never guessed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import onnx

from studio_core.layers.layer import Layer
from studio_core.models.graph_index import Node
from studio_core.models.model import Model
from studio_core.sensitivity.sweep.optimized import OptimizedModel

_BETWEEN = "/"

# What onnxruntime puts around the name of a node when it fuses it or changes its layout.
_PREFIXES = ("fused ",)
_SUFFIXES = ("_nchwc", "/MatMulAddFusion", "/MatMulScaleFusion/", "/GemmTransposeFusion")

# Operators that onnxruntime takes into the kernel before them.
_FUSED = frozenset(
    {
        *("Add", "BatchNormalization", "Clip", "HardSigmoid", "LeakyRelu", "Mul"),
        *("QuantizeLinear", "Relu", "Sigmoid", "Sub", "Tanh"),
    }
)
_MOST_FUSED = 8

# Nodes with a layer's name or output that do none of its work.
_NO_LAYER = frozenset(
    {
        *("Cast", "DequantizeLinear", "Flatten", "Identity", "QuantizeLinear", "ReorderInput"),
        *("ReorderOutput", "Reshape", "Squeeze", "Transpose", "Unsqueeze"),
    }
)


@dataclass(frozen=True, eq=False)
class OptimizedNode:
    """A node of the optimised graph; ``place`` is unique, nested ones after their parent's."""

    place: str
    proto: onnx.NodeProto

    @property
    def parent(self) -> str | None:
        """The place of the node whose subgraph it is in."""
        return self.place.rpartition(_BETWEEN)[0] or None


@dataclass(frozen=True, eq=False)
class Attribution:
    """Layer ids by the place of their node, and why some layers have none."""

    layers: Mapping[str, str]
    unattributed: Mapping[str, str]


def nodes_of(graph: onnx.GraphProto, prefix: str = "n") -> Iterator[OptimizedNode]:
    """All nodes with those of their subgraphs."""
    for position, node in enumerate(graph.node):
        place = f"{prefix}{position}"
        yield OptimizedNode(place, node)
        for number, attribute in enumerate(node.attribute):
            graphs = [attribute.g] if attribute.HasField("g") else list(attribute.graphs)
            for i, subgraph in enumerate(graphs):
                yield from nodes_of(subgraph, f"{place}{_BETWEEN}{number}.{i}.")


def attribute(model: Model, layers: Sequence[Layer], optimized: OptimizedModel) -> Attribution:
    """The node of each of ``layers`` in the optimised form of ``model``."""
    nodes = list(nodes_of(optimized.proto.graph))
    sources = {node.id: node for node in model.nodes()}
    by_input, by_name = _indexes(nodes)
    places: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for layer in layers:
        found = _by_weight(layer, optimized, by_input)
        if len(found) != 1:
            named = _by_names(sources[layer.id], by_name)
            found = {p for p in named if p in found} or named if found else named
        if len(found) == 1:
            places[layer.id] = next(iter(found))
        else:
            reasons[layer.id] = (
                "onnxruntime optimised its node so that it cannot be told which one it became."
            )
    return _without_shared(places, reasons)


def _indexes(nodes: Sequence[OptimizedNode]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Places by what a node reads, and by the names it may be known under."""
    by_input, by_name = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for node in nodes:
        if node.proto.op_type in _NO_LAYER:
            continue
        for name in node.proto.input:
            by_input[name].add(node.place)
        for name in (_plain(node.proto.name), *node.proto.output):
            if name:
                by_name[name].add(node.place)
    return by_input, by_name


def _plain(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def _by_weight(
    layer: Layer, optimized: OptimizedModel, by_input: Mapping[str, set[str]]
) -> set[str]:
    placed = optimized.places.get(layer.name)
    return set(by_input.get(layer.name if placed is None else placed.initializer, ()))


def _by_names(node: Node, by_name: Mapping[str, set[str]]) -> set[str]:
    """Places with the node's own name, its output, or that of what was fused behind it."""
    for _ in range(_MOST_FUSED):
        output = next((name for name in node.outputs if name), "")
        found = (by_name.get(node.name, set()) if node.name else set()) | by_name.get(output, set())
        if found:
            return found
        readers = [n for n in node.scope.nodes if output in n.inputs]
        if len(readers) != 1 or readers[0].op_type not in _FUSED:
            return set()
        node = readers[0]
    return set()


def _without_shared(places: Mapping[str, str], reasons: dict[str, str]) -> Attribution:
    """Two layers in one node have no time each."""
    times = Counter(places.values())
    for layer_id, place in places.items():
        if times[place] > 1:
            others = ", ".join(f"'{i}'" for i, p in places.items() if p == place and i != layer_id)
            reasons[layer_id] = f"onnxruntime computes it in one node together with {others}."
    return Attribution({p: i for i, p in places.items() if times[p] == 1}, reasons)
