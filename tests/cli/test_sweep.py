"""`studio sweep`: measured losses, kept while they are measured, and gone on with."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from studio_cli.data import METRIC_NAMES
from studio_core import analysis_runs
from studio_core.evaluation.metrics import METRICS
from studio_core.sensitivity.documents import from_document

if TYPE_CHECKING:
    from tests.cli.conftest import Studio

SOURCE = Path(__file__).parents[2]
SMALL = ("sample:digits_cnn", "--samples", "8", "--levels", "0.5,0.9")


@pytest.fixture
def interrupted_after(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``interrupted_after(5)``: Ctrl-C comes when five points have been measured."""
    run_loss = analysis_runs.run_loss

    def after(count: int) -> None:
        def run(*args: Any) -> Iterator[analysis_runs.RunProgress]:
            for step in run_loss(*args):
                yield step
                if step.done == count:
                    raise KeyboardInterrupt

        monkeypatch.setattr(analysis_runs, "run_loss", run)

    yield after
    monkeypatch.undo()


def _points(document: dict[str, Any]) -> list[Any]:
    return [point for layer in document["layerSensitivities"] for point in layer["sparse"]]


def test_json_is_a_measured_analysis_with_errors(studio: Studio) -> None:
    result = studio("sweep", *SMALL, "--json")
    document = result.json
    analysis = from_document("loss", "measured", document)

    assert document["complete"] is True
    assert (document["source"], document["metric"]["name"]) == ("measured", "cross_entropy")
    assert analysis.provenance["numSamples"] == 8
    assert analysis.provenance["generatedData"] is False
    assert len(analysis.curves) == 14
    assert all(point["loss"] is not None for point in _points(document))
    assert all(point["standardError"] >= 0 for point in _points(document))


def test_people_get_layers_by_levels_with_standard_errors(studio: Studio) -> None:
    result = studio("sweep", *SMALL)
    rows = result.rows()
    assert rows[0] == ["layer", "operator", "0.5", "0.9"]
    assert rows[1][0] == "stem.conv.weight"
    assert all("±" in cell for cell in rows[1][2:])
    assert "on 8 samples with labels" in result.out
    assert "random" not in result.out


def test_progress_is_lines_where_no_one_watches(studio: Studio) -> None:
    lines = studio("sweep", *SMALL).err.splitlines()
    assert lines[0] == "studio: measuring: 28 to do"
    assert lines[-1].startswith("studio: measuring: 28 of 28, ")
    assert 2 < len(lines) < 10


def test_without_data_the_numbers_are_marked_as_random(studio: Studio, two_layers: Path) -> None:
    result = studio("sweep", two_layers, "--levels", "0.5")
    assert "5 samples of random data" in result.out
    assert "does not tell the true loss" in result.out
    document = studio("sweep", two_layers, "--levels", "0.5", "--json").json
    assert document["provenance"]["generatedData"] is True


def test_data_from_a_file(studio: Studio, two_layers: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, x=np.eye(4, dtype=np.float32), labels=np.array([0, 1, 2, 3]))
    args = ("sweep", two_layers, "--data", path, "--levels", "0.5", "--metric", "accuracy")
    result = studio(*args)
    assert "4 samples with labels" in result.out
    assert "accuracy lost" in result.out


def test_whole_channels_and_patterns(studio: Studio, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    result = studio("sweep", *SMALL[:3], "--granularity", "2:4", "-o", path)
    assert result.rows()[0] == ["layer", "operator", "0.5"]
    assert "2:4 patterns" in result.out
    again = studio("sweep", "sample:digits_cnn", "--resume", path, "--json")
    assert again.json == json.loads(path.read_text())
    assert again.json["provenance"]["granularity"] == "2:4"
    assert "in whole channels" in studio("sweep", *SMALL, "--granularity", "channel").out
    refused = studio("sweep", *SMALL, "--granularity", "2:4")
    assert refused.status == 1
    assert "one sparsity, 0.5" in refused.err


def test_points_that_are_precise_enough_are_said_to_be_stopped(studio: Studio) -> None:
    args = ("sweep", "sample:digits_cnn", "--samples", "200", "--levels", "0.9")
    result = studio(*args, "--stop-error", "50%", "--passes", "1")
    said = " ".join(result.out.split())
    assert "14 of 14 points were precise enough before all 200 samples; the first after " in said
    document = studio(*args, "--stop-error", "20%", "--passes", "1", "--json").json
    counts = {point["numSamples"] for point in _points(document)}
    assert min(counts) < max(counts) == 200
    assert document["complete"] is True
    assert document["provenance"]["stopError"] == "20%"


def test_processes_give_the_same_document(studio: Studio) -> None:
    here = studio("sweep", *SMALL, "--json").json
    assert studio("sweep", *SMALL, "--workers", "1", "--json").json == here


def test_a_single_sample_has_no_error(studio: Studio) -> None:
    result = studio("sweep", "sample:digits_cnn", "--samples", "1", "--levels", "0.5")
    assert all("±" not in cell for row in result.rows()[1:] for cell in row[2:])


def test_ctrl_c_keeps_what_was_measured_and_says_how_to_go_on(
    studio: Studio, tmp_path: Path, interrupted_after: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "an analysis.json"
    whole = studio("sweep", *SMALL, "--json").json
    interrupted_after(5)
    result = studio("sweep", *SMALL, "-o", path)

    assert (result.status, result.out) == (130, "")
    assert "holds 5 of 28 measurements" in result.err
    assert f"studio sweep sample:digits_cnn --resume '{path}'" in result.err
    kept = json.loads(path.read_text())
    assert kept["complete"] is False
    assert sum(point["loss"] is not None for point in _points(kept)) == 5

    monkeypatch.undo()
    resumed = studio("sweep", "sample:digits_cnn", "--resume", path, "--json")
    assert resumed.json == whole
    assert "28 to do, 5 of them done before" in resumed.err
    assert json.loads(path.read_text()) == whole


def test_ctrl_c_without_a_file_says_that_nothing_is_kept(
    studio: Studio, interrupted_after: Any
) -> None:
    interrupted_after(3)
    result = studio("sweep", *SMALL, "--json")
    assert (result.status, result.out) == (130, "")
    assert "nothing is kept" in result.err


def test_more_levels_are_added_to_those_there_are(studio: Studio, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    studio("sweep", *SMALL, "-o", path)
    before = _points(json.loads(path.read_text()))
    studio("sweep", "sample:digits_cnn", "--resume", path, "--levels", "0.7")
    after = _points(json.loads(path.read_text()))
    assert sorted({point["sparsity"] for point in after}) == [0.5, 0.7, 0.9]
    assert [point for point in after if point["sparsity"] != 0.7] == before


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        (("--metric", "cosine"), "--metric"),
        (("--data", "generated"), "--data"),
        (("--granularity", "2:4"), "--granularity"),
    ],
)
def test_what_was_measured_otherwise_is_not_resumed_and_not_lost(
    studio: Studio, tmp_path: Path, options: tuple[str, ...], cause: str
) -> None:
    path = tmp_path / "a.json"
    studio("sweep", *SMALL, "--metric", "softmax_kl", "-o", path)
    before = path.read_bytes()
    result = studio("sweep", "sample:digits_cnn", "--resume", path, *options)
    assert result.status == 1
    assert "measured otherwise" in result.err
    assert cause in result.err
    assert path.read_bytes() == before


def test_a_file_is_replaced_only_by_force(studio: Studio, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("mine")
    refused = studio("sweep", *SMALL, "-o", path)
    assert refused.status == 1
    assert "--resume" in refused.err
    assert "--force" in refused.err
    assert path.read_text() == "mine"
    assert studio("sweep", *SMALL, "-o", path, "--force").status == 0
    assert json.loads(path.read_text())["complete"] is True
    assert list(tmp_path.iterdir()) == [path]


def test_faults_are_found_before_the_work(studio: Studio, two_layers: Path, tmp_path: Path) -> None:
    for options, message in (
        (("--data", "sample"), "for bundled models"),
        (("--data", "sample:digits_cnn"), "'x'"),
        (("--data", tmp_path / "none.npz"), "does not exist"),
        (("--metric", "accuracy"), "needs labels"),
        (("--resume", tmp_path / "none.json"), "studio sweep MODEL -o"),
        (("-o", tmp_path / "no" / "a.json"), "folder"),
        (("-o", tmp_path), "is a folder"),
    ):
        result = studio("sweep", two_layers, *options)
        assert result.status == 1, options
        assert message in result.err
        assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no json", "not JSON"),
        ("[]", "must hold a JSON object"),
        ("{}", "list of layer sensitivities"),
        ('{"layerSensitivities": [], "kind": "perf"}', "no loss analysis"),
        ('{"layerSensitivities": []}', "none of its layers"),
    ],
)
def test_a_file_that_is_no_analysis(
    studio: Studio, two_layers: Path, tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    result = studio("sweep", two_layers, "--resume", path)
    assert result.status == 1
    assert message in result.err


@pytest.mark.parametrize(
    "options",
    [
        *(["--samples", "0"], ["--samples", "x"], ["--levels", "0"], ["--metric", "best"]),
        *(["-o", "-"], ["--granularity", "4:2"], ["--granularity", "rows"], ["--passes", "0"]),
        *(["--stop-error", "0"], ["--stop-error", "x%"], ["--workers", "0"]),
        *(["--scheduler", "host"], ["--workers", "2", "--scheduler", "tcp://host:1"]),
    ],
)
def test_wrong_usage(studio: Studio, two_layers: Path, options: list[str]) -> None:
    result = studio("sweep", two_layers, *options)
    assert result.status == 2
    assert "usage: studio sweep" in result.err


def test_a_project_is_measured_on_its_own_samples(
    studio: Studio, two_layers: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    made = studio("create", two_layers, "--project-root", root, "--json").json
    folder = Path(made["project"]["folder"]) / "data"
    folder.mkdir(exist_ok=True)
    for i in range(3):
        np.savez(folder / f"{i}.npz", x=np.full(4, i + 1, np.float32))
    result = studio("sweep", "project:two", "--project-root", root, "--levels", "0.5")
    assert "3 samples without labels" in result.out


def test_the_metrics_offered_are_those_of_the_core() -> None:
    assert set(METRIC_NAMES) == set(METRICS)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals and terminals")
def test_a_terminal_gets_a_bar_and_a_real_ctrl_c_keeps_the_points(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    parent, child = pty.openpty()
    args = ("sweep", "sample:digits_cnn", "--samples", "64", "-o", str(path))
    process = subprocess.Popen(
        [sys.executable, "-m", "studio_cli", *args],
        cwd=SOURCE,
        stdout=subprocess.PIPE,
        stderr=child,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "150"},
        # A shell without job control may have its children ignore the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    os.close(child)
    shown = _read_until(parent, b"conv", process)
    process.send_signal(signal.SIGINT)
    shown += _read_until(parent, None, process)
    out, _ = process.communicate(timeout=30)
    os.close(parent)

    assert process.returncode == 130
    assert out == b""
    assert "measuring" in shown
    assert "/140" in shown
    assert "Traceback" not in shown
    assert "--resume" in shown
    assert json.loads(path.read_text())["complete"] is False


def _read_until(terminal: int, wanted: bytes | None, process: subprocess.Popen[bytes]) -> str:
    found = b""
    while wanted is None or wanted not in found:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # Linux: the other end is closed
            break
        if not part:
            break
        found += part
    assert wanted is None or process.poll() is None
    return found.decode(errors="replace")
