"""Nodes, constants and shapes of an ONNX model by name, subgraphs included.

A `Scope` is one graph: the main one, or a branch or body of If, Loop, Scan. Names are
looked up in the scope and then outwards, as ONNX defines it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import onnx

from studio_core.limits import DEFAULT_LIMITS, Limits
from studio_core.models.tensor import Tensor, dtype_name

Shape = tuple[int | str | None, ...]
"""Dimensions of a tensor: a number, a symbolic name, or None where unknown."""

# Looked up here once: a protobuf class searches for them at each access.
_INT, _GRAPH, _GRAPHS = (
    onnx.AttributeProto.INT, onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS
)  # fmt: skip

TensorMaker = Callable[[str, onnx.TensorProto, tuple[str, ...]], Tensor]


# Not frozen, as `Tensor`: large models have tens of thousands, and frozen ones take three times
# as long to make. Nobody changes them.
@dataclass(eq=False, slots=True)
class Node:
    """One operator of the graph; ``id`` is unique in the model.

    What everybody asks for is read from ``proto`` once, because each look into a protobuf
    message makes new Python objects.
    """

    id: str
    proto: onnx.NodeProto
    scope: Scope
    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    integers: Mapping[str, int]
    """The integer attributes by name; `attributes` tells all of them."""

    @property
    def name(self) -> str:
        return self.proto.name

    @property
    def domain(self) -> str:
        """The operator set; empty for ONNX's own, however it is written."""
        domain = self.proto.domain
        return "" if domain == "ai.onnx" else domain

    def integer(self, name: str, default: int) -> int:
        """The value of an integer attribute; ``default`` where it is absent or no integer."""
        return self.integers.get(name, default)

    def attributes(self) -> dict[str, Any]:
        """All attributes as JSON-ready values; tensors and graphs are described in words."""
        return json_attributes(self.proto)


@dataclass(eq=False)
class Scope:
    """One graph with what is defined in it, by name."""

    path: tuple[str, ...]
    parent: Scope | None
    nodes: list[Node] = field(default_factory=list)
    producers: dict[str, Node] = field(default_factory=dict)
    constants: dict[str, Tensor] = field(default_factory=dict)
    sparse_constants: set[str] = field(default_factory=set)
    sparse_parts: list[Tensor] = field(default_factory=list)
    """Values and indices of the sparse constants; their files belong to the model too."""
    shapes: dict[str, Shape] = field(default_factory=dict)
    dtypes: dict[str, str] = field(default_factory=dict)
    inputs: set[str] = field(default_factory=set)

    def outwards(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def defining(self, name: str) -> Scope | None:
        """The innermost scope that defines ``name``."""
        scope: Scope | None = self
        while scope is not None:
            if (
                name in scope.producers
                or name in scope.constants
                or name in scope.inputs
                or name in scope.sparse_constants
            ):
                return scope
            scope = scope.parent
        return None

    def constant(self, name: str) -> Tensor | None:
        scope = self.defining(name)
        return scope.constants.get(name) if scope else None

    def producer(self, name: str) -> Node | None:
        scope = self.defining(name)
        return scope.producers.get(name) if scope else None

    def dtype(self, name: str) -> str | None:
        """ONNX's own name of the element type, in lower case; None where it is unknown."""
        for scope in self.outwards():
            if name in scope.dtypes:
                return scope.dtypes[name]
            if name in scope.constants:
                return scope.constants[name].dtype_name
        return None

    def shape(self, name: str) -> Shape | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.shapes:
                return scope.shapes[name]
            if name in scope.constants:
                return scope.constants[name].shape
            scope = scope.parent
        return None


def index_graph(
    graph: onnx.GraphProto, make_tensor: TensorMaker, limits: Limits = DEFAULT_LIMITS
) -> list[Scope]:
    """All scopes of ``graph``, the main one first, without shapes: `note_shapes` adds them.

    Iterative: depth costs no stack. Raises `LimitError` past ``max_nodes``.
    """
    main = Scope((), None)
    scopes: list[Scope] = []
    taken: dict[str, int] = {}
    waiting = [(graph, main)]
    num_nodes = 0
    while waiting:
        proto, scope = waiting.pop()
        num_nodes += len(proto.node)
        limits.check("max_nodes", num_nodes, f"It has {num_nodes:,} nodes or more")
        scopes.append(scope)
        _note_constants(scope, proto, make_tensor)
        waiting.extend(reversed(_note_nodes(scope, proto, make_tensor, taken)))
    return scopes


def note_shapes(scopes: Sequence[Scope], graph: onnx.GraphProto) -> None:
    """Index the types declared in ``graph``: that of the ``scopes``, after inference."""
    # Not strict: with the last scope found, nobody needs to look for subgraphs any more.
    for scope, found in zip(scopes, _all_graphs(graph), strict=False):
        _note_shapes(scope, found)


def _all_graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """``graph`` and its subgraphs, in the order of `index_graph`."""
    waiting = [graph]
    while waiting:
        graph = waiting.pop()
        yield graph
        attributes = (attribute for node in graph.node for attribute in node.attribute)
        waiting.extend(reversed([found for a in attributes for found in _subgraphs(a)]))


def declared_shape(declared: onnx.TypeProto) -> Shape | None:
    """The shape in a type; None where it has none, or is not that of a tensor."""
    if not declared.tensor_type.HasField("shape"):
        return None
    return tuple(
        d.dim_value if d.HasField("dim_value") else (d.dim_param or None)
        for d in declared.tensor_type.shape.dim
    )


def _note_constants(scope: Scope, graph: onnx.GraphProto, make_tensor: TensorMaker) -> None:
    """Index the initializers and inputs of one graph."""
    for tensor in graph.initializer:
        name = tensor.name
        scope.constants[name] = make_tensor(name, tensor, scope.path)
    for sparse in graph.sparse_initializer:
        _note_sparse(scope, sparse.values.name, sparse, make_tensor)
    scope.inputs.update(i.name for i in graph.input if i.name not in scope.constants)


def _note_shapes(scope: Scope, graph: onnx.GraphProto) -> None:
    # Thousands of values have a few types, and to serialize one is quicker than to look into it.
    types: dict[bytes, tuple[Shape | None, int]] = {}
    for values in (graph.input, graph.value_info, graph.output):
        for value in values:
            declared = value.type
            key = declared.SerializeToString()
            if key not in types:
                types[key] = declared_shape(declared), declared.tensor_type.elem_type
            (shape, element), name = types[key], value.name
            if shape is not None:
                scope.shapes[name] = shape
            if element:
                scope.dtypes[name] = dtype_name(element)


def _note_nodes(
    scope: Scope, graph: onnx.GraphProto, make_tensor: TensorMaker, taken: dict[str, int]
) -> list[tuple[onnx.GraphProto, Scope]]:
    """Index the nodes of one graph; answers the subgraphs found in them with their scopes."""
    prefix = "".join(f"{part}/" for part in scope.path)
    subgraphs: list[tuple[onnx.GraphProto, Scope]] = []
    for position, proto in enumerate(graph.node):
        # A slice is one call; iterating asks for each item and then for one too many.
        outputs = tuple(proto.output[:])
        named = [output for output in outputs if output]
        first = named[0] if named else f"node_{position}"
        integers: dict[str, int] = {}
        for attribute in proto.attribute[:]:
            kind = attribute.type
            if kind == _INT:
                integers.setdefault(attribute.name, attribute.i)
            elif kind in (_GRAPH, _GRAPHS):
                for number, subgraph in enumerate(_subgraphs(attribute)):
                    part = attribute.name + (f"_{number}" if attribute.graphs else "")
                    path = (*scope.path, proto.name or first, part)
                    subgraphs.append((subgraph, Scope(path, scope)))
        node = Node(
            _unique(prefix + first, taken),
            proto,
            scope,
            proto.op_type,
            tuple(proto.input[:]),
            outputs,
            integers,
        )
        scope.nodes.append(node)
        for output in named:
            scope.producers[output] = node
        if node.op_type == "Constant" and outputs:
            _note_constant(scope, proto, make_tensor)
    return subgraphs


def _unique(wanted: str, taken: dict[str, int]) -> str:
    """``wanted``, with a number behind it where two subgraphs bear one name.

    ``taken`` has the last number behind each name, so that a file in which all names are one is
    read in linear time.
    """
    name, number = wanted, taken.get(wanted, 1)
    while name in taken:
        number += 1
        name = f"{wanted}#{number}"
    taken.setdefault(name, 1)
    taken[wanted] = number
    return name


def _subgraphs(attribute: onnx.AttributeProto) -> list[onnx.GraphProto]:
    if attribute.type == _GRAPH:
        return [attribute.g]
    return list(attribute.graphs) if attribute.type == _GRAPHS else []


def _note_constant(scope: Scope, proto: onnx.NodeProto, make_tensor: TensorMaker) -> None:
    for attribute in proto.attribute:
        if attribute.name == "value" and attribute.HasField("t"):
            name = proto.output[0]
            scope.constants[name] = make_tensor(name, attribute.t, scope.path)
        elif attribute.name == "sparse_value":
            _note_sparse(scope, proto.output[0], attribute.sparse_tensor, make_tensor)


def _note_sparse(
    scope: Scope, name: str, sparse: onnx.SparseTensorProto, make_tensor: TensorMaker
) -> None:
    scope.sparse_constants.add(name)
    scope.shapes[name] = tuple(sparse.dims)
    for part in (sparse.values, sparse.indices):
        scope.sparse_parts.append(make_tensor(part.name, part, scope.path))


def json_attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """All attributes of ``node`` as JSON-ready values; see `Node.attributes`."""
    return {a.name: _json_ready(a) for a in node.attribute}


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
