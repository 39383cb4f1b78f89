"""Finding the layer that a person means."""

from pathlib import Path

import onnx
import onnx.parser
import pytest

from studio_cli.layer_names import find_layer, find_locks
from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.layers import Layer
from studio_core.session import Session

# The weights of two branches may have one name: they are different weights.
BRANCHES = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[1, 2] x, bool c) => (float[1, 2] y)
{
    y = If (c) <
        then_branch = t () => (float[1, 2] p)
        <float[2, 2] w = {1, 2, 3, 4}> { p = MatMul (x, w) },
        else_branch = e () => (float[1, 2] q)
        <float[2, 2] w = {5, 6, 7, 8}> { q = MatMul (x, w) }
    >
}
"""


def _layers(path: Path) -> tuple[Layer, ...]:
    return Session.open(path).layers


def test_by_id_and_by_weight_name(two_layers: Path) -> None:
    layers = _layers(two_layers)
    assert find_layer(layers, "hidden") is find_layer(layers, "a") is layers[0]


def test_layers_of_one_weight_are_found_by_it(shared: Path) -> None:
    layers = _layers(shared)
    assert find_layer(layers, "w") is layers[0]
    assert find_locks(layers, [("h", 0.5), ("y", 0.5)]) == {"h": 0.5, "y": 0.5}


def test_a_name_of_several_weights_needs_an_id(tmp_path: Path) -> None:
    path = tmp_path / "branches.onnx"
    path.write_bytes(onnx.parser.parse_model(BRANCHES).SerializeToString())
    layers = _layers(path)
    with pytest.raises(InvalidRequestError, match="Give an id") as error:
        find_layer(layers, "w")
    assert all(f"'{layer.id}'" in str(error.value) for layer in layers)


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("head.fc1.wieght", "'head.fc1.weight'"),
        ("DEPTHWISE", "'block3.depthwise.weight'"),
        ("zzz", "`studio layers MODEL --all`"),
    ],
)
def test_an_unknown_name_gets_help(text: str, suggestion: str) -> None:
    from studio_core.samples import sample_path

    with pytest.raises(NotFoundError) as error:
        find_layer(_layers(sample_path("digits_cnn")), text)
    assert suggestion in str(error.value)
