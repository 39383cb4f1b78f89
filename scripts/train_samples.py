"""Trains the sample models that come with Studio and writes `studio_core/samples/data/`.

    pip install -e .[train]          # torch and scikit-learn
    python scripts/train_samples.py

Both models learn scikit-learn's handwritten digits (8x8 pixels, grey values 0..16; the data
is part of that package). The split is fixed, training never sees the held-out images, and
the number of epochs is fixed too, so nothing is selected on them. One thread and one seed
make a run repeatable on the same machine and library versions; it takes a few minutes.

The ONNX graphs are written with `GraphBuilder` from the trained weights instead of by an
exporter, because exporters fold every batch norm and rename weights. The script stops if
onnxruntime and PyTorch disagree about a held-out image. Accuracy on the model card is what
onnxruntime measured on the written file.
"""

import argparse
import dataclasses
import json
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from onnx import TensorProto
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from studio_core.samples.builder import OPSET, FloatArray, GraphBuilder
from studio_core.samples.bundled import SampleCard

SEED = 7
NUM_HELD_OUT = 360
NUM_CLASSES = 10
GREY_LEVELS = 17
MAX_LOGIT_DIFFERENCE = 1e-4
BATCH_SIZE = 64
DATA_FOLDER = Path(__file__).parents[1] / "studio_core" / "samples" / "data"

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Digits:
    """Images [num, 8, 8] of grey values 0..16 and labels [num] 0..9."""

    images: IntArray
    labels: IntArray


def split_digits() -> tuple[Digits, Digits]:
    """The training and the held-out part, with every digit equally often in both."""
    digits = load_digits()
    images, labels = digits.images.astype(np.int64), digits.target.astype(np.int64)
    train, held_out = train_test_split(
        np.arange(len(labels)), test_size=NUM_HELD_OUT, stratify=labels, random_state=SEED
    )
    return Digits(images[train], labels[train]), Digits(images[held_out], labels[held_out])


def as_image(images: IntArray) -> FloatArray:
    """The CNN's input: [num, 1, 8, 8] of 0..1."""
    return (images[:, None] / np.float32(GREY_LEVELS - 1)).astype(np.float32)


def as_pixels(images: IntArray) -> IntArray:
    """The transformer's input: [num, 64] grey values."""
    return images.reshape(len(images), -1)


class ConvNorm(nn.Module):
    def __init__(self, n_in: int, n_out: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn(self.conv(x)).relu()


class ResidualBlock(nn.Module):
    """Two plain convolutions and a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn1(self.conv1(x)).relu()
        return (self.bn2(self.conv2(y)) + x).relu()


class GroupedBlock(nn.Module):
    """A bottleneck whose middle convolution has groups, as in ResNeXt."""

    def __init__(self, width: int, hidden: int, groups: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(width, hidden, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(hidden)
        self.grouped = nn.Conv2d(hidden, hidden, 3, padding=1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm2d(hidden)
        self.expand = nn.Conv2d(hidden, width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn1(self.reduce(x)).relu()
        y = self.bn2(self.grouped(y)).relu()
        return (self.bn3(self.expand(y)) + x).relu()


class SeparableBlock(nn.Module):
    """A depthwise convolution, then a pointwise one, as in MobileNet."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(n_in, n_in, 3, padding=1, groups=n_in, bias=False)
        self.bn1 = nn.BatchNorm2d(n_in)
        self.pointwise = nn.Conv2d(n_in, n_out, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn1(self.depthwise(x)).relu()
        return self.bn2(self.pointwise(y)).relu()


class Head(nn.Module):
    """Squeezes 128 channels through 16 before the linear layers, so one layer is tight."""

    def __init__(self) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(128, 16, 1)
        self.fc1 = nn.Linear(16 * 4 * 4, 64)
        self.dropout = nn.Dropout(0.2)
        self.fc2 = nn.Linear(64, NUM_CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.squeeze(x).relu().flatten(1)
        return self.fc2(self.dropout(self.fc1(x).relu()))


class DigitsCnn(nn.Module):
    """[batch, 1, 8, 8] -> [batch, 10]; every kind of convolution, narrow and wide."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(1, 32)
        self.block1 = ResidualBlock(32)
        self.down = ConvNorm(32, 64, stride=2)
        self.block2 = GroupedBlock(64, 32, groups=4)
        self.block3 = SeparableBlock(64, 128)
        self.block4 = ResidualBlock(128)
        self.head = Head()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.block2(self.down(self.block1(self.stem(x))))
        return self.head(self.block4(self.block3(x)))


# The batch norms that become part of their convolution; the other three stay nodes.
FOLDED_NORMS = {
    "stem.conv": "stem.bn",
    "block1.conv2": "block1.bn2",
    "down.conv": "down.bn",
    "block2.reduce": "block2.bn1",
    "block2.expand": "block2.bn3",
    "block3.pointwise": "block3.bn2",
    "block4.conv1": "block4.bn1",
    "block4.conv2": "block4.bn2",
}


def write_cnn(graph: GraphBuilder) -> None:
    """The graph of a trained `DigitsCnn` in evaluation mode."""
    x = graph.input("image", ["batch", 1, 8, 8])
    x = graph.relu("stem", graph.conv("stem.conv", x, 1, 32, 3))
    y = graph.conv("block1.conv1", x, 32, 32, 3, bias=False)
    y = graph.relu("block1.relu1", graph.batch_norm("block1.bn1", y, 32))
    y = graph.conv("block1.conv2", y, 32, 32, 3)
    x = graph.relu("block1", graph.add("block1", y, x))
    x = graph.relu("down", graph.conv("down.conv", x, 32, 64, 3, stride=2))
    y = graph.relu("block2.relu1", graph.conv("block2.reduce", x, 64, 32, 1))
    y = graph.conv("block2.grouped", y, 32, 32, 3, groups=4, bias=False)
    y = graph.relu("block2.relu2", graph.batch_norm("block2.bn2", y, 32))
    y = graph.conv("block2.expand", y, 32, 64, 1)
    x = graph.relu("block2", graph.add("block2", y, x))
    x = graph.conv("block3.depthwise", x, 64, 64, 3, groups=64, bias=False)
    x = graph.relu("block3.relu1", graph.batch_norm("block3.bn1", x, 64))
    x = graph.relu("block3", graph.conv("block3.pointwise", x, 64, 128, 1))
    y = graph.relu("block4.relu1", graph.conv("block4.conv1", x, 128, 128, 3))
    y = graph.conv("block4.conv2", y, 128, 128, 3)
    x = graph.relu("block4", graph.add("block4", y, x))
    x = graph.relu("head.squeeze", graph.conv("head.squeeze", x, 128, 16, 1))
    x = graph.node("Flatten", [x], "head", axis=1)
    x = graph.relu("head.fc1", graph.gemm("head.fc1", x, 256, 64))
    graph.gemm("head.fc2", x, 64, NUM_CLASSES, output="logits")
    graph.output("logits", ["batch", NUM_CLASSES])


PIXEL_WIDTH = 16
PATCH_WIDTH = 4 * PIXEL_WIDTH
NUM_TOKENS = 16
WIDTH = 96
NUM_HEADS = 3
# The first layer has far more hidden units than it needs and the last one few.
HIDDEN_WIDTHS = (512, 256, 128)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.output = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        def split(y: torch.Tensor) -> torch.Tensor:
            return y.reshape(len(y), NUM_TOKENS, NUM_HEADS, -1).transpose(1, 2)

        query, key, value = split(self.query(x)), split(self.key(x)), split(self.value(x))
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        context = (scores.softmax(-1) @ value).transpose(1, 2).reshape(x.shape)
        return self.output(context)


class EncoderLayer(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.attention = Attention()
        self.norm2 = nn.LayerNorm(WIDTH)
        self.expand = nn.Linear(WIDTH, hidden)
        self.reduce = nn.Linear(hidden, WIDTH)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.dropout(self.attention(self.norm1(x)))
        y = nn.functional.gelu(self.expand(self.norm2(x)))
        return x + self.dropout(self.reduce(y))


class DigitsTransformer(nn.Module):
    """[batch, 64] grey values -> [batch, 10]; every 2x2 patch of pixels is one of 16 tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.pixel = nn.Embedding(GREY_LEVELS, PIXEL_WIDTH)
        self.patch = nn.Linear(PATCH_WIDTH, WIDTH)
        self.position = nn.Embedding(NUM_TOKENS, WIDTH)
        self.encoder = nn.ModuleList(EncoderLayer(hidden) for hidden in HIDDEN_WIDTHS)
        self.norm = nn.LayerNorm(WIDTH)
        self.classifier = nn.Linear(WIDTH, NUM_CLASSES)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        x = self.pixel(pixels).reshape(-1, 4, 2, 4, 2, PIXEL_WIDTH)
        x = x.permute(0, 1, 3, 2, 4, 5).reshape(-1, NUM_TOKENS, PATCH_WIDTH)
        x = self.patch(x) + self.position(torch.arange(NUM_TOKENS))
        for layer in self.encoder:
            x = layer(x)
        return self.classifier(self.norm(x).mean(1))


def write_transformer(graph: GraphBuilder) -> None:
    """The graph of a trained `DigitsTransformer` in evaluation mode."""
    pixels = graph.input("pixels", ["batch", 64], TensorProto.INT64)
    x = graph.embedding("pixel", pixels, GREY_LEVELS, PIXEL_WIDTH)
    grid = graph.constant("patch.grid", [0, 4, 2, 4, 2, PIXEL_WIDTH], np.int64)
    x = graph.node("Reshape", [x, grid], "patch.split")
    x = graph.node("Transpose", [x], "patch.split", perm=[0, 1, 3, 2, 4, 5])
    tokens = graph.constant("patch.tokens", [0, NUM_TOKENS, PATCH_WIDTH], np.int64)
    x = graph.node("Reshape", [x, tokens], "patch.join")
    x = graph.linear("patch", x, PATCH_WIDTH, WIDTH)
    positions = graph.constant("position.ids", range(NUM_TOKENS), np.int64)
    x = graph.add("embed", x, graph.embedding("position", positions, NUM_TOKENS, WIDTH))
    for index, hidden in enumerate(HIDDEN_WIDTHS):
        layer = f"encoder.{index}"
        y = graph.layer_norm(f"{layer}.norm1", x, WIDTH)
        y = graph.attention(f"{layer}.attention", y, NUM_TOKENS, WIDTH, NUM_HEADS)
        x = graph.add(f"{layer}.mix", x, y)
        y = graph.linear(
            f"{layer}.expand", graph.layer_norm(f"{layer}.norm2", x, WIDTH), WIDTH, hidden
        )
        y = graph.linear(f"{layer}.reduce", graph.gelu(f"{layer}.gelu", y), hidden, WIDTH)
        x = graph.add(layer, x, y)
    x = graph.layer_norm("norm", x, WIDTH)
    x = graph.node("ReduceMean", [x], "pool", axes=[1], keepdims=0)
    graph.gemm("classifier", x, WIDTH, NUM_CLASSES, output="logits")
    graph.output("logits", ["batch", NUM_CLASSES])


class TrainedWeights:
    """A weight source that hands a trained model's values to a `GraphBuilder`."""

    def __init__(self, model: nn.Module, *, folded_norms: dict[str, str]) -> None:
        self._values = {
            name: values.numpy().astype(np.float32) for name, values in model.state_dict().items()
        }
        for conv, norm in folded_norms.items():
            self._fold(conv, norm)

    def __call__(
        self,
        name: str,
        shape: tuple[int, ...],
        *,
        std: float,  # noqa: ARG002 - a hint for untrained weights
        mean: float,  # noqa: ARG002
    ) -> FloatArray:
        values: FloatArray = self._values.pop(name)
        # A MatMul takes [in, out] where nn.Linear and Gemm have [out, in]. In these models the
        # MatMuls are the linear layers on token sequences, which all have these names.
        if name.startswith(("patch.", "encoder.")) and values.ndim == 2:
            values = np.ascontiguousarray(values.T)
        assert values.shape == shape, (name, values.shape, shape)
        return values

    def left_over(self) -> list[str]:
        """Trained values that the graph has not asked for."""
        return [name for name in self._values if not name.endswith("num_batches_tracked")]

    def _fold(self, conv: str, norm: str) -> None:
        scale, bias, mean, variance = (
            self._values.pop(f"{norm}.{part}")
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = scale / np.sqrt(variance + np.float32(1e-5))
        self._values[f"{conv}.weight"] *= factor[:, None, None, None]
        self._values[f"{conv}.bias"] = bias - mean * factor


@dataclass(frozen=True)
class Sample:
    """One model to train: what it is, how it learns and how its graph is written."""

    name: str
    title: str
    description: str
    task: str
    network: Callable[[], nn.Module]
    write: Callable[[GraphBuilder], None]
    input_name: str
    as_input: Callable[[IntArray], npt.NDArray[np.generic]]
    num_epochs: int
    learning_rate: float
    folded_norms: dict[str, str]


SAMPLES = (
    Sample(
        name="digits_cnn",
        title="Handwritten digits, CNN",
        description=(
            "Residual network with plain, grouped and depthwise convolutions. Three batch "
            "norms are nodes, the others are folded. Input: images [batch, 1, 8, 8] of 0..1."
        ),
        task="image classification",
        network=DigitsCnn,
        write=write_cnn,
        input_name="image",
        as_input=as_image,
        num_epochs=40,
        learning_rate=3e-3,
        folded_norms=FOLDED_NORMS,
    ),
    Sample(
        name="digits_transformer",
        title="Handwritten digits, transformer",
        description=(
            "Three encoder layers over 16 patches of 2x2 pixels. Input: token ids "
            "[batch, 64], the grey values 0..16 of an 8x8 image row by row."
        ),
        task="sequence classification",
        network=DigitsTransformer,
        write=write_transformer,
        input_name="pixels",
        as_input=as_pixels,
        num_epochs=80,
        learning_rate=1e-3,
        folded_norms={},
    ),
)


def shifted(images: IntArray, rng: np.random.Generator) -> IntArray:
    """A copy where every other image is moved by at most one pixel each way, 0 coming in."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    steps = rng.integers(-1, 2, size=(len(images), 2)) * rng.integers(0, 2, size=(len(images), 1))
    rows, columns = (1 + steps[:, axis, None] + np.arange(8) for axis in (0, 1))
    index = np.arange(len(images))[:, None, None]
    moved: IntArray = padded[index, rows[:, :, None], columns[:, None, :]]
    return moved


def train(sample: Sample, digits: Digits) -> nn.Module:
    """The network of `sample` after its epochs over `digits`, in evaluation mode."""
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    model = sample.network()
    num_steps = -(-len(digits.labels) // BATCH_SIZE)
    optimizer = torch.optim.AdamW(model.parameters(), sample.learning_rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, sample.learning_rate, total_steps=sample.num_epochs * num_steps
    )
    for epoch in range(sample.num_epochs):
        inputs = torch.from_numpy(sample.as_input(shifted(digits.images, rng)))
        order = torch.from_numpy(rng.permutation(len(digits.labels)))
        labels, total = torch.from_numpy(digits.labels), 0.0
        for batch in order.split(BATCH_SIZE):
            loss = nn.functional.cross_entropy(
                model(inputs[batch]), labels[batch], label_smoothing=0.05
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        print(f"{sample.name}: epoch {epoch + 1:3}, loss {total / num_steps:.4f}", flush=True)
    return model.eval()


def write_model(sample: Sample, model: nn.Module, path: Path) -> None:
    weights = TrainedWeights(model, folded_norms=sample.folded_norms)
    graph = GraphBuilder(sample.name, weights)
    sample.write(graph)
    assert not weights.left_over(), weights.left_over()
    graph.save(path)
    onnx.checker.check_model(str(path), full_check=True)


def run(path: Path, inputs: dict[str, npt.NDArray[np.generic]]) -> FloatArray:
    """The logits [num, 10] that onnxruntime computes."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    logits: FloatArray = session.run(["logits"], inputs)[0]
    return logits


def check_agreement(model: nn.Module, inputs: npt.NDArray[np.generic], logits: FloatArray) -> None:
    with torch.no_grad():
        expected = model(torch.from_numpy(inputs)).numpy()
    difference = float(np.abs(expected - logits).max())
    print(f"largest difference between PyTorch and onnxruntime: {difference:.1e}")
    assert difference < MAX_LOGIT_DIFFERENCE, difference


def num_parameters(path: Path) -> int:
    """Trained numbers in a model; a batch norm's running statistics are not trained."""
    return sum(
        int(np.prod(tensor.dims))
        for tensor in onnx.load(path).graph.initializer
        if ".running_" not in tensor.name
    )


def make_sample(sample: Sample, digits: Digits, held_out: Digits, folder: Path) -> SampleCard:
    """Train, write and measure one sample model."""
    model_file, eval_file = f"{sample.name}.onnx", f"{sample.name}_eval.npz"
    model = train(sample, digits)
    write_model(sample, model, folder / model_file)
    inputs = sample.as_input(held_out.images)
    arrays: dict[str, Any] = {sample.input_name: inputs, "labels": held_out.labels}
    np.savez_compressed(folder / eval_file, **arrays)
    logits = run(folder / model_file, {sample.input_name: inputs})
    check_agreement(model, inputs, logits)
    num_correct = int((logits.argmax(1) == held_out.labels).sum())
    print(f"{sample.name}: {num_correct} of {NUM_HELD_OUT} held-out images right")
    return SampleCard(
        name=sample.name,
        title=sample.title,
        description=sample.description,
        task=sample.task,
        model_file=model_file,
        eval_file=eval_file,
        metric="accuracy",
        higher_is_better=True,
        accuracy=num_correct / NUM_HELD_OUT,
        num_correct=num_correct,
        num_evaluated=NUM_HELD_OUT,
        num_parameters=num_parameters(folder / model_file),
        opset=OPSET,
        seed=SEED,
        versions=library_versions(),
        training_command="python scripts/train_samples.py",
    )


def library_versions() -> dict[str, str]:
    libraries = ("torch", "scikit-learn", "numpy", "onnx", "onnxruntime")
    return {"python": platform.python_version()} | {name: version(name) for name in libraries}


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the sample models that come with Studio.")
    parser.add_argument("--output", type=Path, default=DATA_FOLDER, help="folder to write to")
    folder: Path = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    digits, held_out = split_digits()
    cards = [make_sample(sample, digits, held_out, folder) for sample in SAMPLES]
    text = json.dumps({"samples": [dataclasses.asdict(card) for card in cards]}, indent=2)
    (folder / "samples.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
