"""A sweep as anybody would write it: the model built anew for each layer and level, and run.

numpy, onnx and onnxruntime, and nothing of Studio's: neither its masks nor its metrics.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

Feed = Mapping[str, np.ndarray[Any, Any]]


class NaiveSweep:
    """The model at ``path`` on ``feed``; `relative_l2` and `softmax_kl` answer a mean loss."""

    def __init__(self, path: Path, feed: Feed) -> None:
        self._model, self._feed = onnx.load(path), dict(feed)
        self._dense = self._outputs(self._model)

    def relative_l2(self, weight: str, sparsity: float) -> float:
        """Mean over the samples of ‖pruned − dense‖ / ‖dense‖, all outputs together."""
        error, power = 0.0, 0.0
        for pruned, dense in zip(self._pruned(weight, sparsity), self._dense, strict=True):
            one, other = (np.asarray(x, np.float64).reshape(len(x), -1) for x in (pruned, dense))
            error, power = error + ((one - other) ** 2).sum(1), power + (other**2).sum(1)
        return float(np.mean(np.sqrt(error / power)))

    def softmax_kl(self, weight: str, sparsity: float) -> float:
        """Mean over the samples of Σ p log(p / q), p of the dense and q of the pruned model."""
        p, q = (_softmax(x[0]) for x in (self._dense, self._pruned(weight, sparsity)))
        return float(np.mean((p * np.log(p / q)).sum(1)))

    def _pruned(self, weight: str, sparsity: float) -> list[Any]:
        tensor = _tensor(self._model.graph, weight)
        values = numpy_helper.to_array(tensor).copy()
        zeros, scales = _quantization(self._model.graph, weight, values)
        removed = _smallest(np.abs(values.astype(np.float64) - zeros) * scales, sparsity)
        pruned = np.where(removed, zeros, values).astype(values.dtype)
        tensor.CopyFrom(numpy_helper.from_array(pruned, tensor.name))
        try:
            return self._outputs(self._model)
        finally:
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))

    def _outputs(self, model: onnx.ModelProto) -> list[Any]:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return list(session.run(None, self._feed))


def _smallest(magnitudes: np.ndarray[Any, Any], sparsity: float) -> np.ndarray[Any, Any]:
    """True for the share ``sparsity`` of the weights, the smallest; of equal ones the first."""
    count = int(np.floor(sparsity * magnitudes.size + 0.5))
    removed = np.zeros(magnitudes.size, bool)
    removed[np.argsort(magnitudes.reshape(-1), kind="stable")[:count]] = True
    return removed.reshape(magnitudes.shape)


def _tensor(graph: onnx.GraphProto, name: str) -> onnx.TensorProto:
    """The initializer, or the tensor of the Constant node, of that name."""
    for tensor in graph.initializer:
        if tensor.name == name:
            return tensor
    return next(n.attribute[0].t for n in graph.node if n.output[0] == name)


def _quantization(graph: onnx.GraphProto, name: str, values: Any) -> tuple[Any, Any]:
    """Zero points and scales of a weight that a DequantizeLinear reads, in its shape."""
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] == name:
            scale, zero = (numpy_helper.to_array(_tensor(graph, n)) for n in node.input[1:])
            axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
            shape = [-1 if i == axis else 1 for i in range(values.ndim)] if scale.size > 1 else []
            return zero.astype(np.float64).reshape(shape), scale.reshape(shape)
    return 0.0, 1.0


def _softmax(logits: Any) -> np.ndarray[Any, Any]:
    shifted = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    return np.asarray(shifted / shifted.sum(1, keepdims=True))
