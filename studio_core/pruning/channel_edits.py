"""What changes in a graph's nodes and declarations when channels go, besides the constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx

from studio_core.errors import InvalidRequestError
from studio_core.models.graph_index import Node
from studio_core.pruning.channel_flow import ChannelFlow, Segment
from studio_core.pruning.spans import Field, fields
from studio_core.pruning.splice import Edit

# Fields of ModelProto and GraphProto in onnx.proto.
_GRAPH, _NODE, _VALUE_INFO = 7, 1, 13

NumPlaces = Callable[[Sequence[Segment]], int]


def graph_edits(data: memoryview, flow: ChannelFlow, num_left: NumPlaces) -> list[Edit]:
    """New ``group`` numbers of depthwise convolutions, and no declared shapes that are wrong.

    ``num_left`` tells how many places of some segments stay. Shapes of values between
    layers are optional in ONNX; those that changed are left out and inferred again.
    """
    if flow.model.proto.functions or _has_functions(data):
        raise InvalidRequestError(
            "The model has local functions, in which channels cannot be removed. Expand them "
            "first (onnx.inliner)."
        )
    graphs = [f for f in fields(data, 0, len(data)) if f.number == _GRAPH]
    if len(graphs) != 1:
        raise InvalidRequestError("The graph is stored in pieces. Save the model with onnx.save.")
    parts = list(fields(data, graphs[0].body, graphs[0].end))
    nodes = [part for part in parts if part.number == _NODE]
    edits = _group_edits(data, flow, nodes, graphs[0], num_left)
    changed = {n for n, c in flow.values.items() if num_left(c.segments) != c.size}
    for part in parts:
        if part.number == _VALUE_INFO:
            value = onnx.ValueInfoProto.FromString(bytes(data[part.body : part.end]))
            if value.name in changed:
                edits.append(Edit(part.start, part.end, 0, bytes, (graphs[0],)))
    return edits


def _has_functions(data: memoryview) -> bool:
    return any(field.number == 25 for field in fields(data, 0, len(data)))


def _group_edits(
    data: memoryview,
    flow: ChannelFlow,
    nodes: Sequence[Field],
    graph: Field,
    num_left: NumPlaces,
) -> list[Edit]:
    positions = {id(node): i for i, node in enumerate(flow.scope.nodes)}
    found = []
    for node, segments in flow.depthwise:
        left = num_left(segments)
        if left == node.integer("group", 1):
            continue
        field = nodes[positions[id(node)]]
        content = _with_group(bytes(data[field.body : field.end]), node, left)
        found.append(_replaced(field, graph, content))
    return found


def _replaced(field: Field, graph: Field, content: bytes) -> Edit:
    return Edit(field.body, field.end, len(content), lambda: content, (graph, field))


def _with_group(stored: bytes, node: Node, group: int) -> bytes:
    proto = onnx.NodeProto.FromString(stored)
    if list(proto.output) != list(node.outputs):
        raise InvalidRequestError("The model was changed since it was opened. Open it again.")
    for attribute in proto.attribute:
        if attribute.name == "group":
            attribute.i = group
    return proto.SerializeToString()
