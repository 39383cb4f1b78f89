"""Plans that a project keeps: saved, listed, verified, pruned and exported by their names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Studio

PROJECT = "project:two"


@pytest.fixture
def project(studio: Studio, two_layers: Path, home: Path) -> Path:
    """The project of a model of two layers; its folder."""
    assert studio("create", two_layers, "--name", "two").status == 0
    (folder,) = (home / "studio-projects").glob("two-*")
    return folder


def save(studio: Studio, *options: object) -> None:
    result = studio("plan", PROJECT, "--save", "mild", *options)
    assert (result.status, "saved plan 'mild'" in result.err) == (0, True), result.err


def test_plans_are_saved_listed_and_annotated(studio: Studio, project: Path) -> None:
    assert "--save NAME" in studio("plans", PROJECT).out
    save(studio, "--sparsity", "0.5", "--note", "a first try")
    save(studio, "--min-sparsity", "0.6")
    rows = studio("plans", PROJECT).rows()
    assert rows[1][:2] == ["mild", "2"]
    history = studio("plans", PROJECT, "mild").rows()
    assert [row[1] for row in history[1:]] == ["1", "2"]
    assert history[1][-1] == "a first try"
    assert studio("plans", PROJECT, "mild@1", "--note", "hm").status == 0
    versions = studio("plans", PROJECT, "mild", "--json").json["versions"]
    assert [v["note"] for v in versions] == ["hm", ""]
    assert versions[1]["goal"]["minSparsity"] == 0.6
    assert studio("plans", PROJECT, "mild", "--delete").status == 0
    assert studio("plans", PROJECT, "--json").json == {"plans": []}
    assert not (project / "plans" / "mild").exists()


def test_a_saved_plan_is_verified_pruned_and_exported(
    studio: Studio, project: Path, tmp_path: Path
) -> None:
    save(studio, "--sparsity", "0.5")
    save(studio, "--sparsity", "0.75")
    for version, zeros in (("mild@1", 12), ("mild", 18)):
        result = studio("verify", PROJECT, "--plan", version, "--json")
        assert result.json["costs"]["numZeros"] == zeros
        assert "kept with plan 'mild'" in result.err
        pruned = tmp_path / f"{version}.onnx"
        assert studio("prune", PROJECT, "--plan", version, "-o", pruned).status == 0
        arrays = [onnx.numpy_helper.to_array(t) for t in onnx.load(pruned).graph.initializer]
        assert sum(int((a == 0).sum()) for a in arrays) == zeros
    history = studio("plans", PROJECT, "mild", "--json").json["versions"]
    assert [v["numVerifications"] for v in history] == [1, 1]
    recipe = studio("export", PROJECT, "--plan", "mild@1")
    assert "GMPruningModifier" in recipe.out
    table = studio("export", PROJECT, "--plan", "mild", "--format", "json").json
    assert {layer["id"] for layer in table["layers"]} == {"hidden", "y"}
    assert (project / "plans" / "mild" / "2.json").is_file()


def test_what_was_verified_corrects_the_next_plan(
    studio: Studio, project: Path, tmp_path: Path
) -> None:
    analysis = tmp_path / "a.json"
    levels = [{"sparsity": 0.5, "loss": 0.1, "standardError": 0.01}]
    layers = [
        {"id": i, "baseline": {"sparsity": 0.0, "loss": 0.0}, "sparse": levels}
        for i in ("hidden", "y")
    ]
    document = {
        "layerSensitivities": layers,
        "source": "measured",
        "metric": {"name": "relative_l2"},
        "provenance": {"generatedData": True},
    }
    analysis.write_text(json.dumps(document))
    goals = ("--analysis", analysis, "--min-sparsity", "0.5")
    save(studio, *goals)
    run = ("verify", PROJECT, "--plan", "mild", "--analysis", analysis, "--json")
    actual = studio(*run).json["loss"]["mean"]
    corrected = studio("plan", PROJECT, *goals, "--json").json["predictedLoss"]
    assert corrected["value"] == pytest.approx(actual)
    assert "Calibrated by 1" in corrected["statement"]


def test_an_analysis_of_the_project_goes_by_its_name(
    studio: Studio, project: Path, home: Path
) -> None:
    from studio_core.workbench import Workbench

    workbench = Workbench(home / "studio-projects")
    workbench.run_estimate(workbench.find_project("two").id, "loss", "mine", levels=[0.5])
    save(studio, "--analysis", "mine", "--min-sparsity", "0.5")
    assert studio("plans", PROJECT, "--json").json["plans"][0]["analysis"] == "mine"


def test_faults(studio: Studio, project: Path, two_layers: Path) -> None:
    for options, status, said in (
        (("plan", two_layers, "--sparsity", "0.5", "--save", "x"), 1, "project:NAME"),
        (("plan", PROJECT, "--sparsity", "0.5", "--note", "x"), 2, "--save"),
        (("plan", PROJECT, "--sparsity", "0.5", "--save", "../x"), 1, "cannot be the name"),
        (("plan", PROJECT, "--analysis", "none", "--max-loss", "1"), 1, "'none'"),
        (("verify", PROJECT, "--plan", "none"), 1, "studio plans project:two"),
        (("verify", PROJECT, "--plan", "none.json"), 1, "studio plan MODEL"),
        (("verify", PROJECT, "--plan", "none@x"), 1, "no number of a version"),
        (("plans", two_layers), 1, "project:NAME"),
        (("plans", PROJECT, "none"), 1, "No pruning plan named 'none'"),
        (("plans", PROJECT, "--delete"), 2, "need the name of a plan"),
        (("plans", PROJECT, "none", "--delete", "--note", "x"), 2, "not both"),
    ):
        result = studio(*options)
        assert (result.status, said in result.err) == (status, True), (options, result.err)
