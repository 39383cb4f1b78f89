"""Large models of well-known shapes with seeded random weights, for benchmarks and tests.

Nothing is downloaded and nothing is trained: structure, shapes and parameter counts are the
published ones, the numbers are noise that keeps activations finite. Each architecture is one
function that writes into a `GraphBuilder`; its keyword arguments are the options that
`generate_model` accepts for it.
"""

import inspect
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import TensorProto

from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.samples.builder import ExternalFile, GraphBuilder, RandomWeights

Batch = int | str


def generated_names() -> tuple[str, ...]:
    """The names `generate_model` knows."""
    return tuple(_ARCHITECTURES)


def generate_model(
    name: str,
    path: str | Path,
    *,
    seed: int = 0,
    external_data: bool = False,
    batch: Batch = 1,
    **options: int,
) -> Path:
    """Write the model `name` to `path` and return the path.

    The same arguments give the same bytes. With `external_data` the weights are streamed to
    "<path>.data", and no more than one tensor is in memory at a time. `batch` is the size of
    the inputs' first dimension, or its name if it shall stay open.

    Options: `batch_norm` (resnet18, resnet50, mobilenet_v2: keep batch norms as nodes instead
    of folding them), `vocabulary_size`, `sequence_length` and `num_layers` (bert_base),
    `num_layers` and `width` (many_layers, large_mlp).

    Raises NotFoundError for an unknown name, InvalidRequestError for an option the model does
    not have and for weights over 2 GB without `external_data`.
    """
    if name not in _ARCHITECTURES:
        raise NotFoundError(
            f"No generated model named '{name}'. There are: {', '.join(generated_names())}."
        )
    write = _ARCHITECTURES[name]
    _check_options(name, write, options)
    path = Path(path)
    data_file = ExternalFile(Path(f"{path}.data")) if external_data else nullcontext()
    with data_file as external:
        graph = GraphBuilder(name, RandomWeights(seed), external)
        write(graph, batch, **options)
    return graph.save(path)


def _check_options(name: str, write: Callable[..., None], options: dict[str, int]) -> None:
    known = list(inspect.signature(write).parameters)[2:]
    for option, value in options.items():
        if option not in known:
            raise InvalidRequestError(
                f"'{name}' has no option '{option}'. It has: {', '.join(known)}."
            )
        if value < 1 and not isinstance(value, bool):
            raise InvalidRequestError(f"{option}={value}: at least 1 is needed.")


def _conv_norm(
    graph: GraphBuilder,
    module: str,
    x: str,
    in_channels: int,
    out_channels: int,
    kernel: int,
    *,
    norm: str | None,
    stride: int = 1,
    groups: int = 1,
    gain: float = 1.0,
) -> str:
    """A convolution and its batch norm: a node of the module `norm`, or folded into the bias."""
    x = graph.conv(
        module,
        x,
        in_channels,
        out_channels,
        kernel,
        stride=stride,
        groups=groups,
        bias=norm is None,
        gain=gain,
    )
    return x if norm is None else graph.batch_norm(norm, x, out_channels)


@dataclass(frozen=True)
class _Block:
    """One kind of residual block: a kernel size and a width factor for each convolution."""

    kernels: tuple[int, ...]
    factors: tuple[int, ...]
    # Which convolution takes the stride. In the bottleneck it is the 3x3 one; that is what
    # makes ResNet-50 "v1.5" (the paper has it on the first 1x1).
    strided: int

    def write(
        self,
        graph: GraphBuilder,
        module: str,
        x: str,
        in_channels: int,
        width: int,
        *,
        stride: int,
        batch_norm: bool,
    ) -> str:
        y, channels = x, in_channels
        last = len(self.kernels) - 1
        for i, (kernel, factor) in enumerate(zip(self.kernels, self.factors, strict=True)):
            y = _conv_norm(
                graph,
                f"{module}.conv{i + 1}",
                y,
                channels,
                factor * width,
                kernel,
                norm=f"{module}.bn{i + 1}" if batch_norm else None,
                stride=stride if i == self.strided else 1,
                # A branch as strong as its trunk would double the variance in every block.
                gain=0.5 if i == last else 1.0,
            )
            channels = factor * width
            if i < last:
                y = graph.relu(f"{module}.relu{i + 1}", y)
        if stride != 1 or in_channels != channels:
            x = _conv_norm(
                graph,
                f"{module}.downsample.0",
                x,
                in_channels,
                channels,
                1,
                norm=f"{module}.downsample.1" if batch_norm else None,
                stride=stride,
                gain=0.7,
            )
        return graph.relu(module, graph.add(module, y, x))


_BASIC = _Block(kernels=(3, 3), factors=(1, 1), strided=0)
_BOTTLENECK = _Block(kernels=(1, 3, 1), factors=(1, 1, 4), strided=1)


def _residual_stages(
    graph: GraphBuilder, x: str, block: _Block, depths: tuple[int, ...], *, batch_norm: bool
) -> tuple[str, int]:
    """All stages of a ResNet, from the 64 channels of its stem; (value, its channels)."""
    channels = 64
    for stage, depth in enumerate(depths):
        width = 64 * 2**stage
        for index in range(depth):
            module = f"layer{stage + 1}.{index}"
            stride = 2 if stage > 0 and index == 0 else 1
            x = block.write(graph, module, x, channels, width, stride=stride, batch_norm=batch_norm)
            channels = block.factors[-1] * width
    return x, channels


def _max_pool(graph: GraphBuilder, x: str) -> str:
    return graph.node(
        "MaxPool", [x], "maxpool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]
    )


def _classifier(graph: GraphBuilder, module: str, x: str, channels: int, batch: Batch) -> None:
    """The end of an image classifier: average pool, then one linear layer to 1000 classes."""
    x = graph.node("GlobalAveragePool", [x], "avgpool")
    x = graph.node("Flatten", [x], "flatten", axis=1)
    graph.gemm(module, x, channels, 1000, gain=0.7, output="logits")
    graph.output("logits", [batch, 1000])


def _resnet18(graph: GraphBuilder, batch: Batch, *, batch_norm: bool = False) -> None:
    x = graph.input("image", [batch, 3, 224, 224])
    # The stem has no bias, so its batch norm is a node whatever `batch_norm` says.
    x = graph.conv("input.conv", x, 3, 64, 7, stride=2, bias=False, output="123")
    x = graph.relu("input.relu", graph.batch_norm("input.bn", x, 64))
    x = _max_pool(graph, x)
    x, channels = _residual_stages(graph, x, _BASIC, (2, 2, 2, 2), batch_norm=batch_norm)
    _classifier(graph, "fc", x, channels, batch)


def _resnet50(graph: GraphBuilder, batch: Batch, *, batch_norm: bool = False) -> None:
    x = graph.input("image", [batch, 3, 224, 224])
    x = _conv_norm(graph, "conv1", x, 3, 64, 7, norm="bn1" if batch_norm else None, stride=2)
    x = _max_pool(graph, graph.relu("relu", x))
    x, channels = _residual_stages(graph, x, _BOTTLENECK, (3, 4, 6, 3), batch_norm=batch_norm)
    _classifier(graph, "fc", x, channels, batch)


# Sandler et al. 2018, table 2: expansion, output channels, repeats, first stride.
_MOBILENET_V2_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class _MobileNetLayers:
    """The two layers MobileNet v2 is made of: a convolution with ReLU6, and one without."""

    def __init__(self, graph: GraphBuilder, *, batch_norm: bool) -> None:
        self._graph = graph
        self._batch_norm = batch_norm
        self._low = graph.constant("relu6.low", 0.0, np.float32)
        self._high = graph.constant("relu6.high", 6.0, np.float32)

    def clipped(
        self, module: str, x: str, n_in: int, n_out: int, kernel: int, stride: int, groups: int
    ) -> str:
        norm = f"{module}.1" if self._batch_norm else None
        x = _conv_norm(
            self._graph, f"{module}.0", x, n_in, n_out, kernel,
            norm=norm, stride=stride, groups=groups,
        )  # fmt: skip
        return self._graph.node("Clip", [x, self._low, self._high], f"{module}.2")

    def projected(self, module: str, index: int, x: str, n_in: int, n_out: int) -> str:
        norm = f"{module}.{index + 1}" if self._batch_norm else None
        return _conv_norm(self._graph, f"{module}.{index}", x, n_in, n_out, 1, norm=norm, gain=0.7)

    def inverted_residual(
        self, module: str, x: str, n_in: int, n_out: int, expansion: int, stride: int
    ) -> str:
        hidden, y, index = n_in * expansion, x, 0
        if expansion != 1:
            y = self.clipped(f"{module}.conv.0", y, n_in, hidden, 1, 1, 1)
            index = 1
        y = self.clipped(f"{module}.conv.{index}", y, hidden, hidden, 3, stride, hidden)
        y = self.projected(f"{module}.conv", index + 1, y, hidden, n_out)
        return self._graph.add(module, x, y) if stride == 1 and n_in == n_out else y


def _mobilenet_v2(graph: GraphBuilder, batch: Batch, *, batch_norm: bool = False) -> None:
    x = graph.input("image", [batch, 3, 224, 224])
    layers = _MobileNetLayers(graph, batch_norm=batch_norm)
    x = layers.clipped("features.0", x, 3, 32, 3, 2, 1)
    channels, index = 32, 1
    for expansion, width, repeats, first_stride in _MOBILENET_V2_STAGES:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            x = layers.inverted_residual(f"features.{index}", x, channels, width, expansion, stride)
            channels, index = width, index + 1
    x = layers.clipped(f"features.{index}", x, channels, 1280, 1, 1, 1)
    _classifier(graph, "classifier.1", x, 1280, batch)


def _bert_base(
    graph: GraphBuilder,
    batch: Batch,
    *,
    vocabulary_size: int = 30522,
    sequence_length: int = 128,
    num_layers: int = 12,
) -> None:
    width, num_heads, hidden = 768, 12, 3072
    shape = [batch, sequence_length]
    tokens = graph.input("input_ids", shape, TensorProto.INT64)
    attended = graph.input("attention_mask", shape, TensorProto.INT64)
    segments = graph.input("token_type_ids", shape, TensorProto.INT64)
    mask = _attention_mask(graph, attended)
    positions = graph.constant("embeddings.position_ids", [range(sequence_length)], np.int64)
    x = graph.add(
        "embeddings.types",
        graph.embedding("embeddings.word_embeddings", tokens, vocabulary_size, width),
        graph.embedding("embeddings.token_type_embeddings", segments, 2, width),
    )
    position = graph.embedding("embeddings.position_embeddings", positions, 512, width)
    x = graph.add("embeddings.positions", x, position)
    x = graph.layer_norm("embeddings.LayerNorm", x, width)
    for index in range(num_layers):
        layer = f"encoder.layer.{index}"
        y = graph.attention(f"{layer}.attention", x, sequence_length, width, num_heads, mask)
        x = graph.layer_norm(f"{layer}.attention.LayerNorm", graph.add(f"{layer}.mix", x, y), width)
        last = index == num_layers - 1
        y = graph.linear(f"{layer}.intermediate.dense", x, width, hidden)
        y = graph.gelu(f"{layer}.intermediate.gelu", y)
        y = graph.linear(f"{layer}.output.dense", y, hidden, width)
        x = graph.layer_norm(
            f"{layer}.output.LayerNorm",
            graph.add(layer, x, y),
            width,
            output="last_hidden_state" if last else None,
        )
    first = graph.constant("pooler.first", 0, np.int64)
    y = graph.node("Gather", [x, first], "pooler", axis=1)
    y = graph.gemm("pooler.dense", y, width, width, gain=0.7)
    graph.node("Tanh", [y], "pooler", output="pooler_output")
    graph.output("last_hidden_state", [batch, sequence_length, width])
    graph.output("pooler_output", [batch, width])


def _attention_mask(graph: GraphBuilder, attended: str) -> str:
    """0 where a token counts and -10000 where it does not, [batch, 1, 1, sequence]."""
    axes = graph.constant("mask.axes", [1, 2], np.int64)
    one = graph.constant("mask.one", 1.0, np.float32)
    low = graph.constant("mask.low", -10000.0, np.float32)
    x = graph.node("Cast", [attended], "mask", to=TensorProto.FLOAT)
    x = graph.node("Unsqueeze", [x, axes], "mask")
    x = graph.node("Sub", [one, x], "mask")
    return graph.node("Mul", [x, low], "mask")


def _many_layers(
    graph: GraphBuilder, batch: Batch, *, num_layers: int = 5000, width: int = 16
) -> None:
    """Half 3x3 convolutions on [width, 4, 4] images, then half linear layers."""
    num_pairs = (num_layers - 1) // 2
    num_conv_pairs = num_pairs // 2
    # A plain chain of narrow ReLU layers fades to 0 within some hundreds. In residual pairs
    # whose branches together are as strong as the trunk, no depth fades or explodes.
    gain = max(num_pairs, 1) ** -0.5
    x = graph.input("image", [batch, width, 4, 4])
    for index in range(num_conv_pairs):
        module = f"conv.{index}"
        y = graph.conv(f"{module}.0", x, width, width, 3)
        y = graph.conv(f"{module}.1", graph.relu(module, y), width, width, 3, gain=gain)
        x = graph.add(module, x, y)
    x = graph.node("GlobalAveragePool", [x], "avgpool")
    x = graph.node("Flatten", [x], "flatten", axis=1)
    for index in range(num_pairs - num_conv_pairs):
        module = f"linear.{index}"
        y = graph.gemm(f"{module}.0", x, width, width)
        y = graph.gemm(f"{module}.1", graph.relu(module, y), width, width, gain=gain)
        x = graph.add(module, x, y)
    num_left = num_layers - 2 * num_pairs
    for index in range(num_left):
        output = "logits" if index == num_left - 1 else None
        x = graph.gemm(f"head.{index}", x, width, width, gain=0.7, output=output)
    graph.output("logits", [batch, width])


def _large_mlp(
    graph: GraphBuilder, batch: Batch, *, num_layers: int = 15, width: int = 8192
) -> None:
    """Square linear layers with ReLU; as it stands 1.007e9 parameters, 4 GB."""
    x = graph.input("features", [batch, width])
    for index in range(num_layers - 1):
        x = graph.relu(f"layers.{index}", graph.gemm(f"layers.{index}", x, width, width))
    graph.gemm(f"layers.{num_layers - 1}", x, width, width, output="logits")
    graph.output("logits", [batch, width])


_ARCHITECTURES: dict[str, Callable[..., None]] = {
    "resnet18": _resnet18,
    "resnet50": _resnet50,
    "mobilenet_v2": _mobilenet_v2,
    "bert_base": _bert_base,
    "many_layers": _many_layers,
    "large_mlp": _large_mlp,
}
