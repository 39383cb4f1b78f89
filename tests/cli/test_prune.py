"""`studio prune`: the plan as a new model, and nothing lost by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnx.numpy_helper
import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Studio


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    path.write_text('{"layers": [{"id": "a", "sparsity": 0.5}, {"id": "b", "sparsity": 0}]}')
    return path


def _weights(path: Path) -> dict[str, np.ndarray]:
    initializers = onnx.load(path).graph.initializer
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in initializers}


def test_the_planned_weights_are_zero_and_all_else_is_kept(
    studio: Studio, two_layers: Path, plan: Path, tmp_path: Path
) -> None:
    target = tmp_path / "pruned.onnx"
    before = two_layers.read_bytes()
    result = studio("prune", two_layers, "--plan", plan, "-o", target)

    assert result.status == 0
    old, new = _weights(two_layers), _weights(target)
    np.testing.assert_array_equal(new["a"], np.where(old["a"] <= 6, 0, old["a"]))
    np.testing.assert_array_equal(new["b"], old["b"])
    assert two_layers.read_bytes() == before
    assert f"wrote {target}" in result.err
    rows = result.rows()
    assert rows[1] == ["a", "12", "50.0 %", "6", "0", "6", "element"]
    assert rows[2] == ["b", "12", "0.0 %", "0", "4", "4"]
    assert "10 of 24 weights" in result.out
    assert studio("layers", target).status == 0


def test_json_counts_what_was_done(
    studio: Studio, two_layers: Path, plan: Path, tmp_path: Path
) -> None:
    target = tmp_path / "pruned.onnx"
    document = studio("prune", two_layers, "--plan", plan, "-o", target, "--json").json
    assert document["path"] == str(target)
    assert document["sha256"] != document["sourceSha256"]
    a, b = document["layers"]
    assert (a["numPruned"], a["numZerosAfter"], a["granularity"]) == (6, 6, "element")
    assert (b["numPruned"], b["granularity"]) == (0, None)


def test_a_model_is_replaced_only_by_force(
    studio: Studio, two_layers: Path, plan: Path, tmp_path: Path
) -> None:
    target = tmp_path / "pruned.onnx"
    target.write_bytes(b"mine")
    refused = studio("prune", two_layers, "--plan", plan, "-o", target)
    assert refused.status == 1
    assert "--force" in refused.err
    assert target.read_bytes() == b"mine"
    assert studio("prune", two_layers, "--plan", plan, "-o", target, "--force").status == 0
    assert "a" in _weights(target)


def test_the_source_is_never_replaced(studio: Studio, two_layers: Path, plan: Path) -> None:
    before = two_layers.read_bytes()
    result = studio("prune", two_layers, "--plan", plan, "-o", two_layers, "--force")
    assert result.status == 1
    assert "belongs to the model" in result.err
    assert two_layers.read_bytes() == before


def test_two_of_four(studio: Studio, tmp_path: Path) -> None:
    plan, target = tmp_path / "plan.json", tmp_path / "pruned.onnx"
    layers = [{"id": "head.fc1.weight", "sparsity": 0.9}, {"id": "head.fc2.weight", "sparsity": 0}]
    plan.write_text(json.dumps({"layers": layers}))
    args = ("prune", "sample:digits_cnn", "--plan", plan, "-o", target, "--n-of-m", "2:4")
    result = studio(*args)

    assert "the plan had another for 1 layer" in result.err
    assert result.rows()[1][-1] == "2:4"
    weight = _weights(target)["head.fc1.weight"]
    summed_last = weight if weight.shape == (64, 256) else weight.T
    kept = np.count_nonzero(summed_last.reshape(summed_last.shape[0], -1, 4), axis=-1)
    assert set(kept.reshape(-1).tolist()) == {2}
    assert np.count_nonzero(_weights(target)["head.fc2.weight"] == 0) == 0


def test_a_layer_too_narrow_for_the_pattern_is_refused(
    studio: Studio, two_layers: Path, tmp_path: Path
) -> None:
    plan, target = tmp_path / "plan.json", tmp_path / "pruned.onnx"
    plan.write_text('{"layers": [{"id": "b", "sparsity": 0.5}]}')  # b sums over 3
    result = studio("prune", two_layers, "--plan", plan, "-o", target, "--n-of-m", "2:4")
    assert result.status == 1
    assert "sums over 3 weights" in result.err
    assert not target.exists()


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["-o", "pruned.onnx"],
        ["--plan", "plan.json"],
        ["--plan", "plan.json", "-o", "plan.json"],
        ["--plan", "plan.json", "-o", "p.onnx", "--n-of-m", "4:2"],
        ["--plan", "plan.json", "-o", "p.onnx", "--n-of-m", "2"],
        ["--plan", "plan.json", "-o", "p.onnx", "--n-of-m", "0:4"],
    ],
)
def test_wrong_usage(studio: Studio, two_layers: Path, options: list[str]) -> None:
    result = studio("prune", two_layers, *options)
    assert result.status == 2
    assert "usage: studio prune" in result.err


def test_a_folder_that_is_not_there_is_said(studio: Studio, two_layers: Path, plan: Path) -> None:
    result = studio("prune", two_layers, "--plan", plan, "-o", "no/such/p.onnx")
    assert result.status == 1
    assert "folder" in result.err
