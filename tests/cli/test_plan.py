"""`studio plan`: a sparsity for each layer, and honest words about what it brings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from studio_core.plans import PruningPlan

if TYPE_CHECKING:
    from tests.cli.conftest import Studio


def test_the_plan_meets_its_target_and_says_it_is_an_estimate(studio: Studio) -> None:
    out = studio("plan", "sample:digits_cnn", "--sparsity", "0.8").out
    assert "Estimated, not measured" in out
    assert "sparsity  80.0 % of prunable weights" in out
    assert "if the runtime skipped every zero" in out


def test_json_is_a_plan_with_its_estimate(studio: Studio, two_layers: Path) -> None:
    document = studio("plan", two_layers, "--sparsity", "0.5", "--json").json

    plan = PruningPlan.from_document(document)
    assert plan.target == 0.5
    assert plan.balance == 1.0
    assert sum(plan.sparsities.values()) == pytest.approx(1.0)  # two layers of one size
    estimate = document["estimate"]
    assert estimate["source"] == "estimated"
    assert (estimate["numWeights"], estimate["flopsDense"]) == (24, 24)
    assert estimate["sparsity"] == pytest.approx(0.5, abs=0.05)


def test_unknown_work_is_null(studio: Studio, attention: Path) -> None:
    args = ("plan", attention, "--sparsity", "0.5")
    assert studio(*args, "--json").json["estimate"]["flops"] is None
    assert "MACs      not known" in studio(*args).out


@pytest.mark.parametrize("layer", ["hidden", "a"], ids=["by id", "by weight name"])
def test_a_lock_holds(studio: Studio, two_layers: Path, layer: str) -> None:
    document = studio(
        "plan", two_layers, "--sparsity", "0.5", "--lock", f"{layer}=0.25", "--json"
    ).json
    locked, free = document["layers"]
    assert (locked["id"], locked["sparsity"], locked["locked"]) == ("hidden", 0.25, True)
    assert (free["sparsity"], free["locked"]) == (pytest.approx(0.75), False)


def test_a_locked_layer_is_marked(studio: Studio, two_layers: Path) -> None:
    rows = studio("plan", two_layers, "--sparsity", "0.5", "--lock", "a=0.25").rows()
    assert rows[1][0] == "a"
    assert rows[1][-1] == "locked"


def test_no_layer_gets_more_than_the_limit(studio: Studio, two_layers: Path) -> None:
    document = studio(
        "plan", two_layers, "--sparsity", "0.5", "--max-sparsity", "0.6", "--json"
    ).json
    assert max(layer["sparsity"] for layer in document["layers"]) <= 0.6


def test_what_cannot_be_reached_is_refused_with_what_can(studio: Studio, two_layers: Path) -> None:
    result = studio("plan", two_layers, "--sparsity", "0.9", "--lock", "a=0.1")
    assert result.status == 1
    assert result.out == ""
    assert "cannot be reached" in result.err
    assert "52.5%" in result.err


def test_an_unknown_layer_gets_close_names(studio: Studio) -> None:
    result = studio("plan", "sample:digits_cnn", "--sparsity", "0.5", "--lock", "head.fc=0.5")
    assert result.status == 1
    assert "no layer 'head.fc'" in result.err
    assert "'head.fc1.weight'" in result.err


def test_a_layer_that_cannot_be_pruned_cannot_be_locked(studio: Studio, attention: Path) -> None:
    result = studio("plan", attention, "--sparsity", "0.5", "--lock", "scores=0.5")
    assert result.status == 1
    assert "No constant weight" in result.err


def test_one_weight_cannot_be_locked_twice(studio: Studio, shared: Path) -> None:
    locks = ("--lock", "h=0.5", "--lock", "y=0.6")
    result = studio("plan", shared, "--sparsity", "0.5", *locks)
    assert result.status == 1
    assert "two sparsities" in result.err


def test_output_is_written_beside_the_table(
    studio: Studio, two_layers: Path, tmp_path: Path
) -> None:
    path = tmp_path / "plan.json"
    result = studio("plan", two_layers, "--sparsity", "0.5", "-o", path)

    assert "Estimated, not measured" in result.out
    assert str(path) in result.err
    assert PruningPlan.from_document(json.loads(path.read_text())).target == 0.5


def test_the_model_is_never_overwritten(studio: Studio, two_layers: Path) -> None:
    before = two_layers.read_bytes()
    result = studio("plan", two_layers, "--sparsity", "0.5", "-o", two_layers)
    assert result.status == 2
    assert "is the name of a model" in result.err
    assert two_layers.read_bytes() == before


def test_a_folder_that_is_not_there_is_said(studio: Studio, two_layers: Path) -> None:
    result = studio("plan", two_layers, "--sparsity", "0.5", "-o", "no/such/plan.json")
    assert result.status == 1
    assert "No such file or directory" in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--sparsity", "80"],
        ["--sparsity", "nan"],
        ["--sparsity", "0.5", "--balance", "2"],
        ["--sparsity", "0.5", "--lock", "a"],
        ["--sparsity", "0.5", "--lock", "a=x"],
        ["--sparsity", "0.5", "--lock", "=0.5"],
        ["--sparsity", "0.5", "-o", "-"],
        ["--sparsity", "0.5", "--dimension", "N=0"],
        ["--sparsity", "0.5", "--dimension", "N"],
        ["--spars", "0.5"],
    ],
)
def test_wrong_usage(studio: Studio, two_layers: Path, options: list[str]) -> None:
    result = studio("plan", two_layers, *options)
    assert result.status == 2
    assert result.out == ""
    assert "usage: studio plan" in result.err


def test_a_percentage_is_told_as_a_fraction(studio: Studio, two_layers: Path) -> None:
    assert "80 % is 0.8" in studio("plan", two_layers, "--sparsity", "80").err
