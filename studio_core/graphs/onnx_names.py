"""Groups of an ONNX model: from its nodes' names, and from the subgraphs they hold."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

import onnx

from studio_core.models.graph_index import Node, Scope
from studio_core.models.model import Model

_SCOPES_KEY = "pkg.torch.onnx.name_scopes"
_MOST_TEXT = 10_000
_KIND = onnx.AttributeProto


def name_parts(node: Node) -> list[str]:
    """The groups that a node's name speaks of: ``/encoder/layer.0/MatMul`` → encoder, layer.0.

    Newer exporters of PyTorch keep the modules as metadata instead; names without a path leave it
    to the first output's name.
    """
    for entry in node.proto.metadata_props:
        if entry.key == _SCOPES_KEY:
            modules = _modules(entry.value)
            if modules is not None:
                return modules
    name = node.name
    if "/" not in name and node.outputs:
        name = node.outputs[0]
    return [part for part in name.split("/")[:-1] if part]


def _modules(text: str) -> list[str] | None:
    """``['', 'encoder', 'encoder.layer.0', 'linear']`` → encoder, layer.0; None if it is none."""
    if len(text) > _MOST_TEXT:
        return None
    try:
        scopes = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        return None
    parts, outer = [], ""
    for scope in scopes[:-1]:
        if scope:
            parts.append(scope.removeprefix(f"{outer}.").replace("/", "."))
            outer = scope
    return parts


@dataclass(frozen=True, eq=False)
class Subgraph:
    """One graph of a model; ``owner`` holds it in its attribute ``branch``, None for the main one.

    ``inputs`` and ``outputs`` are the names of its values, in order; initializers are no inputs.
    """

    scope: Scope
    owner: Node | None
    branch: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def subgraphs(model: Model) -> Iterator[Subgraph]:
    """All graphs of ``model``, in the order of its scopes."""
    inputs = tuple(value.name for value in model.inputs)
    outputs = tuple(value.name for value in model.outputs)
    waiting: list[tuple[onnx.GraphProto, Node | None, str]] = [(model.proto.graph, None, "")]
    for scope in model.scopes:
        graph, owner, branch = waiting.pop()
        if owner is not None:
            inputs = tuple(v.name for v in graph.input if v.name not in scope.constants)
            outputs = tuple(v.name for v in graph.output)
        yield Subgraph(scope, owner, branch, inputs, outputs)
        if len(model.scopes) > 1:
            waiting.extend(reversed(list(_held(scope))))


def _held(scope: Scope) -> Iterator[tuple[onnx.GraphProto, Node, str]]:
    """The graphs in the attributes of the nodes of ``scope``, in the order of `Model.scopes`."""
    for node in scope.nodes:
        for attribute in node.proto.attribute:
            if attribute.type == _KIND.GRAPH:
                yield attribute.g, node, attribute.name
            elif attribute.type == _KIND.GRAPHS:
                for number, graph in enumerate(attribute.graphs):
                    yield graph, node, f"{attribute.name}_{number}"
