"""``studio findings``: what is noticed, for people and for programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Studio

MODULE = """\
func.func @f(%arg0: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %0 = "ttir.relu"(%arg0) : (tensor<4x4xf32>) -> tensor<4x4xf32> loc("r")
  return %0 : tensor<4x4xf32>
}
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "module.mlir"
    path.write_text(MODULE, encoding="utf-8")
    return path


def test_each_finding_has_its_evidence_and_its_remedy(studio: Studio, two_layers: Path) -> None:
    lines = studio("findings", two_layers).out.splitlines()
    assert lines[0] == "note: b is pruned already. (y)"
    assert lines[1] == "  4 of 12 weights (33.3 %) are zero."
    assert len(lines) == 3


def test_findings_as_json(studio: Studio, two_layers: Path) -> None:
    (found,) = studio("findings", two_layers, "--json").json["findings"]
    assert (found["name"], found["severity"], found["subject"]) == ("zero weights", "note", "y")


def test_a_plan_is_judged_with_the_model(studio: Studio, two_layers: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    assert studio("plan", two_layers, "--sparsity", 0.5, "-o", plan).status == 0
    assert "never run" in studio("findings", two_layers, "--plan", plan).out


def test_the_plans_of_a_project_are_found(studio: Studio, two_layers: Path) -> None:
    assert studio("create", two_layers, "--name", "p").status == 0
    assert "never run" not in studio("findings", "project:p").out
    assert studio("plan", "project:p", "--sparsity", 0.5, "--save", "mild").status == 0
    assert "never run" in studio("findings", "project:p").out


def test_a_module_is_judged_before_and_after_a_run(studio: Studio, module: Path) -> None:
    assert "has a layout" in studio("findings", module).out
    assert "random inputs" in studio("findings", module, "--run").out


def test_options_of_models_do_not_fit_modules(studio: Studio, module: Path) -> None:
    assert studio("findings", module, "--plan", "p.json").status == 2
    assert studio("findings", module.with_name("gone.mlir")).status == 1


def test_a_model_is_not_run(studio: Studio, two_layers: Path) -> None:
    result = studio("findings", two_layers, "--run")
    assert result.status == 2
    assert "studio verify" in result.err


def test_hostile_names_do_not_steer_the_terminal(
    studio: Studio, hostile: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    studio("plan", hostile, "--sparsity", 0.5, "-o", plan)
    result = studio("findings", hostile, "--plan", plan)
    assert result.status == 0
    assert "\x1b" not in result.out
    assert "\u202e" not in result.out


def test_nothing_to_tell_is_said(studio: Studio) -> None:
    assert studio("findings", "sample:digits_cnn").out == (
        "Nothing was found that needs your attention.\nLooked at: the weights of 14 layers.\n"
    )
