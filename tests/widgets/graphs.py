"""Graphs made of plain records: decoder layers with attention and an MLP each, of any number."""

from __future__ import annotations

from collections.abc import Sequence

from studio_core.attributes.specs import GridSpec, IntListSpec, ValueListSpec
from studio_core.graphs.records import (
    Graph,
    GraphAttribute,
    GraphEdge,
    GraphNode,
    Overlay,
    PortMetadata,
)

from .fakes import HOSTILE

_ATTENTION = (
    ("norm", "ttnn.rms_norm", ("",)),
    ("query", "ttnn.linear", ("norm",)),
    ("key", "ttnn.linear", ("norm",)),
    ("value", "ttnn.linear", ("norm",)),
    ("heads", "ttnn.reshape", ("query",)),
    ("turned", "ttnn.permute", ("heads",)),
    ("scores", "ttnn.matmul", ("turned", "key")),
    ("scale", "ttnn.multiply", ("scores",)),
    ("softmax", "ttnn.softmax", ("scale",)),
    ("mix", "ttnn.matmul", ("softmax", "value")),
    ("to_l1", "ttnn.to_memory_config", ("mix",)),
    ("out", "ttnn.linear", ("to_l1",)),
    ("residual", "ttnn.add", ("out", "")),
)
_MLP = (
    ("norm", "ttnn.layer_norm", ("",)),
    ("up", "ttnn.linear", ("norm",)),
    ("act", "ttnn.gelu", ("up",)),
    ("down", "ttnn.linear", ("act",)),
    ("cast", "ttnn.typecast", ("down",)),
    ("pool", "ttnn.mean", ("cast",)),
    ("residual", "ttnn.add", ("pool", "")),
)
NODES_A_LAYER = len(_ATTENTION) + len(_MLP)


def make_node(
    node_id: str, label: str, namespace: str, sources: Sequence[str], shape: str = "[1, 32, 4096]"
) -> GraphNode:
    known = (GraphAttribute("shape", shape), GraphAttribute("dtype", "bf16"))
    return GraphNode(
        node_id,
        label,
        namespace,
        (GraphAttribute("named_location", node_id), *known),
        tuple(GraphEdge(source, "0", str(i)) for i, source in enumerate(sources)),
        (PortMetadata("0", known),),
    )


def decoder(layers: int) -> Graph:
    """Two inputs, ``layers`` decoder layers, a head with a hostile name, and a return."""
    nodes = [make_node(f"%arg{i}", f"%arg{i}", "Inputs", []) for i in range(2)]
    last = "%arg0"
    for number in range(layers):
        for part, table in (("attention", _ATTENTION), ("mlp", _MLP)):
            group, before = f"decoder/layer_{number}/{part}", last
            for name, label, sources in table:
                ids = [f"{group}/{s}" if s else before for s in sources]
                nodes.append(make_node(f"{group}/{name}", label, group, ids))
                last = f"{group}/{name}"
    nodes.append(make_node("norm", "ttnn.rms_norm", "head", [last]))
    nodes.append(make_node(HOSTILE, HOSTILE, "head", ["norm", "%arg1"], "[1, 32, 128256]"))
    nodes.append(make_node("return", "return", "", [HOSTILE]))
    times = {n.id: float(10 + 37 * i % 9000) for i, n in enumerate(nodes) if "ttnn" in n.label}
    accuracy = {node_id: 0.01 - (value % 7) / 100 for node_id, value in times.items()}
    overlays = {
        "perf_data": Overlay("Performance", times, ((0.0, "yellow"), (1.0, "red")), unit="ns"),
        "accuracy_data": Overlay("Accuracy", accuracy, thresholds=((0.0, "red"), (1.0, "green"))),
    }
    return Graph("decoder", tuple(nodes), overlays=overlays)


def editable_node(name: str = "relu_3") -> GraphNode:
    """A node with each kind of editable attribute, memory bars, and one that cannot be read."""
    return GraphNode(
        name,
        "ttnn.relu",
        attributes=(
            GraphAttribute("data_type", "bf16", ValueListSpec(("bf16", "f32", "bfp_bf8"))),
            GraphAttribute("grid_shape", "8x8", GridSpec(1, 10, 1, "x", (10, 8))),
            GraphAttribute("act_block_h", "[32, 64]", IntListSpec(0, 96, 32)),
            GraphAttribute("broken", "many", IntListSpec()),
            GraphAttribute("l1_memory", "0.42", None, "memory", "lower bound", "Buffers missing."),
            GraphAttribute("dram_memory", "NaN", None, "memory", "unknown"),
            GraphAttribute(HOSTILE, HOSTILE),
        ),
        outputs=(PortMetadata("0", (GraphAttribute("rank", "4"),)),),
    )
