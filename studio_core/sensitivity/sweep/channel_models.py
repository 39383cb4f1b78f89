"""One layer alone with fewer output channels, as a tiny ONNX model: what channel pruning leaves.

The node is the layer's own (operator, attributes, opset), its input has the shape it has in
the model, and the weight really is smaller. Weight and input are seeded random numbers: a
dense kernel takes as long for any. Layers behind it, which lose inputs, are not counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from studio_core.evaluation.runtime import Array
from studio_core.layers.layer import Layer
from studio_core.models.graph_index import Node
from studio_core.models.model import Model
from studio_core.pruning.channels import BLOCK, num_kept_channels

_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)
_INPUT, _WEIGHT, _BIAS = "x", "weight", "bias"


@dataclass(frozen=True)
class ChannelLayer:
    """What of a layer is needed to build it with fewer channels.

    ``weight`` and ``data`` are the shapes of its two operands as the node reads them,
    ``weight_input`` the position of the weight, ``axis`` that of its output channels.
    """

    node: Node
    weight: tuple[int, ...]
    data: tuple[int, ...]
    weight_input: int
    axis: int
    element_type: int

    @property
    def num_channels(self) -> int:
        return self.weight[self.axis]

    @property
    def is_depthwise(self) -> bool:
        """Each filter reads one channel, so input channels go with the outputs."""
        return self._group > 1 and self.weight[1] == 1

    @property
    def _group(self) -> int:
        return max(1, self.node.integer("group", 1))

    def num_kept(self, sparsity: float) -> int:
        """Output channels left, in whole blocks (and groups)."""
        if self.is_depthwise:  # counted in input channels, each with all of its filters
            return num_kept_channels(self._group, sparsity) * (self.num_channels // self._group)
        return num_kept_channels(self.num_channels, sparsity, math.lcm(BLOCK, self._group))

    def feed(self, num_kept: int, times_batch: int = 1) -> dict[str, Array]:
        """Random data in the shape that the layer reads, for so many times the model's batch."""
        shape = list(self.data)
        if self.weight_input == 1 or len(shape) > 2:
            shape[0] *= times_batch
        if self.is_depthwise:
            shape[1] = self._group * num_kept // self.num_channels
        return {_INPUT: _random(tuple(shape), self.element_type)}

    def write(self, model: Model, num_kept: int, path: Path) -> Path:
        """Write the layer with ``num_kept`` output channels to ``path``."""
        node = onnx.NodeProto()
        node.CopyFrom(self.node.proto)
        output = next(name for name in node.output if name)
        del node.input[:], node.output[:]
        operands = [_WEIGHT, _INPUT] if self.weight_input == 0 else [_INPUT, _WEIGHT]
        node.input.extend(operands)
        node.output.append(output)
        if self.is_depthwise:
            for attribute in node.attribute:
                if attribute.name == "group":
                    attribute.i = self._group * num_kept // self.num_channels
        shape = tuple(num_kept if i == self.axis else d for i, d in enumerate(self.weight))
        weights = {_WEIGHT: _random(shape, self.element_type)}
        if len(self.node.inputs) > 2 and self.node.inputs[2] and self.weight_input == 1:
            node.input.append(_BIAS)
            weights[_BIAS] = _random((num_kept,), self.element_type)
        path.write_bytes(self._model(model, node, weights, output).SerializeToString())
        return path

    def _model(
        self, model: Model, node: onnx.NodeProto, weights: Mapping[str, Array], output: str
    ) -> onnx.ModelProto:
        # The shape of the input is left open: `feed` gives it.
        made = onnx.helper.make_tensor_value_info
        graph = onnx.helper.make_graph(
            [node],
            "layer",
            [made(_INPUT, self.element_type, None)],
            [made(output, self.element_type, None)],
            [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
        )
        proto = onnx.ModelProto(ir_version=model.proto.ir_version, graph=graph)
        proto.opset_import.extend(model.proto.opset_import)
        return proto


def channel_layer(node: Node, layer: Layer) -> ChannelLayer | str:
    """The layer ready to be built smaller, or why it cannot be timed with fewer channels."""
    if layer.weight is None or not layer.is_prunable:
        return layer.reason or "It has no constant weight."
    if layer.weight.quantization is not None:
        return "Its weight is quantized; alone it would not run as it does in the model."
    found = next((p for p in (1, 0) if _leads_to_weight(node, p, layer)), None)
    if found is None:
        return "Its weight was not found among its inputs."
    weight, data = (node.scope.shape(node.inputs[p]) for p in (found, 1 - found))
    if weight is None or data is None:
        return "The shape of its input is unknown."
    sizes = tuple(d for d in (*weight, *data) if isinstance(d, int))
    if len(sizes) < len(weight) + len(data):
        return "The shape of its input is unknown: give sizes to the model's free dimensions."
    axis = _output_axis(node, found, len(weight))
    if axis is None:
        return "Its weight has no axis of output channels that can be cut."
    element_type = layer.weight.tensor.proto.data_type
    if element_type not in _FLOATS:
        return f"Its weight has the type {layer.weight.tensor.dtype_name}."
    return ChannelLayer(node, sizes[: len(weight)], sizes[len(weight) :], found, axis, element_type)


def _leads_to_weight(node: Node, position: int, layer: Layer) -> bool:
    """Whether the input at ``position`` is the constant one."""
    if position >= len(node.inputs):
        return False
    scope, name = node.scope, node.inputs[position]
    for _ in range(len(layer.weight.steps) + 1 if layer.weight else 0):
        tensor = scope.constant(name)
        if tensor is not None:
            return layer.weight is not None and tensor is layer.weight.tensor
        producer = scope.producer(name)
        if producer is None or not producer.inputs:
            return False
        scope, name = producer.scope, producer.inputs[0]
    return False


def _output_axis(node: Node, position: int, rank: int) -> int | None:
    if node.op_type == "Conv":
        return 0
    if node.op_type == "ConvTranspose":
        return 1 if node.integer("group", 1) == 1 else None
    if rank < 2:
        return None
    if node.op_type == "Gemm":
        flipped = bool(node.integer("trans" + "AB"[position], 0))
        return int(flipped) if position == 0 else int(not flipped)
    return rank - 1 if position == 1 else rank - 2


def _random(shape: tuple[int, ...], element_type: int) -> Array:
    dtype = onnx.helper.tensor_dtype_to_np_dtype(element_type)
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)
