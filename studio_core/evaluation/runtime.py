"""Running an ONNX model on the CPU with some of its weights replaced, without copying it.

A `RuntimeModel` holds the weights once, as onnxruntime values; every session made from it
shares them and is given other values only for the weights that are pruned. The source file
is never written to, and a replaced weight never touches the shared one.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.inliner
import onnxruntime as ort
from numpy.typing import NDArray

from studio_core.errors import InvalidModelError
from studio_core.limits import DEFAULT_LIMITS, Limits
from studio_core.models.model import storage_of
from studio_core.models.tensor import Tensor
from studio_core.models.wire import strip_weights

Array = NDArray[Any]
Feed = Mapping[str, Array]
"""Inputs by name, the first dimension being the batch."""

PROVIDER = "CPUExecutionProvider"
"""What runs every measurement of a loss."""


def session_options(
    *, num_threads: int = 1, optimize: bool = True, spin: bool = False
) -> ort.SessionOptions:
    """Options for measuring: a fixed number of threads, and silence.

    Threads that spin while they wait take the time of whoever runs beside them, so they
    do not unless told to.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    levels = ort.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimize else levels.ORT_DISABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spin else "0")
    return options


def make_session(proto: bytes, options: ort.SessionOptions) -> ort.InferenceSession:
    """A CPU session; onnxruntime's own error becomes an `InvalidModelError`."""
    try:
        return ort.InferenceSession(proto, options, providers=[PROVIDER])
    except Exception as error:  # onnxruntime raises its own kinds, without a common base
        raise InvalidModelError(f"onnxruntime cannot run the model: {error}") from error


class RuntimeModel:
    """The model at ``path``, ready to be run; ``replaceable`` names weights to be replaced."""

    def __init__(
        self, path: Path, replaceable: Sequence[str] = (), *, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self.path = path
        self.proto = _read_unbound(path, limits)
        wanted = set(replaceable)
        _move_constants(self.proto.graph, wanted)
        self.values: dict[str, ort.OrtValue] = {}
        for tensor in self.proto.graph.initializer:
            if tensor.name in wanted or tensor.data_location == onnx.TensorProto.EXTERNAL:
                self.values[tensor.name] = _shared_value(tensor, path)
        self.main_names = frozenset(t.name for t in self.proto.graph.initializer)

    @cached_property
    def _bytes(self) -> bytes:
        return self.proto.SerializeToString()

    @cached_property
    def output_names(self) -> tuple[str, ...]:
        return tuple(o.name for o in self.proto.graph.output)

    def session(
        self,
        replaced: Mapping[str, Array] | None = None,
        options: ort.SessionOptions | None = None,
    ) -> ort.InferenceSession:
        """A session in which the weights in ``replaced`` have other values."""
        options = options or session_options()
        values = dict(self.values)
        for name, array in (replaced or {}).items():
            values[name] = to_value(array)
        options.add_external_initializers(list(values), list(values.values()))
        return make_session(self._bytes, options)


def to_value(array: Array) -> ort.OrtValue:
    """An onnxruntime value over the memory of ``array``."""
    return ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array).reshape(array.shape))


def _read_unbound(path: Path, limits: Limits) -> onnx.ModelProto:
    """The model without its weights, its dimensions as free as they are in the file."""
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
        memoryview(mapped) as data,
    ):
        proto = onnx.ModelProto.FromString(strip_weights(data, path.name, limits=limits))
    if proto.functions:
        proto = onnx.inliner.inline_local_functions(proto)
    return proto


def _move_constants(graph: onnx.GraphProto, wanted: set[str]) -> None:
    """Turn Constant nodes into initializers: those to be replaced, and those kept in a file.

    onnxruntime resolves external data for initializers only.
    """
    kept = []
    for node in graph.node:
        tensor = _constant_tensor(node)
        if tensor is None or not (
            node.output[0] in wanted or tensor.data_location == onnx.TensorProto.EXTERNAL
        ):
            kept.append(node)
            continue
        moved = graph.initializer.add()
        moved.CopyFrom(tensor)
        moved.name = node.output[0]
    if len(kept) < len(graph.node):
        nodes = [onnx.NodeProto.FromString(n.SerializeToString()) for n in kept]
        del graph.node[:]
        graph.node.extend(nodes)


def _constant_tensor(node: onnx.NodeProto) -> onnx.TensorProto | None:
    if node.op_type != "Constant" or len(node.attribute) != 1:
        return None
    (attribute,) = node.attribute
    return attribute.t if attribute.name == "value" else None


def _shared_value(tensor: onnx.TensorProto, path: Path) -> ort.OrtValue:
    """The tensor's values, read once; in the proto it becomes a mere reference."""
    array = read_tensor(tensor, path)
    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        for field in ("raw_data", "float_data", "double_data", "int32_data", "int64_data"):
            tensor.ClearField(field)
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=path.name)
    if array.dtype.kind in "fiub" and array.dtype.itemsize <= 8 and array.dtype.isbuiltin:
        return to_value(array)
    return ort.OrtValue.ortvalue_from_numpy_with_onnx_type(array, tensor.data_type)


def read_tensor(tensor: onnx.TensorProto, path: Path) -> Array:
    """The values of an initializer of the model at ``path``."""
    return Tensor(tensor.name, tensor, storage_of(tensor, path, path.parent)).read()
