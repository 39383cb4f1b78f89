"""The peer that the benchmarks compare with: how SparseML 1.8 estimates a model's loss curves.

Written anew from what that tool is publicly known to do, for comparison only: `onnx.load`
of the whole file; a search through all initializers for each node's inputs; each weight as a
fresh array, flattened, made absolute and sorted; a cumulative sum read at every level.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

_PRUNABLE = ("Conv", "Gemm", "MatMul")


def _initializer(model: onnx.ModelProto, name: str) -> onnx.TensorProto | None:
    """By a walk through the list, as there: quadratic in the size of the model."""
    for tensor in model.graph.initializer:
        if tensor.name == name:
            return tensor
    return None


def _weight_of(model: onnx.ModelProto, node: onnx.NodeProto) -> onnx.TensorProto | None:
    found = [tensor for name in node.input if (tensor := _initializer(model, name)) is not None]
    matrices = [tensor for tensor in found if len(tensor.dims) > 1]
    return matrices[0] if matrices else None


def prunable_nodes(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    candidates = [node for node in model.graph.node if node.op_type in _PRUNABLE]
    return [node for node in candidates if _weight_of(model, node) is not None]


def loss_curves(path: Path, levels: np.ndarray) -> dict[str, np.ndarray]:
    """Sum of the removed |w| at each level, by node."""
    model = onnx.load(str(path))
    curves = {}
    for node in prunable_nodes(model):
        tensor = _weight_of(model, node)
        assert tensor is not None
        values = numpy_helper.to_array(tensor)
        ordered = np.sort(np.abs(values.flatten()))
        sums = np.cumsum(ordered)
        places = np.clip(np.rint(levels * ordered.size).astype(int) - 1, 0, ordered.size - 1)
        curves[node.output[0]] = sums[places]
    return curves


def open_model(path: Path) -> int:
    """The plain way to a graph with shapes: load everything, then infer."""
    model = onnx.shape_inference.infer_shapes(onnx.load(str(path)), data_prop=True)
    return len(model.graph.node)
