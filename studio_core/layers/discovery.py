"""Finding the layers of a model: `find_layers`.

Every node that carries a weight is a layer and gets a status; so do Conv, Gemm and MatMul
nodes without one (an attention product, for example), because a person looks for them.
Nothing is left out silently.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from studio_core.layers.costs import Macs, count_macs
from studio_core.layers.layer import Layer, LayerStatus, NodeAttributes
from studio_core.layers.tracing import PASS_THROUGH, trace_weight
from studio_core.layers.weight import Weight
from studio_core.models.graph_index import Node, Shape
from studio_core.models.model import Model

# Which inputs of an operator may be the weight, in order of preference.
_WEIGHT_INPUTS = {"Conv": (1,), "ConvTranspose": (1,), "Gemm": (1, 0), "MatMul": (1, 0)}
_PACKED = frozenset({"int8", "uint8", "int4", "uint4", "int2", "uint2"})
_NO_LAYER = PASS_THROUGH | {"Constant"}
_BIAS_INPUT = {"Conv": 2, "ConvTranspose": 2, "Gemm": 2}

_WHY_NOT = {
    "Gather": "An embedding table is looked up, not multiplied; its rows are used as they are.",
    "QLinearConv": "Integer operator: export the model in QDQ format to prune it.",
    "QLinearMatMul": "Integer operator: export the model in QDQ format to prune it.",
    "QGemm": "Integer operator: export the model in QDQ format to prune it.",
    "ConvInteger": "Integer operator: export the model in QDQ format to prune it.",
    "MatMulInteger": "Integer operator: export the model in QDQ format to prune it.",
    "MatMulNBits": "Weights are packed in blocks of few bits; prune before quantizing.",
    "LSTM": "Recurrent weights are not pruned yet.",
    "GRU": "Recurrent weights are not pruned yet.",
    "RNN": "Recurrent weights are not pruned yet.",
    "Einsum": "Einsum is not pruned yet; export the layer as MatMul.",
}


def find_layers(model: Model) -> tuple[Layer, ...]:
    """All layers of ``model`` in the order of its nodes, each with status and costs."""
    layers = [layer for node in model.nodes() if (layer := _layer(node, model)) is not None]
    return tuple(_mark_shared(layers))


def _layer(node: Node, model: Model) -> Layer | None:
    if node.domain == "" and node.op_type in _WEIGHT_INPUTS:
        return _candidate(node, model)
    return _other_with_weight(node)


def _candidate(node: Node, model: Model) -> Layer:
    """A Conv, ConvTranspose, Gemm or MatMul, with or without a constant weight."""
    weights = {
        i: weight
        for i in _WEIGHT_INPUTS[node.op_type]
        if i < len(node.inputs) and (weight := trace_weight(node.scope, node.inputs[i]))
    }
    if not weights:
        macs = count_macs(node, None, model.batch)
        return _describe(node, None, macs, LayerStatus.NOT_PRUNABLE, (_no_weight(node),))
    weight = next(iter(weights.values()))
    if len(weights) > 1:
        reason = "Both inputs are constant: the result is a constant, not a layer."
        return _describe(node, weight, None, LayerStatus.NOT_PRUNABLE, (reason,))
    macs = count_macs(node, weight, model.batch)
    refusal = _refusal(weight)
    if refusal:
        return _describe(node, weight, macs, LayerStatus.NOT_PRUNABLE, (refusal,))
    status, reasons = _status(node, weight)
    return _describe(node, weight, macs, status, reasons)


def _no_weight(node: Node) -> str:
    names = [node.inputs[i] for i in _WEIGHT_INPUTS[node.op_type] if i < len(node.inputs)]
    if any(name in scope.sparse_constants for name in names for scope in node.scope.outwards()):
        return "The weight is stored as a sparse initializer already."
    if node.op_type in ("MatMul", "Gemm"):
        return "No constant weight: both inputs are computed."
    return "No constant weight: the kernel is computed."


def _refusal(weight: Weight) -> str:
    """Why this weight cannot be pruned, or an empty string."""
    tensor = weight.tensor
    if not tensor.size:
        return "The weight is empty."
    if weight.quantization is None and not tensor.is_float:
        return f"The weight has integer type {tensor.dtype_name}, which Studio does not prune."
    if weight.fault:
        return f"The weight is quantized in a way Studio does not read. {weight.fault}"
    return ""


def _status(node: Node, weight: Weight) -> tuple[LayerStatus, tuple[str, ...]]:
    found: list[tuple[LayerStatus, str]] = []
    if node.scope.path:
        path = " / ".join(node.scope.path)
        found.append((LayerStatus.IN_SUBGRAPH, f"Runs inside the subgraph {path}."))
    group = node.integer("group", 1)
    if group > 1:
        found.append(_grouping(group, node.scope.shape(node.inputs[1]) or weight.shape))
    if not found:
        return LayerStatus.PRUNABLE, ()
    return found[0][0], tuple(reason for _, reason in found)


def _grouping(group: int, shape: Shape) -> tuple[LayerStatus, str]:
    if len(shape) > 1 and shape[1] == 1:
        return (
            LayerStatus.DEPTHWISE,
            "Depthwise convolution: few weights, each used often; usually fragile.",
        )
    return (
        LayerStatus.GROUPED,
        f"Convolution in {group} groups; channels can only be removed within a group.",
    )


def _other_with_weight(node: Node) -> Layer | None:
    """Any other operator with a constant of two real dimensions, listed with the reason."""
    if node.domain == "" and node.op_type in _NO_LAYER:
        return None
    for name in node.inputs:
        weight = trace_weight(node.scope, name) if name else None
        if weight is not None and _is_matrix(weight):
            reason = _WHY_NOT.get(node.op_type, f"{node.op_type} is not an operator Studio prunes.")
            return _describe(node, weight, None, LayerStatus.NOT_PRUNABLE, (reason,))
    return None


def _is_matrix(weight: Weight) -> bool:
    is_number = weight.tensor.is_float or weight.tensor.dtype_name in _PACKED
    return is_number and sum(d > 1 for d in weight.shape) > 1


def _describe(
    node: Node,
    weight: Weight | None,
    macs: Macs | None,
    status: LayerStatus,
    reasons: tuple[str, ...],
) -> Layer:
    bias = _bias(node)
    return Layer(
        id=node.id,
        name=weight.name if weight is not None else node.name or node.id,
        node_name=node.name,
        op_type=node.op_type,
        inputs=node.inputs,
        outputs=node.outputs,
        attributes=NodeAttributes(node.proto),
        status=status,
        reasons=reasons,
        weight=weight,
        bias_size=bias.size if bias is not None else 0,
        bias_bytes=bias.num_bytes if bias is not None else 0,
        scope=node.scope.path,
        input_shape=node.scope.shape(node.inputs[0]) if node.inputs else None,
        output_shape=node.scope.shape(node.outputs[0]) if node.outputs else None,
        macs=macs.count if macs else None,
        macs_unknown_because=macs.unknown_because if macs else "",
        group=max(1, node.integer("group", 1)),
    )


def _bias(node: Node) -> Weight | None:
    position = _BIAS_INPUT.get(node.op_type) if node.domain == "" else None
    if position is None or position >= len(node.inputs) or not node.inputs[position]:
        return None
    return trace_weight(node.scope, node.inputs[position])


def _mark_shared(layers: list[Layer]) -> list[Layer]:
    """Layers whose stored weight is one and the same say so, with each other's ids."""
    by_key: dict[tuple[str, int, int], list[str]] = defaultdict(list)
    for layer in layers:
        if layer.weight is not None:
            by_key[layer.weight.key].append(layer.id)
    return [_with_partners(layer, by_key) for layer in layers]


def _with_partners(layer: Layer, by_key: dict[tuple[str, int, int], list[str]]) -> Layer:
    if layer.weight is None:
        return layer
    sharing = by_key[layer.weight.key]
    if len(sharing) == 1:
        return layer
    partners = tuple(i for i in sharing if i != layer.id)
    names = ", ".join(f"'{partner}'" for partner in partners)
    reason = f"Shares its weight with {names}; they can only be pruned together."
    status = layer.status
    if status not in (LayerStatus.NOT_PRUNABLE, LayerStatus.IN_SUBGRAPH):
        status = LayerStatus.SHARED_WEIGHT
    return replace(layer, shared_with=partners, status=status, reasons=(reason, *layer.reasons))
