"""The generated models have the published structure and run."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.samples import generate_model, generated_names
from studio_core.samples.builder import GraphBuilder, RandomWeights

SMALL_OPTIONS = {
    "resnet18": {},
    "resnet50": {},
    "mobilenet_v2": {},
    "bert_base": {"vocabulary_size": 50, "num_layers": 1, "sequence_length": 12},
    "many_layers": {"num_layers": 200},
    "large_mlp": {"num_layers": 3, "width": 64},
}


# Several 100 MB files more would show nothing that these do not.
QUICK_NAMES = [name for name in SMALL_OPTIONS if not name.startswith("resnet")]


@pytest.fixture(scope="module")
def model_path(tmp_path_factory) -> Callable[[str], Path]:
    """The small variant of a model by its name, written once for all tests."""
    folder = tmp_path_factory.mktemp("generated")

    @cache
    def path(name: str) -> Path:
        return generate_model(name, folder / f"{name}.onnx", **SMALL_OPTIONS[name])

    return path


def load_structure(path: Path) -> onnx.ModelProto:
    return onnx.load(path, load_external_data=False)


def num_parameters(model: onnx.ModelProto) -> int:
    return sum(
        int(np.prod(tensor.dims))
        for tensor in model.graph.initializer
        if ".running_" not in tensor.name
    )


def random_inputs(session: onnxruntime.InferenceSession, batch: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    inputs = {}
    for declared in session.get_inputs():
        shape = [batch, *declared.shape[1:]]
        if declared.type == "tensor(int64)":
            inputs[declared.name] = rng.integers(0, 2, shape)
        else:
            inputs[declared.name] = rng.standard_normal(shape, dtype=np.float32)
    return inputs


def run(path: Path, batch: int) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, random_inputs(session, batch))


def test_every_name_is_tested():
    assert set(SMALL_OPTIONS) == set(generated_names())


@pytest.mark.parametrize("name", SMALL_OPTIONS)
def test_passes_the_checker_and_runs(name, model_path):
    path = model_path(name)
    onnx.checker.check_model(str(path), full_check=True)
    for output in run(path, batch=1):
        assert np.isfinite(output).all()
        assert 1e-3 < output.std() < 1e3


@pytest.mark.parametrize("name", QUICK_NAMES)
def test_batch_can_stay_open(name, tmp_path):
    path = generate_model(name, tmp_path / "model.onnx", batch="batch", **SMALL_OPTIONS[name])
    assert all(len(output) == 2 for output in run(path, batch=2))


@pytest.mark.parametrize("name", QUICK_NAMES)
def test_same_seed_gives_same_bytes(name, tmp_path):
    def generate(file: str, seed: int) -> bytes:
        path = generate_model(name, tmp_path / file, seed=seed, **SMALL_OPTIONS[name])
        return path.read_bytes()

    first = generate("a.onnx", seed=3)
    assert generate("b.onnx", seed=3) == first
    assert generate("c.onnx", seed=4) != first


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("resnet18", 11.6e6, 11.7e6),
        ("resnet50", 25.5e6, 25.6e6),
        ("mobilenet_v2", 3.4e6, 3.6e6),
    ],
)
def test_parameter_counts_are_the_published_ones(name, low, high, model_path):
    assert low < num_parameters(load_structure(model_path(name))) < high


@pytest.mark.parametrize(
    ("name", "num_norms", "published"),
    [
        ("resnet18", 20, 11_689_512),
        ("resnet50", 53, 25_557_032),
        ("mobilenet_v2", 52, 3_504_872),
    ],
)
def test_kept_batch_norms_give_torchvisions_counts(name, num_norms, published, tmp_path):
    model = load_structure(generate_model(name, tmp_path / "model.onnx", batch_norm=True))
    operators = [node.op_type for node in model.graph.node]
    assert operators.count("BatchNormalization") == num_norms
    assert num_parameters(model) == published


def test_bert_base_has_109_million_parameters(tmp_path):
    # A small model and arithmetic instead of 440 MB of noise.
    def count(vocabulary_size: int, num_layers: int) -> int:
        path = tmp_path / "bert.onnx"
        options = {"vocabulary_size": vocabulary_size, "num_layers": num_layers}
        return num_parameters(load_structure(generate_model("bert_base", path, **options)))

    one_layer = count(10, 1)
    per_layer = count(10, 2) - one_layer
    assert one_layer + 11 * per_layer + (30522 - 10) * 768 == 109_482_240


def test_resnet18_first_layer(model_path):
    model = load_structure(model_path("resnet18"))
    first = model.graph.node[0]
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == first.input[1])
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in first.attribute}
    assert (first.op_type, list(first.input), list(first.output)) == (
        "Conv",
        ["image", "input.conv.weight"],
        ["123"],
    )
    assert list(weight.dims) == [64, 3, 7, 7]
    assert attributes["strides"] == [2, 2]
    assert attributes["pads"] == [3, 3, 3, 3]
    assert attributes["group"] == 1

    inferred = onnx.shape_inference.infer_shapes(model)
    output = next(value for value in inferred.graph.value_info if value.name == "123")
    shape = [dim.dim_value for dim in output.type.tensor_type.shape.dim]
    assert shape == [1, 64, 112, 112]
    assert np.prod(weight.dims) * 112 * 112 == 118_013_952


def test_resnet50_takes_the_stride_in_the_3x3_convolution(model_path):
    model = load_structure(model_path("resnet50"))
    strides = {
        node.input[1]: list(attribute.ints)
        for node in model.graph.node
        for attribute in node.attribute
        if node.op_type == "Conv" and attribute.name == "strides"
    }
    assert strides["layer2.0.conv1.weight"] == [1, 1]
    assert strides["layer2.0.conv2.weight"] == [2, 2]


@pytest.mark.parametrize(("name", "num_norms"), [("resnet50", 0), ("resnet18", 1)])
def test_batch_norm_is_folded_unless_asked_for(name, num_norms, model_path):
    operators = [node.op_type for node in load_structure(model_path(name)).graph.node]
    assert operators.count("BatchNormalization") == num_norms


@pytest.mark.parametrize("num_layers", [1, 2, 7, 300])
def test_many_layers_has_as_many_as_asked_for(num_layers, tmp_path):
    path = generate_model("many_layers", tmp_path / "model.onnx", num_layers=num_layers)
    operators = [node.op_type for node in load_structure(path).graph.node]
    assert operators.count("Conv") + operators.count("Gemm") == num_layers


def test_external_data_holds_the_same_weights(tmp_path):
    options = {"num_layers": 3, "width": 64}
    inside = onnx.load(generate_model("large_mlp", tmp_path / "in.onnx", **options))
    path = generate_model("large_mlp", tmp_path / "out.onnx", external_data=True, **options)
    structure = load_structure(path)
    assert [tensor.name for tensor in structure.graph.initializer if tensor.external_data] == [
        "layers.0.weight",
        "layers.1.weight",
        "layers.2.weight",
    ]
    assert (tmp_path / "out.onnx.data").stat().st_size == 3 * 64 * 64 * 4
    onnx.checker.check_model(str(path), full_check=True)
    np.testing.assert_array_equal(run(path, 1)[0], run(tmp_path / "in.onnx", 1)[0])
    assert [t.name for t in inside.graph.initializer] == [
        t.name for t in structure.graph.initializer
    ]


def test_layers_differ_in_spread():
    weights = RandomWeights(seed=0)
    spreads = [weights("w", (64, 64), std=1.0, mean=0.0).std() for _ in range(20)]
    assert max(spreads) / min(spreads) > 1.5
    assert 0.7 < np.prod(spreads) < 1.5


def test_unknown_name_lists_what_there_is(tmp_path):
    with pytest.raises(NotFoundError, match=r"'vgg'.*resnet18, resnet50, mobilenet_v2"):
        generate_model("vgg", tmp_path / "model.onnx")


def test_unknown_option_lists_what_there_is(tmp_path):
    with pytest.raises(InvalidRequestError, match=r"'depth'.*num_layers, width"):
        generate_model("many_layers", tmp_path / "model.onnx", depth=3)


def test_no_layers_are_refused(tmp_path):
    with pytest.raises(InvalidRequestError, match="num_layers=0"):
        generate_model("many_layers", tmp_path / "model.onnx", num_layers=0)


def test_weights_over_2_gb_need_external_data():
    def never(name: str, shape: tuple[int, ...], *, std: float, mean: float) -> np.ndarray:
        raise AssertionError("asked for values that do not fit")

    graph = GraphBuilder("large", never)
    graph.input("x", [1, 30_000], TensorProto.FLOAT)
    with pytest.raises(InvalidRequestError, match="external_data=True"):
        graph.gemm("layer", "x", 30_000, 30_000)
