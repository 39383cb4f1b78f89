"""``studio report``: one file, that replaces nothing unasked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from studio_core.analysis_runs import RunOptions
from studio_core.workbench import Workbench

if TYPE_CHECKING:
    from tests.cli.conftest import Studio

MODULE = Path(__file__).parents[1] / "data" / "mlir" / "run_mlp.mlir"


def test_a_report_is_written_as_its_suffix_says(
    studio: Studio, two_layers: Path, tmp_path: Path
) -> None:
    page, text = tmp_path / "r.html", tmp_path / "r.md"
    assert studio("report", two_layers, "-o", page).status == 0
    assert studio("report", two_layers, "-o", text, "--title", "My model").status == 0
    assert page.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert text.read_text("utf-8").startswith("# My model\n")


def test_without_a_file_the_report_goes_to_stdout(studio: Studio, two_layers: Path) -> None:
    assert studio("report", two_layers).out.startswith("<!DOCTYPE html>")
    assert studio("report", two_layers, "--markdown").out.startswith("# two")


def test_nothing_is_replaced_unasked(studio: Studio, two_layers: Path, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    page.write_text("mine", encoding="utf-8")
    assert studio("report", two_layers, "-o", page).status == 1
    assert page.read_text("utf-8") == "mine"
    assert studio("report", two_layers, "-o", page, "--force").status == 0
    assert page.read_text("utf-8") != "mine"


def test_a_file_of_another_kind_is_refused(
    studio: Studio, two_layers: Path, tmp_path: Path
) -> None:
    result = studio("report", two_layers, "-o", tmp_path / "r.pdf")
    assert result.status == 1
    assert ".html or .md" in result.err
    assert studio("report", two_layers, "-o", tmp_path / "r.txt", "--markdown").status == 0


def test_a_module_is_not_replaced_by_its_report(studio: Studio, tmp_path: Path) -> None:
    module = tmp_path / "module.mlir"
    module.write_bytes(MODULE.read_bytes())
    result = studio("report", module, "--markdown", "-o", module, "--force")
    assert result.status == 1
    assert module.read_bytes() == MODULE.read_bytes()


def test_a_module_is_reported_with_its_run(studio: Studio, tmp_path: Path) -> None:
    page = tmp_path / "r.md"
    assert studio("report", MODULE, "--run", "-o", page).status == 0
    assert "## Run" in page.read_text("utf-8")


def test_the_plan_and_analysis_of_a_project_are_taken(
    studio: Studio, two_layers: Path, home: Path
) -> None:
    assert studio("create", two_layers, "--name", "p").status == 0
    workbench = Workbench(home / "studio-projects")
    options = RunOptions(samples=2, levels=(0.5, 0.8))
    project = workbench.find_project("p").id
    assert list(workbench.run_analysis_iter(project, "loss", "night", options))
    assert studio("plan", "project:p", "--sparsity", 0.5, "--save", "mild").status == 0
    assert studio("verify", "project:p", "--plan", "mild", "--samples", 2).status == 0
    text = studio("report", "project:p", "--markdown").out
    assert "plan 'mild' version 1" in text
    assert "'night', measured" in text
    assert "## Verification" in text
    assert "generated data" in text
