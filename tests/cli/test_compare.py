"""``studio compare``: models, modules, plans and analyses side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Studio

MODULES = Path(__file__).parents[1] / "data" / "mlir"


def plan(studio: Studio, model: Path, sparsity: float, path: Path) -> Path:
    assert studio("plan", model, "--sparsity", sparsity, "-o", path).status == 0
    return path


def test_a_model_beside_its_pruned_self(studio: Studio, two_layers: Path, tmp_path: Path) -> None:
    half = plan(studio, two_layers, 0.5, tmp_path / "plan.json")
    pruned = tmp_path / "pruned.onnx"
    assert studio("prune", two_layers, "--plan", half, "-o", pruned).status == 0
    result = studio("compare", two_layers, pruned)
    assert "sparsity 16.7 % → 50.0 %" in result.out
    assert "5 matched, 0 only in A, 0 only in B." in result.out
    document = studio("compare", two_layers, pruned, "--json").json
    assert [layer["hasSameWeight"] for layer in document["layers"]] == [False, False]
    assert document["match"]["certainty"] == 1.0


def test_a_model_is_the_same_as_itself(studio: Studio, two_layers: Path) -> None:
    assert "The layers are the same in both." in studio("compare", two_layers, two_layers).out
    rows = studio("compare", two_layers, two_layers, "--all").rows()
    assert [row[0] for row in rows[1:]] == ["a", "b"]


def test_plans_are_compared_in_files_and_in_a_project(
    studio: Studio, two_layers: Path, tmp_path: Path
) -> None:
    files = [plan(studio, two_layers, s, tmp_path / f"{s}.json") for s in (0.25, 0.75)]
    found = studio("compare", *files, "--json").json
    assert found["kind"] == "plans"
    assert found["layers"][0]["difference"] > 0
    assert "The plans are the same." in studio("compare", files[0], files[0]).out
    studio("create", two_layers, "--name", "p")
    for sparsity in (0.25, 0.75):
        assert studio("plan", "project:p", "--sparsity", sparsity, "--save", "m").status == 0
    saved = studio("compare", "m@1", "m@2", "--project", "p", "--json").json
    assert saved["layers"] == found["layers"]


def test_analyses_are_compared_by_value_and_by_order(
    studio: Studio, two_layers: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    levels = "0.5,0.8"
    assert studio("sweep", two_layers, "--samples", 2, "--levels", levels, "-o", path).status == 0
    result = studio("compare", path, path)
    assert "2 matched" in result.out
    document = studio("compare", path, path, "--json").json
    assert document["isComparable"]
    assert [set(layer["differences"]) for layer in document["layers"]] == [{0.0}, {0.0}]


def test_modules_are_compared_by_name_and_structure(studio: Studio) -> None:
    mlp, attention = MODULES / "run_mlp.mlir", MODULES / "run_attention.mlir"
    assert "The graphs are the same." in studio("compare", mlp, mlp).out
    result = studio("compare", mlp, attention)
    assert "only in A" in result.out
    assert studio("compare", mlp, attention, "--json").json["match"]["onlyLeft"]


def test_two_of_different_kinds_are_refused(studio: Studio, two_layers: Path) -> None:
    result = studio("compare", two_layers, MODULES / "run_mlp.mlir")
    assert result.status == 1
    assert "two of a kind" in result.err
    assert studio("compare", two_layers, "what.txt").status == 1
    assert studio("compare", two_layers, two_layers.with_name("gone.onnx")).status == 1
