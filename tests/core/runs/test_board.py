"""Runs in the background: one a model, told to everybody, kept, cancelled, outliving crashes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from studio_core.errors import ConflictError, InvalidRequestError, NotFoundError
from studio_core.explorer.conversion import executed_text
from studio_core.limits import Limits
from studio_core.runs import board as boards
from studio_core.runs import store
from studio_core.runs.board import RunBoard
from studio_core.runs.records import RunProgress, RunRecord, RunRequest, RunState
from studio_core.runs.work import work

from .standins import put_on_path
from .test_toolchain import child_of, is_gone

DATA = Path(__file__).parents[2] / "data" / "mlir"
ENABLED = {"optimizationPolicy": "Optimizer Enabled"}
MATMUL = {
    "loc(matmul_1)": {
        "named_location": "matmul_1",
        "full_location": "loc(matmul_1)",
        "attributes": [{"key": "data_type", "value": "bfp_bf4"}],
    }
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "mlp.mlir"
    path.write_bytes((DATA / "run_mlp.mlir").read_bytes())
    return path


@pytest.fixture
def board(tmp_path: Path) -> Iterator[RunBoard]:
    found = RunBoard(tmp_path / "state")
    yield found
    found.stop()


def asked(**settings: Any) -> RunRequest:
    return RunRequest.from_settings({**ENABLED, **settings})


def test_a_run_with_overrides_from_start_to_graph(
    board: RunBoard, model: Path, tmp_path: Path
) -> None:
    other = tmp_path / "broken.mlir"
    other.write_text("module {", encoding="utf-8")
    assert board.status(model) is None
    run_id = board.start(model, asked(overrides=MATMUL))
    board.start(other, asked())  # models do not wait for each other
    with pytest.raises(ConflictError, match="is being executed"):
        board.start(model, asked())
    status, failed = board.wait(model), board.wait(other)
    assert status is not None and failed is not None
    assert (status.id, status.state, status.progress, status.error) == (
        run_id,
        RunState.DONE,
        100,
        None,
    )
    assert (failed.state, failed.error_kind) == (RunState.FAILED, "MlirSyntaxError")
    assert status.log.startswith(f"Executing model...\nPath: {model}\n")
    assert status.log_path.read_text(encoding="utf-8") == status.log
    assert status.backend == "cpu"
    assert [a["outcome"] for a in status.applied] == ["applied"]
    executed = board.executed(model)
    assert executed is not None
    graph = json.loads(executed_text(executed.path))
    name, clock = graph["id"].split(" - Execution ")
    assert name == "mlp.mlir"
    assert time.strptime(clock, "%H:%M:%S")
    assert graph["overrides"] == MATMUL
    for kind in ("perf_data", "accuracy_data"):
        assert graph["overlays"][kind][graph["id"]]["results"]
    overlay = json.loads(executed.overlay_paths[-1].read_text(encoding="utf-8"))
    assert overlay == graph["overlays"]["perf_data"]
    # However often one asks, nothing is taken away.
    assert board.status(model) == board.status(model) == status

    # What is kept is read by another server. A failed run leaves it alone, and its progress.
    again = RunBoard(tmp_path / "state")
    assert again.status(model) == status
    board.start(model, asked(graphId="no such graph"))
    failed = board.wait(model)
    assert failed is not None
    assert (failed.state, failed.error_kind) == (RunState.FAILED, "NotFoundError")
    assert "no such graph" in str(failed.error)
    assert failed.progress < 100
    assert [s.id for s in again.statuses(model)] == [run_id, failed.id]
    assert again.executed(model) == executed
    # The graph of another content would be another.
    model.write_text(model.read_text(encoding="utf-8") + "\n// changed\n", encoding="utf-8")
    assert board.executed(model) is None


def test_the_findings_are_told_before_anything_runs(model: Path, tmp_path: Path) -> None:
    settings = {"optimizationPolicy": "Optimizer Disabled", "overrides": MATMUL}
    said: list[str] = []
    messages = []
    for step in work(model, RunRequest.from_settings(settings), tmp_path, said.append):
        messages.append(step.message)
        if step.findings is not None:
            assert step.findings[0]["name"] == "optimizer off"
            assert said[0].startswith("error: All overrides of the compiler will be ignored.")
    told = "1 finding(s) about the overrides: All overrides of the compiler will be ignored."
    assert messages[1].startswith(told)
    assert messages[2] == "Lowering to ONNX"


WORKERS = {
    "slow": "import time; time.sleep(60)",
    "crash": "import os; os.kill(os.getpid(), 11)",
    "half": (
        "import sys, time; from pathlib import Path; from studio_core.runs.store import *;"
        "from studio_core.runs.records import RunProgress;"
        "write_progress(Path(sys.argv[1]), RunProgress(0.4, 'Run 2 of 5', 'cpu'));"
        "time.sleep(60)"
    ),
}


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def choose(name: str) -> None:
        monkeypatch.setattr(boards, "_WORKER", ("-c", WORKERS[name]))

    return choose


def test_a_cancelled_run_ends_and_says_so(
    board: RunBoard, model: Path, worker: Callable[[str], None]
) -> None:
    worker("half")
    board.start(model, asked())
    deadline = time.monotonic() + 30
    while (status := board.status(model)) is None or status.progress != 40:
        assert time.monotonic() < deadline, status
        time.sleep(0.02)
    assert (status.message, status.backend) == ("Run 2 of 5", "cpu")
    assert board.cancel(model)
    status = board.status(model)
    assert status is not None
    assert (status.state, status.progress) == (RunState.CANCELLED, 40)
    assert "cancelled" in status.log
    assert not board.cancel(model)
    board.start(model, asked())  # and the model can be run again
    assert board.cancel(model)


def test_a_crash_of_the_runtime_is_an_error_of_the_run(
    board: RunBoard, model: Path, worker: Callable[[str], None]
) -> None:
    worker("crash")
    board.start(model, asked())
    status = board.wait(model)
    assert status is not None
    assert status.state is RunState.FAILED
    assert "without a word (exit code -11)" in str(status.error)


def test_a_run_past_its_time_is_ended(
    tmp_path: Path, model: Path, worker: Callable[[str], None]
) -> None:
    worker("slow")
    ended: list[Path] = []
    board = RunBoard(tmp_path / "s", time_limit_seconds=0.2, on_end=ended.append)
    board.start(model, asked())
    status = board.wait(model)
    assert status is not None
    assert (status.state, status.error_kind) == (RunState.FAILED, "InvalidRequestError")
    assert ended == [model]


def test_a_run_past_the_limit_of_jobs_names_it(
    tmp_path: Path, model: Path, worker: Callable[[str], None]
) -> None:
    worker("slow")
    board = RunBoard(tmp_path / "s", limits=Limits(max_job_seconds=0.2))
    board.start(model, asked())
    status = board.wait(model)
    assert status is not None
    assert (status.state, status.error_kind) == (RunState.FAILED, "LimitError")
    assert "max_job_seconds = 0.2 " in str(status.error)


@pytest.mark.parametrize(
    ("limits", "kind", "text"),
    [
        (Limits(max_nodes=2), "LimitError", "max_nodes = 2 "),
        (Limits(max_job_memory_bytes=90 << 20), None, "emory"),
    ],
)
def test_a_run_keeps_to_the_limits_it_was_given(
    tmp_path: Path, model: Path, limits: Limits, kind: str | None, text: str
) -> None:
    board = RunBoard(tmp_path / "s", limits=limits)
    board.start(model, asked())
    status = board.wait(model)
    assert status is not None and status.state is RunState.FAILED
    assert text in str(status.error), status.log
    assert kind is None or status.error_kind == kind


def test_others_wait_for_a_place_and_stopping_ends_all(
    tmp_path: Path, model: Path, worker: Callable[[str], None]
) -> None:
    worker("slow")
    other = tmp_path / "other.mlir"
    other.write_bytes(model.read_bytes())
    board = RunBoard(tmp_path / "s", max_running=1)
    board.start(model, asked())
    deadline = time.monotonic() + 30
    while board.status(model).state is not RunState.RUNNING:  # type: ignore[union-attr]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    board.start(other, asked())
    waiting = board.status(other)
    assert waiting is not None
    assert (waiting.state, waiting.message) == (RunState.WAITING, "Waiting for another model's run")
    board.stop()
    for path in (model, other):
        status = board.status(path)
        assert status is not None
        assert (status.state, status.error) == (RunState.FAILED, "The server was stopped.")
    with pytest.raises(ConflictError, match="stopping"):
        board.start(model, asked())


def test_a_run_whose_server_died_has_failed(model: Path, tmp_path: Path) -> None:
    folder = store.new_folder(tmp_path / "state" / "runs")
    store.begin_log(folder, model)
    gone = (os.getpid(), 1.0)  # this process has not begun in 1970
    record = RunRecord(
        folder.name, str(model), store.mark_of(model), {}, RunState.RUNNING, 1.0, gone
    )
    store.write_record(folder, record)
    store.write_progress(folder, RunProgress(0.5, "Run 3 of 5"))
    status = RunBoard(tmp_path / "state").status(model)
    assert status is not None
    assert (status.state, status.progress) == (RunState.FAILED, 50)
    assert "server that ran it ended" in str(status.error)


def test_what_cannot_be_asked_is_refused_at_once(board: RunBoard, tmp_path: Path) -> None:
    for settings in (
        {"optimizationPolicy": "Nope"},
        {"optimizationPolicy": 3},
        {"overrides": []},
        {"overrides": {"loc(a)": {"attributes": [{"key": 1, "value": "x"}]}}},
        {"backend": "gpu"},
        {"graphId": 7},
    ):
        with pytest.raises(InvalidRequestError):
            RunRequest.from_settings(settings)
    with pytest.raises(NotFoundError):
        board.start(tmp_path / "nothing.mlir", asked())


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tools"
    monkeypatch.setenv("PATH", put_on_path(folder)["PATH"])
    return folder


def test_the_toolchain_is_taken_where_it_is(board: RunBoard, model: Path, tools: Path) -> None:
    relu = {
        "loc(relu_1)": {
            "named_location": "relu_1",
            "full_location": "loc(relu_1)",
            "attributes": [{"key": "grid_shape", "value": "8x8"}],
        }
    }
    board.start(model, asked(generateCppCode=True, overrides=relu))
    status = board.wait(model)
    assert status is not None
    assert (status.state, status.backend) == (RunState.DONE, "toolchain"), status.log
    assert "$ " in status.log and "--ttir-to-ttnn-common-pipeline=" in status.log
    assert [(a["applied"], a["outcome"]) for a in status.applied] == [("2x4", "not applied")]
    executed = board.executed(model)
    assert executed is not None
    graph = json.loads(executed_text(executed.path))
    assert graph["cppCode"] == "int main() {}"
    assert set(graph["overlays"]) == {"perf_data", "accuracy_data"}
    bars = [a for n in graph["nodes"] for a in n["attrs"] if a.get("display_type") == "memory"]
    assert {"key": "l1_memory", "value": "0.5", "display_type": "memory"} in bars


def test_cancelling_a_run_ends_the_tools_too(board: RunBoard, model: Path, tools: Path) -> None:
    (tools / "slow").touch()
    board.start(model, asked())
    child = child_of(tools)
    assert board.cancel(model)
    assert is_gone(child)
    assert not [p for p in psutil.Process().children(recursive=True) if "ttrt" in str(p.cmdline())]


KILLED_SERVER = """
import sys, time
from pathlib import Path
from studio_core.runs.board import RunBoard
from studio_core.runs.records import RunRequest
RunBoard(Path(sys.argv[1])).start(Path(sys.argv[2]), RunRequest())
time.sleep(60)
"""


def test_a_run_ends_with_a_server_that_is_killed(model: Path, tools: Path, tmp_path: Path) -> None:
    (tools / "slow").touch()
    state = tmp_path / "state"
    server = subprocess.Popen([sys.executable, "-c", KILLED_SERVER, str(state), str(model)])
    child = child_of(tools)
    server.kill()
    server.wait()
    assert is_gone(child)
    status = RunBoard(state).status(model)
    assert status is not None
    assert status.state is RunState.FAILED


def test_the_cpu_can_be_chosen_all_the_same(model: Path, tools: Path, tmp_path: Path) -> None:
    steps = list(work(model, asked(backend="cpu"), tmp_path, lambda _: None))
    assert steps[-1].outcome is not None
    assert steps[-1].backend == "cpu"
