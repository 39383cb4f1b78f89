"""`studio bench`: where a run's time goes, kept in files and projects, and planned with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from studio_core import analysis_runs
from studio_core.sensitivity.documents import from_document
from studio_core.workbench import Workbench

if TYPE_CHECKING:
    from tests.cli.conftest import Studio

FAST = ("--iterations", "3", "--warmup", "0", "--levels", "0.5,0.8")
DIGITS = "sample:digits_cnn"


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One analysis of the bundled CNN, as `studio bench -o` leaves it."""
    from studio_cli.main import main

    path = tmp_path_factory.mktemp("bench") / "perf.json"
    assert main(["bench", DIGITS, *FAST, "-o", str(path), "--json"]) == 0
    return path


def _number(cell: str) -> float:
    return float(cell.split()[0].rstrip("%"))


def test_the_rows_of_the_table_add_up_to_the_run(studio: Studio, two_layers: Path) -> None:
    result = studio("bench", two_layers, *FAST)
    header, *rows = result.rows()[:5]
    assert header[:6] == ["layer", "operator", "ms", "share", "MACs", "GFLOP/s"]
    assert header[6:] == ["0.5 zeros", "0.5 channels", "0.8 zeros", "0.8 channels"]
    names = [row[0] for row in rows]
    assert names == ["a", "b", "unattributed", "the run"]
    times = {row[0]: _number(row[1 if row[0] in names[2:] else 2]) for row in rows}
    assert times["a"] + times["b"] + times["unattributed"] == pytest.approx(
        times["the run"], rel=0.02
    )
    assert rows[0][4] == rows[1][4] == "12" and rows[3][3] == "24"  # MACs, and their sum
    assert "1 thread, batch 1" in result.out and "Medians of 3 runs" in result.out
    assert "Unattributed, in ms: " in result.out


def test_bytes_stand_below_by_how_the_zeros_are_kept(studio: Studio, two_layers: Path) -> None:
    lines = studio("bench", two_layers, *FAST).rows()
    start = next(i for i, row in enumerate(lines) if row[0] == "weights")
    assert lines[start] == ["weights", "dense", "sparse initializers", "bit masks", "compressed"]
    dense, half, most = lines[start + 1 :]
    # 24 weights of 4 bytes, 4 of them zero; then 12 left, then 2 of 12 in each layer.
    assert dense[:4] == ["as they are", "96 B", "240 B", "84 B"]
    assert half[:4] == ["0.5 zeros", "96 B", "144 B", "52 B"]
    assert most[:4] == ["0.8 zeros", "96 B", "48 B", "20 B"]


def test_json_is_a_measured_analysis_that_reads_back(measured: Path) -> None:
    document = json.loads(measured.read_text())
    analysis = from_document("perf", "perf", document)
    assert document["complete"] is True and document["source"] == "measured"
    layers = sum(curve.baseline_timing_ms or 0.0 for curve in analysis.curves)
    rest = analysis.provenance["run"]["unattributedMs"]
    assert layers + rest == pytest.approx(analysis.run_ms)


def test_one_granularity_alone(studio: Studio, two_layers: Path) -> None:
    result = studio("bench", two_layers, *FAST, "--granularity", "element")
    assert result.rows()[0][6:] == ["0.5 zeros", "0.8 zeros"]
    known = studio("bench", two_layers, *FAST, "--granularity", "channel", "--json").json
    assert known["provenance"]["granularities"] == ["channel"]


def test_an_analysis_is_kept_in_the_project(studio: Studio, two_layers: Path) -> None:
    studio("create", two_layers, "--name", "mine")
    result = studio("bench", "project:mine", *FAST, "--name", "timed", "--json")
    assert "saved in the project as perf analysis 'timed'" in result.err
    workbench = Workbench(Path.home() / "studio-projects")
    kept = workbench.analysis_document(workbench.find_project("mine").id, "perf", "timed")
    assert kept == result.json
    assert studio("bench", "project:mine", *FAST, "--name", "a/b").status == 1
    assert studio("bench", two_layers, *FAST, "--name", "x").status == 2


def test_ctrl_c_keeps_what_was_measured_and_it_goes_on(
    studio: Studio, two_layers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_perf = analysis_runs.run_perf

    def interrupted(*args: Any) -> Iterator[analysis_runs.RunProgress]:
        for step in run_perf(*args):
            yield step
            if step.done == 4:
                raise KeyboardInterrupt

    path = tmp_path / "perf.json"
    monkeypatch.setattr(analysis_runs, "run_perf", interrupted)
    result = studio("bench", two_layers, *FAST, "-o", path)
    assert (result.status, result.out) == (130, "")
    assert f"holds 4 of 11 steps. Go on with --resume {path}" in result.err
    before = json.loads(path.read_text())
    assert before["complete"] is False
    monkeypatch.undo()
    after = studio("bench", two_layers, "--resume", path, "--json")
    assert "11 to do, 4 of them done before" in after.err
    assert after.json["provenance"]["run"] == before["provenance"]["run"]
    assert after.json["complete"] is True
    other = studio("bench", two_layers, "--resume", path, "--iterations", "5")
    assert other.status == 1 and "measured otherwise" in other.err
    assert json.loads(path.read_text())["complete"] is True


def test_a_file_is_replaced_only_by_force(studio: Studio, two_layers: Path, tmp_path: Path) -> None:
    path = tmp_path / "perf.json"
    path.write_text("mine")
    refused = studio("bench", two_layers, *FAST, "-o", path)
    assert refused.status == 1 and "--force" in refused.err
    assert path.read_text() == "mine"


def test_a_plan_says_what_a_run_takes_and_where_that_is_from(
    studio: Studio, measured: Path
) -> None:
    plain = studio("plan", DIGITS, "--sparsity", "0.8")
    assert "not measured; `studio bench` measures it" in plain.out
    timed = studio("plan", DIGITS, "--sparsity", "0.8", "--perf", measured)
    assert "ms a run" in timed.out and "measured" in timed.out
    assert "zeros as the runtime takes them; onnxruntime, 1 thread" in timed.out
    document = studio("plan", DIGITS, "--sparsity", "0.8", "--perf", measured, "--json").json
    predicted = document["predictedLatency"]
    assert predicted["source"] == "measured" and predicted["granularity"] == "element"
    assert (
        predicted["denseMs"]
        == json.loads(measured.read_text())["provenance"]["run"]["total"]["median"]
    )


def test_a_plan_keeps_a_latency_of_channels(studio: Studio, measured: Path, tmp_path: Path) -> None:
    document = json.loads(measured.read_text())
    for layer in document["layerSensitivities"]:  # as on a runtime that gains what is removed
        for point in layer["sparse"]:
            whole = layer["baseline"]["timing"] or 0.0
            point["channels"]["timing"] = whole * (1.0 - point["sparsity"])
    path = tmp_path / "linear.json"
    path.write_text(json.dumps(document))
    goal = ("plan", DIGITS, "--perf", path, "--max-latency-share", "0.8")
    plan = studio(*goal, "--granularity", "channel", "--json").json
    latency = plan["predictedLatency"]
    assert latency["share"] <= 0.8 and latency["granularity"] == "channel"
    assert np.isclose(latency["valueMs"] / latency["denseMs"], latency["share"])
    without = studio("plan", DIGITS, "--max-latency-share", "0.8")
    assert without.status == 1 and "No latency was measured" in without.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"layerSensitivities": [], "kind": "loss"}', "no perf analysis. `studio bench MODEL"),
        ('{"layerSensitivities": []}', "none of its layers"),
    ],
)
def test_what_is_no_perf_analysis_is_refused(
    studio: Studio, two_layers: Path, tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)
    for options in (("bench", two_layers, "--resume"), ("plan", two_layers, "--sparsity", "0.5",
                                                        "--perf")):  # fmt: skip
        result = studio(*options, path)
        assert result.status == 1 and message in result.err


def test_names_from_a_model_are_harmless(studio: Studio, hostile: Path) -> None:
    result = studio("bench", hostile, *FAST)
    assert result.status == 0
    assert "\x1b" not in result.out + result.err and "\u202e" not in result.out
