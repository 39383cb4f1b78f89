"""The real pipeline with stand-ins for its tools: arguments, results, limits, cancelling."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from studio_core.errors import InvalidModelError, InvalidRequestError, StorageError
from studio_core.execution.records import RunCancelledError
from studio_core.execution.sessions import Cancellation
from studio_core.execution.toolchain import (
    TimeLimits,
    ToolchainRequest,
    ToolchainResult,
    dialect_of,
    is_available,
    run_toolchain,
    system_description,
)
from studio_core.execution.toolchain_results import OpTime, read_memory, read_perf
from studio_core.explorer.opened import open_file
from studio_core.graphs.overlays import ACCURACY_DATA, PERF_DATA
from studio_core.overrides.comparison import requested_against_applied
from studio_core.overrides.records import Override, Overrides
from studio_core.runs.compiled import compiled_graph

from .standins import TTNN, calls, put_on_path

STABLEHLO = Path(__file__).parents[2] / "data" / "mlir" / "stablehlo.mlir"
TTIR = Path(__file__).parents[2] / "data" / "mlir" / "run_mlp.mlir"
RELU = Override("relu_1", "loc(relu_1(net.py:1:1))", {"grid_shape": "2x4", "data_type": "f32"})


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tools"
    monkeypatch.setenv("PATH", put_on_path(folder)["PATH"])
    return folder


@pytest.fixture
def request_(tmp_path: Path) -> ToolchainRequest:
    folder = tmp_path / "a folder; with $HOME"
    folder.mkdir()
    return ToolchainRequest(TTIR, "ttir", folder, True, Overrides.of([RELU]), True)


def run(request: ToolchainRequest, cancel: Cancellation | None = None) -> ToolchainResult:
    result = None
    for step in run_toolchain(request, cancel=cancel):
        result = step.result
    assert result is not None
    return result


def test_the_tools_get_argument_lists_in_the_order_of_the_pipeline(
    tools: Path, request_: ToolchainRequest
) -> None:
    folder = str(request_.folder)
    result = run(replace(request_, module_path=STABLEHLO, dialect="stablehlo"))
    options = (
        "enable-optimizer=true memory-layout-analysis-enabled=true "
        "system-desc-path=system/system_desc.ttsys override-output-layout=relu_1=2x4:f32"
    )
    debug = "--mlir-print-debuginfo"
    assert calls(tools) == [
        ["ttmlir-opt", "--help"],
        ["ttmlir-opt", "--stablehlo-to-ttir-pipeline", str(STABLEHLO), "-o", f"{folder}/ttir.mlir",
         debug],
        ["ttrt", "query", "--save-artifacts", f"--artifact-dir={folder}/system"],
        ["ttmlir-opt", f"--ttir-to-ttnn-common-pipeline={options}", f"{folder}/ttir.mlir", "-o",
         f"{folder}/ttnn.mlir", debug],
        ["ttmlir-opt", "--ttnn-common-to-emitc-pipeline", f"{folder}/ttnn.mlir", "-o",
         f"{folder}/emitc.mlir", debug],
        ["ttmlir-translate", "--mlir-to-cpp", f"{folder}/emitc.mlir", "-o",
         f"{folder}/module.cpp"],
        ["ttmlir-opt", "--ttnn-common-to-runtime-pipeline", f"{folder}/ttnn.mlir", "-o",
         f"{folder}/runtime.mlir", debug],
        ["ttmlir-translate", "--ttnn-to-flatbuffer", f"{folder}/runtime.mlir", "-o",
         f"{folder}/module.ttnn"],
        ["ttrt", "perf", f"{folder}/module.ttnn", f"--artifact-dir={folder}/results", "--memory"],
    ]  # fmt: skip
    assert [list(command[1:]) for command in result.commands] == [c[1:] for c in calls(tools)]
    assert (result.version, result.cpp_code) == ("common-pipeline", "int main() {}")


def test_the_results_are_those_of_the_files(tools: Path, request_: ToolchainRequest) -> None:
    result = run(request_)
    relu, exp = "loc(relu_1(net.py:1:1))", "loc(exp_2(net.py:1:1))"
    # An op that ran twice has the sum of its times and the most of its cores.
    assert result.times == {relu: OpTime(1200.0, 8), exp: OpTime(3500.0, 64)}
    assert result.memory == {
        relu: {"dram": 0.25, "l1": 0.5, "l1_small": 0.0},
        exp: {"dram": 0.25, "l1": 0.25},
    }
    assert result.accuracy[relu].actual_pcc == 0.98


def test_the_graph_is_the_compiled_module_with_what_was_measured(
    tools: Path, request_: ToolchainRequest
) -> None:
    result = run(request_)
    graph = compiled_graph(result, request_.overrides)
    values = {graph.by_id[n].label: v for n, v in graph.overlays[PERF_DATA].values.items()}
    assert values == {"ttnn.relu": 1200.0, "ttnn.exp": 3500.0}
    [(node, difference)] = graph.overlays[ACCURACY_DATA].values.items()
    assert graph.by_id[node].label == "ttnn.relu"
    assert difference == pytest.approx(-0.01)
    bars = {a.key: (a.value, a.certainty) for a in graph.by_id[node].attributes if a.display_type}
    assert bars == {
        "l1_memory": ("0.5", "exact"),
        "dram_memory": ("0.25", "exact"),
        "l1_small_memory": ("0", "exact"),
    }
    applied = {v.attribute: v.outcome for v in requested_against_applied(request_.overrides, graph)}
    assert applied == {"grid_shape": "applied", "data_type": "not applied"}
    assert graph.cpp_code == "int main() {}"
    assert graph.overrides is not None


def test_without_the_optimizer_no_override_is_sent(tools: Path, request_: ToolchainRequest) -> None:
    result = run(replace(request_, optimizer_enabled=False, generate_cpp_code=False))
    compiled = next(c for c in calls(tools) if "--ttir-to-ttnn" in c[1])
    assert "enable-optimizer=false" in compiled[1]
    assert "relu_1" not in compiled[1]
    assert {left.attribute for left in result.left_out} == {"grid_shape", "data_type"}


def test_a_compiled_module_is_not_compiled_again(tools: Path, request_: ToolchainRequest) -> None:
    path = request_.folder / "given.mlir"
    path.write_text(TTNN, encoding="utf-8")
    result = run(replace(request_, module_path=path, dialect="ttnn", generate_cpp_code=False))
    assert result.compiled_path == path
    assert [call[1].split("=")[0] for call in calls(tools)] == [
        "--help", "--ttnn-common-to-runtime-pipeline", "--ttnn-to-flatbuffer", "perf",
    ]  # fmt: skip


def test_older_versions_have_other_names(tools: Path, request_: ToolchainRequest) -> None:
    (tools / "help.txt").write_text("--ttir-to-ttnn-backend-pipeline", encoding="utf-8")
    result = run(replace(request_, generate_cpp_code=False))
    assert result.version == "backend-pipeline"
    assert "--ttnn-common-to-runtime-pipeline" not in str(calls(tools))
    with pytest.raises(InvalidRequestError, match="makes no C"):
        run(request_)
    (tools / "help.txt").write_text("--another", encoding="utf-8")
    with pytest.raises(InvalidRequestError, match="knows none of the pipelines"):
        run(request_)


def test_a_refusal_is_told_in_the_compilers_words(tools: Path, request_: ToolchainRequest) -> None:
    (tools / "fail").touch()
    with pytest.raises(InvalidModelError, match=r"exit code 3 .*op is not legal"):
        run(request_)


def test_results_without_times_are_no_run(tools: Path, request_: ToolchainRequest) -> None:
    (tools / "perf.csv").write_text("LOC,DEVICE FW DURATION [ns]\n", encoding="utf-8")
    with pytest.raises(StorageError, match="no times"):
        run(request_)


def child_of(tools: Path) -> int:
    """The id of the process that the slow runtime started, once it has."""
    path, deadline = tools / "child.pid", time.monotonic() + 20
    while time.monotonic() < deadline:
        if path.exists() and (text := path.read_text()):
            return int(text)
        time.sleep(0.02)
    raise AssertionError("The runtime did not start.")


def is_gone(pid: int) -> bool:
    """Whether the process ends; one that nobody has buried has ended too."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def test_cancelling_ends_the_runtime_and_its_children(
    tools: Path, request_: ToolchainRequest
) -> None:
    (tools / "slow").touch()
    cancel = Cancellation()
    child: list[int] = []

    def watch() -> None:
        child.append(child_of(tools))
        cancel.cancel()

    watcher = threading.Thread(target=watch)
    watcher.start()
    with pytest.raises(RunCancelledError):
        run(request_, cancel)
    watcher.join()
    assert is_gone(child[0])


def test_a_tool_that_takes_too_long_is_ended(tools: Path, request_: ToolchainRequest) -> None:
    (tools / "slow").touch()
    with pytest.raises(InvalidRequestError, match="longer than 1 seconds"):
        run(replace(request_, limits=TimeLimits(run=1.0)))
    assert not (tools / "child.pid").exists() or is_gone(child_of(tools))


def test_without_the_tools_it_says_so(
    request_: ToolchainRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not is_available()
    with pytest.raises(InvalidRequestError, match="must all be on PATH"):
        run(request_)


def test_the_system_description_is_asked_of_the_runtime(tools: Path, tmp_path: Path) -> None:
    assert is_available()
    folder = tmp_path / "system"
    folder.mkdir()
    assert system_description(folder).name == "system_desc.ttsys"


@pytest.mark.parametrize(
    ("path", "dialect"),
    [(STABLEHLO, "stablehlo"), (TTIR, "ttir"), (TTIR.with_name("hw_overridable.mlir"), "ttnn")],
)
def test_the_dialect_is_seen_in_the_module(path: Path, dialect: str) -> None:
    module = open_file(path)[0].module
    assert module is not None
    assert dialect_of(module) == dialect


def test_damaged_results_are_told(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("A,B\n1,2\n", encoding="utf-8")
    with pytest.raises(StorageError, match="has no column"):
        read_perf(path)
    with pytest.raises(StorageError, match="cannot be read"):
        read_memory(path)
