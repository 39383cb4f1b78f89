"""`studio verify`: a plan is run, and what was predicted stands beside what happened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Studio

DIGITS = "sample:digits_cnn"


@pytest.fixture
def analysis(studio: Studio, tmp_path: Path) -> Path:
    path = tmp_path / "analysis.json"
    options = ("--samples", "8", "--levels", "0.5,0.9", "-o", path)
    assert studio("sweep", DIGITS, *options).status == 0
    return path


@pytest.fixture
def plan(studio: Studio, analysis: Path, tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    goals = ("--analysis", analysis, "--min-sparsity", "0.8", "-o", path)
    assert studio("plan", DIGITS, *goals).status == 0
    return path


def test_predicted_and_actual_stand_side_by_side(
    studio: Studio, plan: Path, analysis: Path
) -> None:
    result = studio("verify", DIGITS, "--plan", plan, "--analysis", analysis)
    rows = {row[0]: row[1:] for row in result.rows()}

    assert rows["dense"] == ["predicted", "actual"]
    dense, predicted, actual = rows["loss (cross_entropy)"]
    assert dense == "0"
    assert "±" in predicted
    assert "±" in actual
    before, _, after = rows["accuracy"]
    assert before == "98.89 %"  # the model's card: 356 of 360
    assert 50.0 < float(after.removesuffix(" %")) < 99.0
    assert "356 of 360 samples right before" in result.out
    assert rows["sparsity"][1] == rows["sparsity"][2]
    assert rows["MACs, if zeros are skipped"][1] == rows["MACs, if zeros are skipped"][2]


def test_json_holds_the_comparison(
    studio: Studio, plan: Path, analysis: Path, tmp_path: Path
) -> None:
    path = tmp_path / "verified.json"
    args = ("verify", DIGITS, "--plan", plan, "--analysis", analysis, "--samples", "32")
    document = studio(*args, "--json", "-o", path).json

    assert document["isComparable"] is True
    assert document["loss"]["numSamples"] == 32
    assert document["accuracy"]["numCorrectDense"] <= 32
    assert document["predicted"]["source"] == "measured"
    assert document["costs"]["sparsity"] == pytest.approx(document["estimate"]["sparsity"])
    assert json.loads(path.read_text()) == document


def test_a_prediction_in_another_metric_is_not_set_beside(studio: Studio, plan: Path) -> None:
    result = studio("verify", DIGITS, "--plan", plan, "--samples", "8")
    rows = {row[0]: row[1:] for row in result.rows()}
    assert rows["loss (cross_entropy)"][1] == "–"
    assert "--metric cross_entropy to compare" in result.out


def test_on_random_data_it_says_so(studio: Studio, plan: Path) -> None:
    result = studio("verify", DIGITS, "--plan", plan, "--data", "generated")
    assert "random data" in result.out
    assert "accuracy" not in {row[0] for row in result.rows()}


def test_latency_on_request(studio: Studio, plan: Path) -> None:
    args = ("verify", DIGITS, "--plan", plan, "--samples", "4")
    assert "latency" not in studio(*args).out
    result = studio(*args, "--latency-runs", "3")
    assert "medians of 3 runs" in result.out
    assert studio(*args, "--latency-runs", "3", "--json").json["latency"]["numRuns"] == 3


def test_a_single_layer_counts_out_by_hand(
    studio: Studio, two_layers: Path, tmp_path: Path
) -> None:
    plan, data = tmp_path / "plan.json", tmp_path / "x.npz"
    plan.write_text('{"layers": [{"id": "a", "sparsity": 0.5}]}')
    np.savez(data, x=np.eye(4, dtype=np.float32))
    args = ("verify", two_layers, "--plan", plan, "--data", data, "--metric", "relative_l2")
    document = studio(*args, "--json").json
    assert document["costs"]["numZeros"] == 6 + 4  # half of a, and the zeros that b has anyway
    # x = the unit vectors: those that meet only pruned rows of a answer 0, an error of 1.
    a = np.arange(1, 13, dtype=np.float32).reshape(4, 3)
    b = np.array([8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0], np.float32).reshape(3, 4)
    dense, pruned = a @ b, np.where(a <= 6, 0, a) @ b
    errors = np.linalg.norm(pruned - dense, axis=1) / np.linalg.norm(dense, axis=1)
    assert document["loss"]["mean"] == pytest.approx(errors.mean(), rel=1e-5)


def test_faults(studio: Studio, two_layers: Path, plan: Path, tmp_path: Path) -> None:
    assert studio("verify", two_layers).status == 2
    assert studio("verify", DIGITS, "--plan", plan, "--latency-runs", "0").status == 2
    for options, message in (
        (("--plan", tmp_path / "none.json"), "studio plan MODEL"),
        (("--plan", plan), "does not fit this model"),
    ):
        result = studio("verify", two_layers, *options)
        assert result.status == 1
        assert message in result.err


def test_what_was_verified_corrects_the_next_prediction(
    studio: Studio, plan: Path, analysis: Path, tmp_path: Path
) -> None:
    verified = tmp_path / "verified.json"
    args = ("verify", DIGITS, "--plan", plan, "--analysis", analysis, "-o", verified)
    assert studio(*args).status == 0
    actual = json.loads(verified.read_text())["loss"]["mean"]
    goals = ("plan", DIGITS, "--analysis", analysis, "--min-sparsity", "0.8", "--json")
    corrected = studio(*goals, "--verified", verified).json
    assert corrected["predictedLoss"]["value"] == pytest.approx(actual)
    assert studio(*goals).json["predictedLoss"]["value"] < actual
    again = studio(*args[:-2], "--verified", verified, "--json").json
    assert again["predicted"]["value"] == pytest.approx(actual)


def test_a_plan_that_loses_more_than_was_said_gets_advice(
    studio: Studio, plan: Path, analysis: Path
) -> None:
    document = json.loads(analysis.read_text())
    for layer in document["layerSensitivities"]:
        for point in layer["sparse"]:
            point["loss"] = abs(point["loss"]) / 100
    analysis.write_text(json.dumps(document))
    result = studio("verify", DIGITS, "--plan", plan, "--analysis", analysis)
    assert "times what was predicted" in result.out
    assert "--verified" in result.out


@pytest.mark.parametrize("content", [None, "no json", "[]", "{}", '{"uncalibrated": null}'])
def test_a_file_that_is_no_verification(
    studio: Studio, two_layers: Path, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "v.json"
    if content is not None:
        path.write_text(content)
    result = studio("plan", two_layers, "--min-sparsity", "0.5", "--verified", path)
    assert result.status == 1
    assert "studio verify" in result.err
