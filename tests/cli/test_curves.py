"""`studio loss` and `studio perf`: a few levels for people, everything for programs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from studio_core.sensitivity.documents import from_document

if TYPE_CHECKING:
    from tests.cli.conftest import Studio


def test_loss_shows_the_levels_asked_for(studio: Studio, two_layers: Path) -> None:
    rows = studio("loss", two_layers, "--levels", "0.5,0.25").rows()

    assert rows[0] == ["layer", "operator", "0.25", "0.5"]
    a = [math.sqrt(14 / 650), math.sqrt(91 / 650)]  # 1..3 and 1..6 of 1..12 are gone
    assert rows[1] == ["a", "MatMul", *(f"{value:.2f}" for value in a)]


def test_loss_says_what_the_numbers_are_and_that_nothing_was_run(
    studio: Studio, two_layers: Path
) -> None:
    out = studio("loss", two_layers).out
    assert "share of L2 norm removed" in out
    assert "nothing was run" in out


def test_magnitude_is_the_sum_of_what_is_removed(studio: Studio, two_layers: Path) -> None:
    result = studio("loss", two_layers, "--metric", "magnitude", "--levels", "0.5")
    assert result.rows()[1] == ["a", "MatMul", "21"]


def test_loss_json_is_the_document_of_the_rest_interface(studio: Studio, two_layers: Path) -> None:
    document = studio("loss", two_layers, "--json").json

    assert document["metric"]["name"] == "l2_share"
    assert document["metric"]["higherIsBetter"] is False
    assert document["source"] == "estimated"
    entry = document["layerSensitivities"][0]
    assert (entry["id"], entry["name"]) == ("hidden", "a")
    assert entry["baseline"] == {"sparsity": 0.0, "loss": 0.0}
    assert len(entry["sparse"]) == 30
    assert from_document("loss", "x", document).layer_ids == ("hidden", "y")


def test_full_resolution_is_the_original_grid(studio: Studio, two_layers: Path) -> None:
    document = studio("loss", two_layers, "--resolution", "full", "--json").json
    sparsities = [point["sparsity"] for point in document["layerSensitivities"][0]["sparse"]]
    assert sparsities == pytest.approx([i / 12 for i in range(1, 13)])


def test_a_table_of_the_full_grid_reads_the_levels_off_it(studio: Studio, two_layers: Path) -> None:
    plain = studio("loss", two_layers, "--levels", "0.5,1")
    full = studio("loss", two_layers, "--levels", "0.5,1", "--resolution", "full")
    assert full.rows() == plain.rows()


def test_perf_shows_the_work_left_beside_the_dense_layer(studio: Studio, two_layers: Path) -> None:
    rows = studio("perf", two_layers, "--levels", "0.5").rows()
    assert rows[0] == ["layer", "operator", "dense", "0.5"]
    assert rows[1] == ["a", "MatMul", "12", "6"]


def test_unknown_work_is_a_dash_and_null_never_zero(studio: Studio, attention: Path) -> None:
    table = studio("perf", attention, "--levels", "0.5")
    document = studio("perf", attention, "--levels", "0.5", "--json").json

    assert table.rows()[1] == ["w", "MatMul", "–", "–"]
    assert "2 layers cannot be pruned and have no curve" in table.out
    entry = document["layerSensitivities"][0]
    assert entry["baseline"]["flops"] is None
    assert entry["sparse"] == [{"sparsity": 0.5, "flops": None, "timing": None, "timings": None}]


def test_loss_from_data_is_an_estimate_of_the_sweep(studio: Studio, two_layers: Path) -> None:
    options = ["--data", "generated", "--levels", "0.7,0.95", "--samples", "3"]
    table = studio("loss", two_layers, *options)
    document = studio("loss", two_layers, *options, "--json").json
    swept = studio("sweep", two_layers, *options, "--json").json

    assert table.rows()[0] == ["layer", "operator", "0.7", "0.95"]
    assert "estimated from 3 samples of random data" in table.out
    assert document["source"] == "data-aware"
    # The probes are the levels: there the estimate is what the sweep measures.
    for ours, theirs in zip(
        document["layerSensitivities"], swept["layerSensitivities"], strict=True
    ):
        losses = [point["loss"] for point in theirs["sparse"]]
        assert [point["loss"] for point in ours["sparse"]] == pytest.approx(losses, rel=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        ["--metric", "softmax_kl"],
        ["--granularity", "channel"],
        ["--samples", "3"],
        ["--data", "generated", "--metric", "magnitude"],
        ["--data", "generated", "--resolution", "full"],
    ],
)
def test_options_of_the_other_estimate_are_refused(
    studio: Studio, two_layers: Path, options: list[str]
) -> None:
    result = studio("loss", two_layers, *options)
    assert result.status != 0
    assert "--data" in result.err


@pytest.mark.parametrize("command", ["loss", "perf"])
@pytest.mark.parametrize("levels", ["0", "80", "half", "0.5,,0.8", "nan", ""])
def test_levels_that_cannot_be_are_wrong_usage(
    studio: Studio, two_layers: Path, command: str, levels: str
) -> None:
    result = studio(command, two_layers, "--levels", levels)
    assert result.status == 2
    assert "--levels" in result.err


def test_a_model_without_layers_has_no_curves(studio: Studio, tmp_path: Path) -> None:
    import onnx.parser

    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) {y = Relu(x)}'
    path = tmp_path / "empty.onnx"
    path.write_bytes(onnx.parser.parse_model(text).SerializeToString())

    assert studio("loss", path, "--json").json["layerSensitivities"] == []
    assert studio("loss", path).status == studio("layers", path).status == 0
