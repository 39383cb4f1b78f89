"""`studio plan` with goals and measured losses: solved for, with a reason for each layer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from studio_core.plans import PruningPlan

if TYPE_CHECKING:
    from tests.cli.conftest import Studio

# Layer "hidden" minds much, layer "y" hardly.
CURVES = {"hidden": (0.5, 2.0), "y": (0.1, 0.2)}


@pytest.fixture
def analysis(tmp_path: Path) -> Path:
    """Losses at 50 % and 75 % as if `studio sweep` had measured them on ``two_layers``."""
    path = tmp_path / "analysis.json"
    layers = [
        {
            "id": layer_id,
            "name": layer_id,
            "baseline": {"sparsity": 0.0, "loss": 0.0},
            "sparse": [
                {"sparsity": 0.5, "loss": losses[0], "standardError": 0.03},
                {"sparsity": 0.75, "loss": losses[1], "standardError": 0.04},
            ],
        }
        for layer_id, losses in CURVES.items()
    ]
    document = {"layerSensitivities": layers, "source": "measured", "metric": {"name": "cosine"}}
    path.write_text(json.dumps(document))
    return path


def test_the_sparsest_plan_within_a_loss(studio: Studio, two_layers: Path, analysis: Path) -> None:
    args = ("plan", two_layers, "--analysis", analysis, "--max-loss", "0.3", "--json")
    document = studio(*args).json

    plan = PruningPlan.from_document(document)
    assert plan.sparsities == {"hidden": 0.0, "y": 0.75}
    assert document["predictedLoss"]["value"] == pytest.approx(0.2)
    assert document["predictedLoss"]["standardError"] == pytest.approx(0.04)
    assert document["predictedLoss"]["source"] == "measured"
    solution = document["solution"]
    assert (solution["objective"], solution["isOptimal"]) == ("sparsity", True)
    assert solution["constraints"] == {"loss": {"atMost": 0.3, "shareAtMost": None}}
    assert [reason["id"] for reason in solution["reasons"]] == ["hidden", "y"]


def test_the_least_loss_at_a_sparsity(studio: Studio, two_layers: Path, analysis: Path) -> None:
    args = ("plan", two_layers, "--analysis", analysis, "--min-sparsity", "0.5")
    result = studio(*args)
    assert "the least predicted loss with average sparsity at least 50.00%" in result.out
    assert "loss      0.6 ±0.042 cosine" in result.out
    assert "`studio verify` it" in result.out
    assert "Estimated, not measured" not in result.out


def test_why_gives_a_reason_for_each_layer(
    studio: Studio, two_layers: Path, analysis: Path
) -> None:
    args = ("plan", two_layers, "--analysis", analysis, "--min-sparsity", "0.3")
    rows = studio(*args, "--why").rows()
    assert rows[0][-1] == "why"
    assert "would add 0.5 to the loss" in rows[1][-1]
    assert "75.0% is its last known level" in rows[2][-1]
    assert "last known level" not in studio(*args).out


@pytest.mark.parametrize("options", [("--max-bytes-share", "0.8"), ("--max-flops-share", "0.7")])
def test_bytes_and_work_can_be_bounded(
    studio: Studio, two_layers: Path, analysis: Path, options: tuple[str, str]
) -> None:
    document = studio("plan", two_layers, "--analysis", analysis, *options, "--json").json
    assert document["solution"]["objective"] == "loss"
    estimate = document["estimate"]
    if options[0] == "--max-flops-share":
        assert estimate["flops"] <= 0.7 * estimate["flopsDense"]
    else:
        assert estimate["bytesSparse"] <= 0.8 * estimate["bytesDense"]


def test_minimize_says_what_to_make_the_best_of(
    studio: Studio, two_layers: Path, analysis: Path
) -> None:
    args = ("plan", two_layers, "--analysis", analysis, "--max-loss", "0.6", "--json")
    for objective in ("sparsity", "bytes", "flops", "loss"):
        document = studio(*args, "--minimize", objective).json
        assert document["solution"]["objective"] == objective
        sparsities = [layer["sparsity"] for layer in document["layers"]]
        assert sparsities == ([0.0, 0.0] if objective == "loss" else [0.5, 0.5]), objective


def test_goals_need_no_measurement(studio: Studio) -> None:
    result = studio("plan", "sample:digits_cnn", "--min-sparsity", "0.8")
    assert "Estimated, not measured" in result.out
    assert result.status == 0


def test_locks_and_the_highest_sparsity_hold(
    studio: Studio, two_layers: Path, analysis: Path
) -> None:
    args = ("plan", two_layers, "--analysis", analysis, "--minimize", "bytes", "--json")
    document = studio(*args, "--lock", "a=0.25", "--max-sparsity", "0.6").json
    assert [layer["sparsity"] for layer in document["layers"]] == [0.25, 0.5]
    assert [layer["locked"] for layer in document["layers"]] == [True, False]


def test_what_cannot_be_reached_is_refused_with_what_can(
    studio: Studio, two_layers: Path, analysis: Path
) -> None:
    args = ("plan", two_layers, "--analysis", analysis, "--min-sparsity", "0.5")
    result = studio(*args, "--max-loss", "0.1")
    assert (result.status, result.out) == (1, "")
    assert "the best that known levels, locks and limits allow is 0.6" in result.err


def test_an_average_can_be_spread_over_measured_losses(
    studio: Studio, two_layers: Path, analysis: Path
) -> None:
    args = ("plan", two_layers, "--sparsity", "0.5", "--json")
    measured = studio(*args, "--analysis", analysis).json
    assert measured["predictedLoss"]["metric"] == "cosine"
    assert "predictedLoss" not in studio(*args).json
    hidden, y = (layer["sparsity"] for layer in measured["layers"])
    assert y > hidden


def test_a_plan_with_goals_is_read_again(
    studio: Studio, two_layers: Path, analysis: Path, tmp_path: Path
) -> None:
    path = tmp_path / "plan.json"
    args = ("plan", two_layers, "--analysis", analysis, "--min-sparsity", "0.5", "-o", path)
    assert studio(*args).status == 0
    assert studio("export", two_layers, "--plan", path).status == 0


def test_a_level_that_nobody_knows_is_a_dash(
    studio: Studio, two_layers: Path, analysis: Path
) -> None:
    args = ("plan", two_layers, "--analysis", analysis, "--sparsity", "0.6", "--lock", "a=0.9")
    rows = studio(*args).rows()
    assert rows[1][5] == "–"


def test_an_analysis_of_another_file_is_said(
    studio: Studio, two_layers: Path, analysis: Path
) -> None:
    document = json.loads(analysis.read_text())
    document["provenance"] = {"modelSha256": "0" * 64}
    analysis.write_text(json.dumps(document))
    result = studio("plan", two_layers, "--analysis", analysis, "--min-sparsity", "0.5")
    assert result.status == 0
    assert "was measured on another file" in result.err


def test_an_analysis_of_another_model_is_refused(studio: Studio, analysis: Path) -> None:
    args = ("plan", "sample:digits_cnn", "--analysis", analysis, "--min-sparsity", "0.5")
    result = studio(*args)
    assert result.status == 1
    assert "none of its layers" in result.err


@pytest.mark.parametrize(
    "options",
    [
        ["--sparsity", "0.5", "--max-loss", "1"],
        ["--sparsity", "0.5", "--why"],
        ["--minimize", "loss"],
        ["--minimize", "sparsity", "--balance", "0.5"],
        ["--max-loss", "-1"],
        ["--max-bytes-share", "2"],
        ["--minimize", "time"],
        ["--why"],
    ],
)
def test_wrong_usage(studio: Studio, two_layers: Path, options: list[str]) -> None:
    result = studio("plan", two_layers, *options)
    assert result.status == 2
    assert "usage: studio plan" in result.err
