"""`graph_from_onnx`: an ONNX model as a graph, its layers with an editable sparsity.

Initializers are no nodes of their own: they are told among a node's inputs, as a person thinks of
a layer with its weight. Constant nodes are nodes. The nodes of a subgraph stand in a group of
the node that holds it, which is pinned to the group's top.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import onnx

from studio_core.attributes import IntListSpec, format_value
from studio_core.graphs.bulk import without_collection
from studio_core.graphs.names import UniqueNames, shape_text
from studio_core.graphs.onnx_names import Subgraph, name_parts, subgraphs
from studio_core.graphs.onnx_values import attribute_text, value_text
from studio_core.graphs.records import Graph, GraphAttribute, GraphEdge, GraphNode, PortMetadata
from studio_core.layers import Layer, find_layers
from studio_core.models.graph_index import Node, Scope, Shape
from studio_core.models.model import Model

SPARSITY_KEY = "sparsity"
SPARSITY_SPEC = IntListSpec(0, 100, 5)
"""The sparsity that a plan asks of a layer, in whole percent: ``[50]``."""

_SPARSITY_NOTE = "Percent of the weights that shall become zero; 0 leaves the layer as it is."


def graph_from_onnx(
    model: Model,
    layers: Iterable[Layer] | None = None,
    sparsities: Mapping[str, float] | None = None,
) -> Graph:
    """The graph of ``model``; node ids are those of its nodes and layers.

    ``layers`` are those of `find_layers`, found here unless given. ``sparsities`` is a plan: the
    requested sparsity, 0 to 1, by layer id; a layer that is absent is left as it is.
    """
    found = find_layers(model) if layers is None else layers
    converter = _Converter(model, {layer.id: layer for layer in found}, sparsities or {})
    with without_collection():
        nodes = tuple(converter.nodes())
    return Graph(model.name, nodes, {"": _about(model)}, notes=model.notes)


def sparsity_attribute(sparsity: float) -> GraphAttribute:
    """The editable attribute of a prunable layer for a requested ``sparsity``, 0 to 1."""
    percent = round(100 * sparsity)
    note = _SPARSITY_NOTE
    if abs(100 * sparsity - percent) > 1e-6:
        note = f"{note} The plan says {100 * sparsity:.4g} %."
    value = format_value(SPARSITY_SPEC, (percent,))
    return GraphAttribute(SPARSITY_KEY, value, editable=SPARSITY_SPEC, note=note)


def _about(model: Model) -> dict[str, str]:
    proto = model.proto
    said = {
        "producer": " ".join(filter(None, (proto.producer_name, proto.producer_version))),
        "ir_version": str(proto.ir_version),
        "opset": ", ".join(f"{domain} {version}" for domain, version in model.opsets.items()),
        "description": proto.doc_string,
        **{entry.key: entry.value for entry in proto.metadata_props},
    }
    return {key: value for key, value in said.items() if value}


class _Converter:
    """One conversion: where each value comes from, and the group of each subgraph."""

    def __init__(
        self, model: Model, layers: Mapping[str, Layer], sparsities: Mapping[str, float]
    ) -> None:
        self.layers = layers
        self.sparsities = sparsities
        self.names = UniqueNames(node.id for node in model.nodes())
        self.subgraphs = list(subgraphs(model))
        self.holders = {id(s.owner) for s in self.subgraphs if s.owner is not None}
        self.sources = {id(s.scope): self._sources(s) for s in self.subgraphs}
        self.bases: dict[int, list[str]] = {}
        for subgraph in self.subgraphs:
            self.bases[id(subgraph.scope)] = self._base(subgraph)
        # A large model says the same a thousand times, and each thing is made once.
        self._types: dict[tuple[Shape | None, str | None], tuple[GraphAttribute, ...]] = {}
        self._ports: dict[tuple[int, str], tuple[GraphAttribute, ...]] = {}
        self._known: dict[tuple[str, str | bytes], GraphAttribute] = {}
        self._sparsities: dict[float, GraphAttribute] = {}

    def _sources(self, subgraph: Subgraph) -> dict[str, tuple[str, str]]:
        """Node and number of the output that each value of a subgraph comes from."""
        prefix = "".join(f"{part}/" for part in subgraph.scope.path)
        sources = {name: (self.names.unique(prefix + name), "0") for name in subgraph.inputs}
        for node in subgraph.scope.nodes:
            for index, output in enumerate(node.outputs):
                if output:
                    sources[output] = (node.id, str(index))
        return sources

    def _base(self, subgraph: Subgraph) -> list[str]:
        """The group of a subgraph; those of outer ones are known, as they come first."""
        owner = subgraph.owner
        return [] if owner is None else [*self._namespace(owner), subgraph.branch]

    def _namespace(self, node: Node) -> list[str]:
        base, parts = self.bases[id(node.scope)], name_parts(node)
        # Names in a subgraph often repeat the path of the node that holds it.
        namespace = parts if base and parts[: len(base)] == base else [*base, *parts]
        if id(node) in self.holders:
            own = (node.name or node.id).rstrip("/").rsplit("/", 1)[-1]
            return [*namespace, own or node.op_type]
        return namespace

    def nodes(self) -> Iterator[GraphNode]:
        for subgraph in self.subgraphs:
            namespace = "/".join(self.bases[id(subgraph.scope)])
            yield from self._input_nodes(subgraph, namespace)
            for node in subgraph.scope.nodes:
                yield self._node(node)
            yield from self._output_nodes(subgraph, namespace)

    def _input_nodes(self, subgraph: Subgraph, namespace: str) -> Iterator[GraphNode]:
        scope = subgraph.scope
        for name in subgraph.inputs:
            source, _ = self.sources[id(scope)][name]
            named = (GraphAttribute("name", name),)
            output = PortMetadata("0", self._port(scope, name))
            yield GraphNode(source, "Input", namespace, named, outputs=(output,))

    def _output_nodes(self, subgraph: Subgraph, namespace: str) -> Iterator[GraphNode]:
        scope = subgraph.scope
        for name in subgraph.outputs:
            source = self._source(scope, name)
            yield GraphNode(
                self.names.unique("/".join((*scope.path, f"{name} (output)"))),
                "Output",
                namespace,
                (GraphAttribute("name", name),),
                (GraphEdge(*source, "0"),) if source is not None else (),
                inputs=(PortMetadata("0", self._port(scope, name)),),
            )

    def _node(self, node: Node) -> GraphNode:
        scope = node.scope
        outputs = [
            PortMetadata(str(index), self._port(scope, name))
            for index, name in enumerate(node.outputs)
            if name
        ]
        return GraphNode(
            node.id,
            f"{node.domain}::{node.op_type}" if node.domain else node.op_type,
            "/".join(self._namespace(node)),
            tuple(self._attributes(node)),
            tuple(self._edges(node)),
            tuple(outputs),
            tuple(self._node_inputs(node)),
            id(node) in self.holders,
        )

    def _edges(self, node: Node) -> Iterator[GraphEdge]:
        for index, name in enumerate(node.inputs):
            source = self._source(node.scope, name)
            if source is not None:
                yield GraphEdge(*source, str(index))

    def _source(self, scope: Scope, name: str) -> tuple[str, str] | None:
        """Where a value comes from; None for an initializer, an absent input, an unknown name."""
        if not name:
            return None
        for outer in scope.outwards():
            source = self.sources[id(outer)].get(name)
            if source is not None or name in outer.constants:
                return source
        return None

    def _node_inputs(self, node: Node) -> Iterator[PortMetadata]:
        scope = node.scope
        for index, name in enumerate(node.inputs):
            if name:
                yield PortMetadata(str(index), self._port(scope, name))

    def _port(self, scope: Scope, name: str) -> tuple[GraphAttribute, ...]:
        key = id(scope), name
        port = self._ports.get(key)
        if port is None:
            port = self._ports[key] = self._new_port(scope, name)
        return port

    def _new_port(self, scope: Scope, name: str) -> tuple[GraphAttribute, ...]:
        shape, dtype = scope.shape(name), scope.dtype(name)
        known = self._types.get((shape, dtype))
        if known is None:
            known = self._types[shape, dtype] = tuple(_type_attributes(shape, dtype))
        port = (GraphAttribute("__tensor_tag", name), *known)
        tensor = scope.constant(name)
        if tensor is not None:
            port = (*port, self._attribute("kind", "constant"))
            value = value_text(tensor)
            if value is not None:
                port = (*port, self._attribute("value", value))
        return port

    def _attribute(self, key: str, value: str) -> GraphAttribute:
        known = self._known.get((key, value))
        if known is None:
            known = self._known[key, value] = GraphAttribute(key, value)
        return known

    def _attributes(self, node: Node) -> Iterator[GraphAttribute]:
        if node.name:
            yield GraphAttribute("name", node.name)
        for attribute in node.proto.attribute[:]:
            yield self._operator_attribute(attribute, node.op_type)
        if node.op_type == "Constant" and node.outputs:
            tensor = node.scope.constants.get(node.outputs[0])
            value = value_text(tensor) if tensor is not None else None
            if value is not None:
                yield self._attribute("__value", value)
        layer = self.layers.get(node.id)
        if layer is not None:
            yield from self._layer_attributes(layer)

    def _operator_attribute(self, proto: onnx.AttributeProto, op_type: str) -> GraphAttribute:
        # To serialize one is quicker than to look into it.
        key = op_type, proto.SerializeToString()
        known = self._known.get(key)
        if known is None:
            is_dtype = proto.name == "to" and op_type == "Cast"
            text = attribute_text(proto, is_dtype=is_dtype)
            known = self._known[key] = GraphAttribute(proto.name, text)
        return known

    def _layer_attributes(self, layer: Layer) -> Iterator[GraphAttribute]:
        if layer.weight is not None:
            yield GraphAttribute("weight", layer.name)
            yield self._attribute("num_params", str(layer.num_params))
        if layer.macs is not None:
            yield self._attribute("macs", str(layer.macs))
        if layer.reason:
            yield GraphAttribute("status", layer.status.label, note=layer.reason)
        else:
            yield self._attribute("status", layer.status.label)
        if layer.is_prunable:
            sparsity = self.sparsities.get(layer.id, 0.0)
            if sparsity not in self._sparsities:
                self._sparsities[sparsity] = sparsity_attribute(sparsity)
            yield self._sparsities[sparsity]


def _type_attributes(shape: Shape | None, dtype: str | None) -> Iterator[GraphAttribute]:
    if shape is not None:
        yield GraphAttribute("shape", shape_text(shape))
    if dtype is not None:
        yield GraphAttribute("dtype", dtype)
    if shape is not None:
        yield GraphAttribute("rank", str(len(shape)))
