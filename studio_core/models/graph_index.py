"""Nodes, constants and shapes of an ONNX model by name, subgraphs included.

A `Scope` is one graph: the main one, or a branch or body of If, Loop, Scan. Names are
looked up in the scope and then outwards, as ONNX defines it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import onnx

from studio_core.models.tensor import Tensor

Shape = tuple[int | str | None, ...]
"""Dimensions of a tensor: a number, a symbolic name, or None where unknown."""

TensorMaker = Callable[[str, onnx.TensorProto, tuple[str, ...]], Tensor]


@dataclass(frozen=True, eq=False)
class Node:
    """One operator of the graph; ``id`` is unique in the model."""

    id: str
    proto: onnx.NodeProto
    scope: Scope

    @property
    def name(self) -> str:
        return self.proto.name

    @property
    def op_type(self) -> str:
        return self.proto.op_type

    @cached_property
    def domain(self) -> str:
        """The operator set; empty for ONNX's own, however it is written."""
        return "" if self.proto.domain == "ai.onnx" else self.proto.domain

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        return tuple(self.proto.input)

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        return tuple(self.proto.output)

    def integer(self, name: str, default: int) -> int:
        """The value of an integer attribute; ``default`` where it is absent or no integer."""
        for attribute in self.proto.attribute:
            if attribute.name == name and attribute.type == onnx.AttributeProto.INT:
                return int(attribute.i)
        return default

    def attributes(self) -> dict[str, Any]:
        """All attributes as JSON-ready values; tensors and graphs are described in words."""
        return {a.name: _json_ready(a) for a in self.proto.attribute}


@dataclass(eq=False)
class Scope:
    """One graph with what is defined in it, by name."""

    path: tuple[str, ...]
    parent: Scope | None
    nodes: list[Node] = field(default_factory=list)
    producers: dict[str, Node] = field(default_factory=dict)
    constants: dict[str, Tensor] = field(default_factory=dict)
    sparse_constants: set[str] = field(default_factory=set)
    shapes: dict[str, Shape] = field(default_factory=dict)
    dtypes: dict[str, int] = field(default_factory=dict)
    inputs: set[str] = field(default_factory=set)

    def outwards(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def defining(self, name: str) -> Scope | None:
        """The innermost scope that defines ``name``."""
        for scope in self.outwards():
            if (
                name in scope.producers
                or name in scope.constants
                or name in scope.inputs
                or name in scope.sparse_constants
            ):
                return scope
        return None

    def constant(self, name: str) -> Tensor | None:
        scope = self.defining(name)
        return scope.constants.get(name) if scope else None

    def producer(self, name: str) -> Node | None:
        scope = self.defining(name)
        return scope.producers.get(name) if scope else None

    def shape(self, name: str) -> Shape | None:
        for scope in self.outwards():
            if name in scope.shapes:
                return scope.shapes[name]
            if name in scope.constants:
                return scope.constants[name].shape
        return None


def index_graph(graph: onnx.GraphProto, make_tensor: TensorMaker) -> list[Scope]:
    """All scopes of ``graph``, the main one first. Iterative: depth costs no stack."""
    main = Scope((), None)
    scopes: list[Scope] = []
    taken: set[str] = set()
    waiting = [(graph, main)]
    while waiting:
        proto, scope = waiting.pop()
        scopes.append(scope)
        waiting.extend(reversed(_fill(scope, proto, make_tensor, taken)))
    return scopes


def _fill(
    scope: Scope, graph: onnx.GraphProto, make_tensor: TensorMaker, taken: set[str]
) -> list[tuple[onnx.GraphProto, Scope]]:
    """Index one graph; answers the subgraphs found in it with their scopes."""
    for tensor in graph.initializer:
        scope.constants[tensor.name] = make_tensor(tensor.name, tensor, scope.path)
    scope.sparse_constants.update(sparse.values.name for sparse in graph.sparse_initializer)
    scope.inputs.update(i.name for i in graph.input if i.name not in scope.constants)
    for values in (graph.input, graph.value_info, graph.output):
        for value in values:
            _note_type(scope, value)
    prefix = "".join(f"{part}/" for part in scope.path)
    subgraphs: list[tuple[onnx.GraphProto, Scope]] = []
    for position, proto in enumerate(graph.node):
        first = next((o for o in proto.output if o), None) or f"node_{position}"
        node = Node(_unique(prefix + first, taken), proto, scope)
        scope.nodes.append(node)
        for output in proto.output:
            if output:
                scope.producers[output] = node
        if proto.op_type == "Constant" and proto.output:
            _note_constant(scope, proto, make_tensor)
        for attribute in proto.attribute:
            for number, subgraph in enumerate(_graphs(attribute)):
                part = attribute.name + (f"_{number}" if attribute.graphs else "")
                path = (*scope.path, proto.name or first, part)
                subgraphs.append((subgraph, Scope(path, scope)))
    return subgraphs


def _unique(wanted: str, taken: set[str]) -> str:
    """``wanted``, with a number behind it where two subgraphs bear one name."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}#{number}"
    taken.add(name)
    return name


def _graphs(attribute: onnx.AttributeProto) -> list[onnx.GraphProto]:
    if attribute.type == onnx.AttributeProto.GRAPH:
        return [attribute.g]
    if attribute.type == onnx.AttributeProto.GRAPHS:
        return list(attribute.graphs)
    return []


def _note_constant(scope: Scope, proto: onnx.NodeProto, make_tensor: TensorMaker) -> None:
    for attribute in proto.attribute:
        if attribute.name == "value" and attribute.HasField("t"):
            name = proto.output[0]
            scope.constants[name] = make_tensor(name, attribute.t, scope.path)
        elif attribute.name == "sparse_value":
            scope.sparse_constants.add(proto.output[0])


def _note_type(scope: Scope, value: onnx.ValueInfoProto) -> None:
    if not value.type.HasField("tensor_type"):
        return
    tensor_type = value.type.tensor_type
    scope.dtypes[value.name] = tensor_type.elem_type
    if tensor_type.HasField("shape"):
        scope.shapes[value.name] = tuple(
            d.dim_value if d.HasField("dim_value") else (d.dim_param or None)
            for d in tensor_type.shape.dim
        )


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _json_ready(attribute: onnx.AttributeProto) -> Any:
    kind = onnx.AttributeProto
    if attribute.type == kind.TENSOR:
        return f"tensor of shape {list(attribute.t.dims)}"
    if attribute.type in (kind.GRAPH, kind.GRAPHS):
        return "subgraph"
    if attribute.type in (kind.FLOAT, kind.INT, kind.STRING, kind.FLOATS, kind.INTS, kind.STRINGS):
        return _plain(onnx.helper.get_attribute_value(attribute))
    return kind.AttributeType.Name(attribute.type).lower()
