"""The bundled models are what their cards say."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from studio_core.errors import NotFoundError
from studio_core.samples import sample_card, sample_data, sample_names, sample_path

NAMES = ("digits_cnn", "digits_transformer")


def load(name: str) -> onnx.ModelProto:
    return onnx.load(sample_path(name))


def nodes(model: onnx.ModelProto, op: str) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == op]


def conv_groups(model: onnx.ModelProto) -> dict[str, tuple[int, int]]:
    """(groups, output channels) by weight name."""
    shapes = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    return {
        node.input[1]: (attribute.i, shapes[node.input[1]][0])
        for node in nodes(model, "Conv")
        for attribute in node.attribute
        if attribute.name == "group"
    }


def test_names():
    assert sample_names() == NAMES


@pytest.mark.parametrize("lookup", [sample_card, sample_path, sample_data])
def test_unknown_name_lists_what_there_is(lookup):
    with pytest.raises(NotFoundError, match=r"'mnist'.*digits_cnn, digits_transformer"):
        lookup("mnist")


@pytest.mark.parametrize("name", NAMES)
def test_passes_the_checker(name):
    onnx.checker.check_model(str(sample_path(name)), full_check=True)


@pytest.mark.parametrize("name", NAMES)
def test_card_tells_the_measured_accuracy(name):
    card, data = sample_card(name), sample_data(name)
    session = onnxruntime.InferenceSession(sample_path(name), providers=["CPUExecutionProvider"])
    logits = session.run(["logits"], data.inputs)[0]
    num_correct = int((logits.argmax(1) == data.labels).sum())
    assert (num_correct, len(data.labels)) == (card.num_correct, card.num_evaluated)
    assert card.accuracy == num_correct / len(data.labels)
    assert card.accuracy >= 0.97


@pytest.mark.parametrize("name", NAMES)
def test_card_tells_the_size(name):
    card, model = sample_card(name), load(name)
    assert card.num_parameters == sum(
        int(np.prod(tensor.dims))
        for tensor in model.graph.initializer
        if ".running_" not in tensor.name
    )
    assert [opset.version for opset in model.opset_import] == [card.opset]


@pytest.mark.parametrize("name", NAMES)
def test_data_fits_the_model_input(name):
    model, data = load(name), sample_data(name)
    (declared,) = model.graph.input
    shape = [dim.dim_param or dim.dim_value for dim in declared.type.tensor_type.shape.dim]
    values = data.inputs[declared.name]
    assert list(data.inputs) == [declared.name]
    assert shape == ["batch", *values.shape[1:]]
    assert onnx.helper.np_dtype_to_tensor_dtype(values.dtype) == declared.type.tensor_type.elem_type
    assert data.labels.shape == (len(values),)
    assert data.labels.dtype == np.int64


def test_both_models_see_the_same_images():
    cnn, transformer = sample_data("digits_cnn"), sample_data("digits_transformer")
    np.testing.assert_array_equal(cnn.labels, transformer.labels)
    pixels = cnn.inputs["image"].reshape(-1, 64) * 16
    np.testing.assert_array_equal(pixels, transformer.inputs["pixels"])


def test_every_digit_is_held_out_about_equally_often():
    counts = np.bincount(sample_data("digits_cnn").labels, minlength=10)
    assert counts.min() >= 34
    assert counts.max() <= 38


def test_files_are_small():
    files = list(sample_path("digits_cnn").parent.iterdir())
    assert sum(file.stat().st_size for file in files) < 3.5e6


@pytest.mark.parametrize("name", NAMES)
def test_files_tell_nothing_about_the_machine(name):
    model = load(name)
    assert not model.doc_string
    assert not model.metadata_props
    assert not any(node.doc_string for node in model.graph.node)
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    for text in (b"site-packages", b"/home/", b"/tmp/"):
        assert text not in sample_path(name).read_bytes()


def test_cnn_has_every_kind_of_convolution():
    groups = conv_groups(load("digits_cnn"))
    assert groups["stem.conv.weight"] == (1, 32)
    assert groups["block2.grouped.weight"] == (4, 32)
    assert groups["block3.depthwise.weight"] == (64, 64)


def test_cnn_keeps_some_batch_norms_and_folds_others():
    model = load("digits_cnn")
    convs = nodes(model, "Conv")
    assert len(nodes(model, "BatchNormalization")) == 3
    assert sum(len(node.input) == 2 for node in convs) == 3
    assert sum(len(node.input) == 3 for node in convs) == 9


def test_cnn_has_residual_adds_and_linear_layers():
    model = load("digits_cnn")
    assert len(nodes(model, "Add")) == 3
    assert [node.input[1] for node in nodes(model, "Gemm")] == [
        "head.fc1.weight",
        "head.fc2.weight",
    ]


def test_transformer_takes_token_ids():
    (declared,) = load("digits_transformer").graph.input
    assert declared.type.tensor_type.elem_type == TensorProto.INT64


def test_transformer_has_matmuls_with_and_without_weights():
    model = load("digits_transformer")
    weights = {tensor.name for tensor in model.graph.initializer}
    matmuls = nodes(model, "MatMul")
    weighted = [node for node in matmuls if node.input[1] in weights]
    assert len(weighted) == 1 + 3 * 6
    assert len(matmuls) - len(weighted) == 3 * 2


def test_transformer_has_the_parts_of_an_encoder():
    operators = {node.op_type for node in load("digits_transformer").graph.node}
    assert operators >= {"Gather", "LayerNormalization", "Softmax", "Erf", "Gemm"}


@pytest.mark.parametrize("name", NAMES)
def test_nodes_have_names_of_their_own(name):
    names = [node.name for node in load(name).graph.node]
    assert all(names)
    assert len(set(names)) == len(names)
