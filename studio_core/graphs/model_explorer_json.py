"""Graphs as Model Explorer's JSON: `graph_to_json`, `graph_from_json`, and collections of them.

Keys are Model Explorer's own; ``editable`` and ``display_type`` are those of the contract, which
Model Explorer passes over. What the wire has no word for (a bar's certainty and the notes) is
not written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from studio_core.attributes import spec_from_json, spec_to_json
from studio_core.errors import InvalidRequestError
from studio_core.graphs.bulk import without_collection
from studio_core.graphs.records import (
    Graph,
    GraphAttribute,
    GraphCollection,
    GraphEdge,
    GraphNode,
    Overlay,
    PortMetadata,
)

Json = dict[str, Any]


def collection_to_json(collection: GraphCollection) -> Json:
    return {"label": collection.label, "graphs": [graph_to_json(g) for g in collection.graphs]}


def graph_to_json(graph: Graph) -> Json:
    """The graph as Model Explorer reads it; overlays, overrides and code where there are any."""
    with without_collection():
        nodes = [_node_to_json(node) for node in graph.nodes]
    content: Json = {
        "id": graph.id,
        "nodes": nodes,
        "groupNodeAttributes": {name: dict(v) for name, v in graph.group_attributes.items()},
        "groupNodeConfigs": [],
    }
    if graph.overlays:
        content["overlays"] = {
            kind: {graph.id: overlay_to_json(overlay)} for kind, overlay in graph.overlays.items()
        }
    if graph.overrides is not None:
        content["overrides"] = dict(graph.overrides)
    if graph.cpp_code is not None:
        content["cppCode"] = graph.cpp_code
    return content


def overlay_to_json(overlay: Overlay) -> Json:
    """Node data of one graph: values by node id, and their colours."""
    content: Json = {
        "name": overlay.name,
        "results": {node: {"value": value} for node, value in overlay.values.items()},
    }
    if overlay.gradient:
        content["gradient"] = [{"stop": s, "bgColor": colour} for s, colour in overlay.gradient]
    if overlay.thresholds:
        content["thresholds"] = [{"value": v, "bgColor": c} for v, c in overlay.thresholds]
    return content


def _node_to_json(node: GraphNode) -> Json:
    content: Json = {
        "id": node.id,
        "label": node.label,
        "namespace": node.namespace,
        "attrs": [_attribute_to_json(a) for a in node.attributes],
        "incomingEdges": [
            {
                "sourceNodeId": edge.source,
                "sourceNodeOutputId": edge.source_output,
                "targetNodeInputId": edge.target_input,
            }
            for edge in node.incoming
        ],
        "outputsMetadata": [_port_to_json(port) for port in node.outputs],
        "inputsMetadata": [_port_to_json(port) for port in node.inputs],
    }
    if node.pinned:
        content["config"] = {"pinToGroupTop": True}
    return content


def _port_to_json(port: PortMetadata) -> Json:
    return {"id": port.id, "attrs": [_attribute_to_json(a) for a in port.attributes]}


def _attribute_to_json(attribute: GraphAttribute) -> Json:
    content: Json = {"key": attribute.key, "value": attribute.value}
    if attribute.editable is not None:
        content["editable"] = spec_to_json(attribute.editable)
    if attribute.display_type is not None:
        content["display_type"] = attribute.display_type
    return content


def collections_from_json(content: object) -> tuple[GraphCollection, ...]:
    """What a file or an answer holds: ``graphs``, ``graphCollections``, or a list of collections.

    Raises `InvalidRequestError` with the place at which it is something else.
    """
    if isinstance(content, Mapping) and "graphCollections" in content:
        content = content["graphCollections"]
    if isinstance(content, Mapping) and "graphs" in content:
        content = [{"label": "", **content}]
    return tuple(
        GraphCollection(
            _text(item, "label", "a graph collection", ""),
            tuple(graph_from_json(g) for g in _items(item, "graphs", "a graph collection")),
        )
        for item in (_object(c, "a graph collection") for c in _list(content, "the file"))
    )


def graph_from_json(content: object) -> Graph:
    """The graph of Model Explorer's JSON.

    Raises `InvalidRequestError` with the place of what is of another form; `check_graph` says
    whether its ids are unique and its edges end somewhere.
    """
    graph = _object(content, "a graph")
    attributes = _object(graph.get("groupNodeAttributes") or {}, "groupNodeAttributes")
    overrides, cpp_code = graph.get("overrides"), graph.get("cppCode")
    return Graph(
        _text(graph, "id", "a graph"),
        tuple(_node_from_json(node) for node in _items(graph, "nodes", "a graph")),
        {
            namespace: {str(k): str(v) for k, v in _object(values, "group attributes").items()}
            for namespace, values in attributes.items()
        },
        dict(_overlays_from_json(graph.get("overlays") or {})),
        _object(overrides, "overrides") if overrides is not None else None,
        cpp_code if isinstance(cpp_code, str) else None,
    )


def _overlays_from_json(content: object) -> Iterable[tuple[str, Overlay]]:
    for kind, by_graph in _object(content, "overlays").items():
        for data in _object(by_graph, f"overlay {kind!r}").values():
            yield kind, overlay_from_json(data, kind)


def overlay_from_json(content: object, name: str = "") -> Overlay:
    """The overlay of one graph's node data; ``name`` where the data have none."""
    data = _object(content, "node data")
    results = _object(data.get("results") or {}, "results")
    values = {
        node: _overlay_value(result["value"] if isinstance(result, Mapping) else result)
        for node, result in results.items()
        if not isinstance(result, Mapping) or "value" in result
    }
    stops = _items(data, "gradient", "node data", optional=True)
    thresholds = _items(data, "thresholds", "node data", optional=True)
    return Overlay(
        _text(data, "name", "node data", name),
        values,
        tuple(_colour(stop, "stop") for stop in stops),
        tuple(_colour(threshold, "value") for threshold in thresholds),
    )


def _overlay_value(value: object) -> float | str:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise InvalidRequestError("The value of a node in node data must be a number or text.")
    return value


def _colour(content: object, key: str) -> tuple[float, str]:
    item = _object(content, f"a {key} of node data")
    number = item.get(key)
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise InvalidRequestError(f"{key} of node data must be a number.")
    return float(number), _text(item, "bgColor", "node data", "")


def _node_from_json(content: object) -> GraphNode:
    node = _object(content, "a node")
    where = f"node {str(node.get('id'))[:80]!r}"
    config = node.get("config")
    return GraphNode(
        _text(node, "id", "a node"),
        _text(node, "label", where, ""),
        _text(node, "namespace", where, ""),
        tuple(_attribute_from_json(a, where) for a in _items(node, "attrs", where, optional=True)),
        tuple(
            _edge_from_json(e, where) for e in _items(node, "incomingEdges", where, optional=True)
        ),
        tuple(_ports_from_json(node, "outputsMetadata", where)),
        tuple(_ports_from_json(node, "inputsMetadata", where)),
        isinstance(config, Mapping) and bool(config.get("pinToGroupTop")),
    )


def _ports_from_json(node: Mapping[str, Any], key: str, where: str) -> Iterable[PortMetadata]:
    for item in _items(node, key, where, optional=True):
        port = _object(item, f"{key} of {where}")
        attributes = _items(port, "attrs", where, optional=True)
        yield PortMetadata(
            _text(port, "id", where), tuple(_attribute_from_json(a, where) for a in attributes)
        )


def _edge_from_json(content: object, where: str) -> GraphEdge:
    edge = _object(content, f"an edge of {where}")
    return GraphEdge(
        _text(edge, "sourceNodeId", where),
        _text(edge, "sourceNodeOutputId", where, "0"),
        _text(edge, "targetNodeInputId", where, "0"),
    )


def _attribute_from_json(content: object, where: str) -> GraphAttribute:
    attribute = _object(content, f"an attribute of {where}")
    value, editable = attribute.get("value", ""), attribute.get("editable")
    return GraphAttribute(
        _text(attribute, "key", where),
        value if isinstance(value, str) else _special_value(value, where),
        spec_from_json(editable) if editable is not None else None,
        "memory" if attribute.get("display_type") == "memory" else None,
    )


def _special_value(value: object, where: str) -> str:
    """Model Explorer's other kind of value links to nodes; numbers are let pass as text."""
    if isinstance(value, Mapping) and isinstance(value.get("nodeIds"), list):
        return ", ".join(map(str, value["nodeIds"]))
    if isinstance(value, (int, float)):
        return str(value)
    raise InvalidRequestError(f"An attribute of {where} has a value that is no text.")


def _object(content: object, what: str) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise InvalidRequestError(f"{what.capitalize()} must be a JSON object.")
    return content


def _list(content: object, what: str) -> list[Any]:
    if not isinstance(content, list):
        raise InvalidRequestError(f"{what.capitalize()} must hold a list of graphs.")
    return content


def _items(content: Mapping[str, Any], key: str, what: str, *, optional: bool = False) -> list[Any]:
    found = content.get(key)
    if found is None and optional:
        return []
    if not isinstance(found, list):
        raise InvalidRequestError(f"'{key}' of {what} must be a list.")
    return found


def _text(content: Mapping[str, Any], key: str, what: str, default: str | None = None) -> str:
    found = content.get(key, default)
    if not isinstance(found, str):
        raise InvalidRequestError(f"'{key}' of {what} must be text.")
    return found
