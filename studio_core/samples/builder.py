"""Writes an ONNX graph layer by layer, with weights from any source, embedded or streamed to disk.

`GraphBuilder` knows how exporters spell a layer (which nodes, which weight names); a
`WeightSource` knows the numbers. The generated models draw theirs at random
(`RandomWeights`); `scripts/train_samples.py` hands in the trained ones.

Names follow PyTorch: module "block1.conv1" owns the weight "block1.conv1.weight" and the
node "/block1/conv1/Conv", whose value is "/block1/conv1/Conv_output_0".
"""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from studio_core.errors import InvalidRequestError

FloatArray = npt.NDArray[np.float32]
Shape = Sequence[int | str]

# 17 is the first opset with LayerNormalization, and IR 8 its contemporary: every onnxruntime
# from 1.12 on reads both.
OPSET = 17
IR_VERSION = 8

# The format's advice, so that a runtime can map a tensor straight from the file.
_EXTERNAL_ALIGNMENT_BYTES = 4096
# Smaller tensors stay in the model: shape inference and people like to read them there.
_EXTERNAL_THRESHOLD_BYTES = 1024
# One protobuf message may not be larger, and the graph around the weights needs room too.
_MAX_EMBEDDED_BYTES = 2_000_000_000


class WeightSource(Protocol):
    """Gives the values of the parameter `name`.

    `std` and `mean` say what values an untrained layer should have; a source of trained
    values ignores them.
    """

    def __call__(
        self, name: str, shape: tuple[int, ...], *, std: float, mean: float
    ) -> FloatArray: ...


class RandomWeights:
    """Normal weights from a seed; every layer gets another spread, so that curves differ."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._level = 1.0

    def __call__(
        self,
        name: str,  # noqa: ARG002 - the order of drawing decides, not the name
        shape: tuple[int, ...],
        *,
        std: float,
        mean: float,
    ) -> FloatArray:
        if len(shape) > 1:
            std *= self._next_gain()
        values = self._rng.standard_normal(shape, dtype=np.float32)
        values *= np.float32(std)
        if mean:
            values += np.float32(mean)
        return values

    def _next_gain(self) -> float:
        # Each gain undoes the one before it, so their product stays between 0.7 and 1.4
        # however deep the model is.
        previous, self._level = self._level, self._rng.uniform(0.7, 1.4)
        return self._level / previous


class ExternalFile:
    """The file beside a model that takes its large tensors, one after the other."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._file = path.open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def append(self, name: str, values: FloatArray) -> TensorProto:
        """Write `values` at the end of the file and return the tensor that points there."""
        offset = -(-self._file.tell() // _EXTERNAL_ALIGNMENT_BYTES) * _EXTERNAL_ALIGNMENT_BYTES
        self._file.seek(offset)
        # Through the buffer protocol: `tobytes` would hold the tensor twice.
        self._file.write(np.ascontiguousarray(values, dtype="<f4").data)
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=values.shape)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (
            ("location", self._name),
            ("offset", str(offset)),
            ("length", str(values.nbytes)),
        ):
            tensor.external_data.add(key=key, value=value)
        return tensor


class GraphBuilder:
    """An ONNX graph that grows in the order of execution.

    Each layer method takes the layer's module name and its input values' names, adds nodes
    and weights, and returns the name of its output value. `output` gives that value a name
    of the caller's choice.
    """

    def __init__(
        self, name: str, weights: WeightSource, external: ExternalFile | None = None
    ) -> None:
        self._model = onnx.ModelProto(producer_name="studio", ir_version=IR_VERSION)
        self._model.opset_import.add(domain="", version=OPSET)
        # Grown in place: `helper.make_model` would copy every weight.
        self._graph = self._model.graph
        self._graph.name = name
        self._weights = weights
        self._external = external
        self._embedded_bytes = 0

    def input(self, name: str, shape: Shape, elem_type: int = TensorProto.FLOAT) -> str:
        self._graph.input.append(helper.make_tensor_value_info(name, elem_type, shape))
        return name

    def output(self, name: str, shape: Shape) -> str:
        self._graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def node(
        self,
        op: str,
        inputs: Sequence[str],
        module: str,
        *,
        output: str | None = None,
        **attributes: float | Sequence[int] | TensorProto,
    ) -> str:
        name = f"/{module.replace('.', '/')}/{op}"
        value = output or f"{name}_output_0"
        node = helper.make_node(op, inputs, [value], name=name)
        node.attribute.extend(helper.make_attribute(*item) for item in attributes.items())
        self._graph.node.append(node)
        return value

    def weight(self, name: str, shape: tuple[int, ...], *, std: float, mean: float = 0.0) -> str:
        """A parameter of the model, as an initializer."""
        num_bytes = 4 * int(np.prod(shape))
        if self._external is not None and num_bytes >= _EXTERNAL_THRESHOLD_BYTES:
            values = self._weights(name, shape, std=std, mean=mean)
            self._graph.initializer.append(self._external.append(name, values))
            return name
        self._embedded_bytes += num_bytes
        if self._embedded_bytes > _MAX_EMBEDDED_BYTES:
            raise InvalidRequestError(
                f"The weights of '{self._graph.name}' do not fit in one ONNX file (2 GB). "
                "Pass external_data=True to write them beside it."
            )
        values = self._weights(name, shape, std=std, mean=mean)
        self._graph.initializer.append(
            TensorProto(
                name=name,
                data_type=TensorProto.FLOAT,
                dims=shape,
                raw_data=values.astype("<f4", copy=False).tobytes(),
            )
        )
        return name

    def constant(self, module: str, values: npt.ArrayLike, dtype: npt.DTypeLike) -> str:
        """A number or shape the graph needs; a node, so that all initializers are weights."""
        tensor = onnx.numpy_helper.from_array(np.asarray(values, dtype=dtype))
        return self.node("Constant", [], module, value=tensor)

    def conv(
        self,
        module: str,
        x: str,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        bias: bool = True,
        gain: float = 1.0,
        output: str | None = None,
    ) -> str:
        """Square convolution with "same" padding; weight [out, in / groups, kernel, kernel]."""
        shape = (out_channels, in_channels // groups, kernel, kernel)
        fan_in = shape[1] * kernel * kernel
        inputs = [x, self.weight(f"{module}.weight", shape, std=gain * (2 / fan_in) ** 0.5)]
        if bias:
            inputs.append(self.weight(f"{module}.bias", (out_channels,), std=0.05))
        return self.node(
            "Conv",
            inputs,
            module,
            output=output,
            dilations=[1, 1],
            group=groups,
            kernel_shape=[kernel, kernel],
            pads=[kernel // 2] * 4,
            strides=[stride, stride],
        )

    def batch_norm(self, module: str, x: str, num_channels: int) -> str:
        shape = (num_channels,)
        parameters = [
            self.weight(f"{module}.weight", shape, std=0.1, mean=1.0),
            self.weight(f"{module}.bias", shape, std=0.05),
            self.weight(f"{module}.running_mean", shape, std=0.05),
            self.weight(f"{module}.running_var", shape, std=0.1, mean=1.0),
        ]
        return self.node("BatchNormalization", [x, *parameters], module, epsilon=1e-5)

    def gemm(
        self,
        module: str,
        x: str,
        in_features: int,
        out_features: int,
        *,
        gain: float = 1.0,
        output: str | None = None,
    ) -> str:
        """A linear layer on a matrix; weight [out, in]."""
        std = gain * (2 / in_features) ** 0.5
        weight = self.weight(f"{module}.weight", (out_features, in_features), std=std)
        bias = self.weight(f"{module}.bias", (out_features,), std=0.02)
        return self.node("Gemm", [x, weight, bias], module, output=output, transB=1)

    def linear(
        self, module: str, x: str, in_features: int, out_features: int, *, gain: float = 1.0
    ) -> str:
        """A linear layer on a sequence, written as MatMul, then Add; weight [in, out]."""
        std = gain * in_features**-0.5
        weight = self.weight(f"{module}.weight", (in_features, out_features), std=std)
        bias = self.weight(f"{module}.bias", (out_features,), std=0.02)
        return self.node("Add", [self.node("MatMul", [x, weight], module), bias], module)

    def embedding(self, module: str, ids: str, num_rows: int, width: int) -> str:
        table = self.weight(f"{module}.weight", (num_rows, width), std=0.5)
        return self.node("Gather", [table, ids], module, axis=0)

    def layer_norm(self, module: str, x: str, width: int, *, output: str | None = None) -> str:
        scale = self.weight(f"{module}.weight", (width,), std=0.1, mean=1.0)
        bias = self.weight(f"{module}.bias", (width,), std=0.05)
        inputs = [x, scale, bias]
        return self.node("LayerNormalization", inputs, module, output=output, axis=-1, epsilon=1e-5)

    def relu(self, module: str, x: str) -> str:
        return self.node("Relu", [x], module)

    def add(self, module: str, a: str, b: str) -> str:
        return self.node("Add", [a, b], module)

    def gelu(self, module: str, x: str) -> str:
        """x/2 * (1 + erf(x / sqrt 2)): the Gelu operator itself only came with opset 20."""
        root = self.constant(f"{module}.root", 2**0.5, np.float32)
        one = self.constant(f"{module}.one", 1.0, np.float32)
        half = self.constant(f"{module}.half", 0.5, np.float32)
        erf = self.node("Erf", [self.node("Div", [x, root], module)], module)
        gate = self.node("Mul", [self.node("Add", [erf, one], module), half], f"{module}.gate")
        return self.node("Mul", [x, gate], module)

    def attention(
        self, module: str, x: str, num_tokens: int, width: int, num_heads: int, mask: str = ""
    ) -> str:
        """Multi-head self-attention on [batch, num_tokens, width]; scores get `mask` added."""
        head_width = width // num_heads
        heads = self.constant(f"{module}.heads", [0, num_tokens, num_heads, head_width], np.int64)

        def split(part: str, perm: Sequence[int]) -> str:
            y = self.linear(f"{module}.{part}", x, width, width)
            y = self.node("Reshape", [y, heads], f"{module}.{part}")
            return self.node("Transpose", [y], f"{module}.{part}", perm=perm)

        query, key = split("query", [0, 2, 1, 3]), split("key", [0, 2, 3, 1])
        value = split("value", [0, 2, 1, 3])
        scale = self.constant(f"{module}.scale", head_width**-0.5, np.float32)
        scores = self.node("MatMul", [query, key], f"{module}.scores")
        scores = self.node("Mul", [scores, scale], f"{module}.scores")
        if mask:
            scores = self.node("Add", [scores, mask], f"{module}.scores")
        share = self.node("Softmax", [scores], f"{module}.scores", axis=-1)
        y = self.node("MatMul", [share, value], f"{module}.context")
        y = self.node("Transpose", [y], f"{module}.context", perm=[0, 2, 1, 3])
        joined = self.constant(f"{module}.joined", [0, num_tokens, width], np.int64)
        y = self.node("Reshape", [y, joined], f"{module}.context")
        return self.linear(f"{module}.output", y, width, width)

    def save(self, path: Path) -> Path:
        path.write_bytes(self._model.SerializeToString(deterministic=True))
        return path
