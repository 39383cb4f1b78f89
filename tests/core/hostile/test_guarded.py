"""Files tried in a process of their own: what kills that process is a sentence here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from studio_core.errors import (
    InvalidModelError,
    InvalidRequestError,
    LimitError,
    MlirSyntaxError,
    NotFoundError,
    StorageError,
)
from studio_core.explorer.conversion import converted, converted_text, file_graphs
from studio_core.guarded import Guard, reader
from studio_core.guarded.reader import ReaderFaultError
from studio_core.limits import Limits
from studio_core.workbench import Workbench

from . import attacks

MakeGuard = Callable[..., Guard]


@pytest.fixture
def make_guard() -> Iterator[MakeGuard]:
    guards: list[Guard] = []

    def make(**limits: float) -> Guard:
        guards.append(Guard(Limits(**limits)))  # type: ignore[arg-type]
        return guards[-1]

    yield make
    for guard in guards:
        guard.close()


@pytest.fixture(scope="module")
def guard() -> Iterator[Guard]:
    """One for all tests that need no limits of their own: its process starts once."""
    guard = Guard()
    yield guard
    guard.close()


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return attacks.named(tmp_path, ("w",))


def children() -> list[psutil.Process]:
    return psutil.Process(os.getpid()).children()


def test_a_good_file_passes_once_for_all(guard: Guard, good: Path, monkeypatch) -> None:
    guard.check(good)
    monkeypatch.setattr(guard, "_take", lambda: pytest.fail("it has passed already"))
    guard.check(good)
    good.write_bytes(good.read_bytes() + b"\0")
    with pytest.raises(pytest.fail.Exception):
        guard.check(good)


def test_what_opening_raises_is_raised_here(guard: Guard, tmp_path: Path) -> None:
    with pytest.raises(LimitError, match="max_elements"):
        guard.check(attacks.huge_input(tmp_path))
    with pytest.raises(NotFoundError):
        guard.check(tmp_path / "none.onnx")
    (tmp_path / "m.mlir").write_text("module {\n")
    with pytest.raises(MlirSyntaxError) as broken:
        guard.check(tmp_path / "m.mlir")
    assert (broken.value.line, broken.value.column) == (1, 8)


def test_memory_is_limited_and_the_next_file_is_read(make_guard: MakeGuard, tmp_path: Path) -> None:
    guard = make_guard(max_open_memory_bytes=150 << 20)
    with pytest.raises(InvalidModelError, match="max_open_memory_bytes = 157,286,400"):
        guard.check(attacks.many_nodes(tmp_path, 900_000))
    guard.check(attacks.named(tmp_path, ("w",)))


def test_time_is_limited(make_guard: MakeGuard, tmp_path: Path) -> None:
    guard = make_guard(max_open_seconds=0.2)  # less than the process needs to start
    begun = time.monotonic()
    with pytest.raises(LimitError, match=r"max_open_seconds = 0\.2 "):
        guard.check(attacks.many_nodes(tmp_path, 900_000))
    assert time.monotonic() - begun < 10


def test_a_process_that_does_nothing_at_all_is_late_too(make_guard: MakeGuard, good: Path) -> None:
    guard = make_guard(max_open_seconds=0.3)
    before = set(children())
    guard.warm_up()
    (reader,) = set(children()) - before
    reader.suspend()  # it takes no processor time, which has a limit of its own
    with pytest.raises(LimitError, match="max_open_seconds"):
        guard.check(good)


def test_a_process_that_dies_is_told(make_guard: MakeGuard, good: Path) -> None:
    guard = make_guard()
    before = set(children())
    guard.warm_up()
    (reader,) = set(children()) - before
    reader.kill()
    with pytest.raises(InvalidModelError, match=r"ended the process that read it \(SIGKILL\)"):
        guard.check(good)
    guard.check(good)


def test_it_writes_nothing_and_ends_with_its_guard(make_guard: MakeGuard, good: Path) -> None:
    before = set(children())
    listed = sorted(good.parent.iterdir())
    guard = make_guard()
    guard.check(good)
    assert len(set(children()) - before) == 1
    guard.close()
    assert set(children()) == before and sorted(good.parent.iterdir()) == listed


def test_a_process_answers_for_its_own_memory_only() -> None:
    """Else each reader of a large server would be thrown away after one file."""
    held = b"x" * (400 << 20)
    code = "from studio_core.guarded.resources import peak_memory; print(peak_memory())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert 0 < int(run.stdout) < len(held) // 2


def test_files_of_several_people_are_read_at_one_time(
    make_guard: MakeGuard, tmp_path: Path
) -> None:
    """One whose file takes for ever keeps nobody else waiting."""
    guard = make_guard(max_open_seconds=30)
    slow = tmp_path / "slow.onnx"
    os.mkfifo(slow)
    failed: list[Exception] = []

    def wait_for_slow() -> None:
        try:
            guard.check(slow)
        except InvalidModelError as error:
            failed.append(error)

    thread = threading.Thread(target=wait_for_slow)
    thread.start()
    guard.check(attacks.named(tmp_path, ("w",)))
    thread.join(20)
    assert not thread.is_alive() and failed, "a pipe is no model, and nobody waits for it"


def test_the_workbench_opens_nothing_that_has_not_passed(
    make_guard: MakeGuard, tmp_path: Path, monkeypatch
) -> None:
    guard = make_guard(max_nodes=10)
    bench = Workbench(tmp_path / "projects", limits=guard.limits, guard=guard)
    opened: list[str] = []
    monkeypatch.setattr(
        "studio_core.workbench.open_model", lambda path, **_: opened.append(str(path))
    )
    with pytest.raises(LimitError, match="max_nodes = 10 "):
        bench.create_project(attacks.many_nodes(tmp_path, 50), {})
    assert opened == [] and not (tmp_path / "projects").exists()


def test_a_copy_in_a_project_is_not_tried_again(
    guard: Guard, good: Path, tmp_path: Path, monkeypatch
) -> None:
    bench = Workbench(tmp_path / "projects", guard=guard)
    project = bench.create_project(good, {})
    monkeypatch.setattr(guard, "_take", lambda: pytest.fail("the copy was tried"))
    assert len(bench.layers(project.id)) == 1


MLIR = Path(__file__).parents[2] / "data" / "mlir" / "run_mlp.mlir"


def test_graphs_are_made_there(guard: Guard, good: Path, monkeypatch) -> None:
    """Neither the file nor its graphs are read in this process; the answer is the same."""
    (good.parent / "broken.mlir").write_text("module {\n")
    (good.parent / "m.mlir").write_bytes(MLIR.read_bytes())
    wanted = [file_graphs(path) for path in (good, MLIR)]
    whole = converted(good.parent)
    for name in ("open_file", "open_model", "read_mlir"):
        monkeypatch.setattr(
            f"studio_core.explorer.{'conversion' if name == 'open_file' else 'opened'}.{name}",
            lambda *_, **__: pytest.fail("it was opened here"),
        )
    for path, graphs in zip((good, MLIR), wanted, strict=True):
        made = guard.graphs(path)
        assert [json.loads(text) for _, text in made] == graphs
        assert [graph_id for graph_id, _ in made] == [graph["id"] for graph in graphs]

    def texts_of(path: Path) -> list[bytes]:
        return [text for _, text in guard.graphs(path)]

    assert json.loads(converted_text(good.parent, texts_of)) == whole
    assert json.loads(converted_text(good, texts_of)) == {"graphs": wanted[0]}


def test_graphs_raise_what_opening_raises(
    guard: Guard, make_guard: MakeGuard, good: Path, tmp_path: Path
) -> None:
    (tmp_path / "m.mlir").write_text("module {\n")
    with pytest.raises(MlirSyntaxError) as broken:
        guard.graphs(tmp_path / "m.mlir")
    assert (broken.value.line, broken.value.column) == (1, 8)
    with pytest.raises(NotFoundError):
        guard.graphs(tmp_path / "none.onnx")
    (tmp_path / "m.txt").write_text("x")
    with pytest.raises(InvalidRequestError, match="none of the files Studio explores"):
        guard.graphs(tmp_path / "m.txt")
    small = make_guard(max_graph_bytes=100)
    with pytest.raises(LimitError, match="max_graph_bytes = 100 "):
        small.graphs(good)


def test_a_kept_graph_is_read_there(guard: Guard, tmp_path: Path) -> None:
    path = tmp_path / "graph.json"
    path.write_text('{"id": "g"}')
    assert guard.executed(path) == b'{"id": "g"}'
    for text in ("[]", "{", "[" * 100_000):
        path.write_text(text)
        with pytest.raises(StorageError, match=f"run {tmp_path.name} "):
            guard.executed(path)
    path.unlink()
    with pytest.raises(NotFoundError, match="Run it again"):
        guard.executed(path)


def test_a_process_that_took_much_memory_reads_no_more(
    make_guard: MakeGuard, good: Path, monkeypatch
) -> None:
    guard, before = make_guard(), set(children())
    guard.check(good)
    first = set(children()) - before
    monkeypatch.setattr(reader, "_MOST_MEMORY_KEPT", 1 << 20)
    guard.graphs(good)
    assert set(children()) & first == set()


def test_a_fault_of_studios_own_is_told_as_one(guard: Guard, good: Path) -> None:
    with pytest.raises(ReaderFaultError, match="KeyError: 'no such task'"):
        guard._read("no such task", good)
    guard.check(good)


def test_closing_ends_a_process_that_reads(make_guard: MakeGuard, good: Path) -> None:
    """A server that stops does not wait for the file that somebody sent last."""
    guard, before = make_guard(max_open_seconds=60), set(children())
    guard.warm_up()
    (child,) = set(children()) - before
    child.suspend()
    heard: list[Exception] = []

    def wait_for_it() -> None:
        try:
            guard.check(good)
        except InvalidModelError as error:
            heard.append(error)

    thread = threading.Thread(target=wait_for_it)
    thread.start()
    deadline = time.monotonic() + 10
    while not guard._busy and time.monotonic() < deadline:
        time.sleep(0.01)
    guard.close()
    thread.join(20)
    assert not thread.is_alive() and heard
    assert set(children()) == before


def test_many_nodes_of_one_name_are_read_in_linear_time(
    make_guard: MakeGuard, tmp_path: Path
) -> None:
    """In quadratic time these 30,000 took minutes."""
    make_guard(max_open_seconds=40).check(attacks.many_nodes(tmp_path, 30_000))
