"""A disk that refuses, at each step of pruning a model and of verifying a plan in turn.

Full, without permission, or read-only: it is told in words, no half file stays, and what was
there before is there still. (To be root is no help: the calls themselves are made to fail.)
"""

from __future__ import annotations

import errno
import json
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from studio_core.errors import StorageError
from studio_core.plan_runs.request import PlanRequest
from studio_core.plan_runs.verifying import VerifyOptions
from studio_core.workbench import Workbench

CODES = (errno.ENOSPC, errno.EACCES, errno.EROFS)
CALLS = ("mkdir", "rename", "replace", "link", "write", "fsync")

MODEL = """g (float[N,6] x) => (float[N,4] y) {
    a = Gemm (x, w, b)  r = Relu (a)  y = Gemm (r, v)
}"""


class Disk:
    """Counts what changes the disk, and from the step ``refuses_at`` on refuses it all.

    Files go all the same, as they do on a full disk.
    """

    def __init__(self, refuses_at: int = 0, code: int = 0) -> None:
        self.refuses_at, self.code, self.count = refuses_at, code, 0

    def step(self) -> None:
        self.count += 1
        if 0 < self.refuses_at <= self.count:
            raise OSError(self.code, os.strerror(self.code))

    @contextmanager
    def in_place(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        with monkeypatch.context() as patch:
            for name in CALLS:
                patch.setattr(os, name, self._counted(getattr(os, name)))
            open_file = pathlib.Path.open

            def opened(path: Path, mode: str = "r", *rest: Any, **options: Any) -> Any:
                if not set(mode) & set("wxa"):
                    return open_file(path, mode, *rest, **options)
                self.step()
                return Written(open_file(path, mode, *rest, **options), self)

            patch.setattr(pathlib.Path, "open", opened)
            yield

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **options: Any) -> Any:
            self.step()
            return call(*given, **options)

        return counted


class Written:
    """A file that is written; where the disk refuses, half of it is."""

    def __init__(self, file: Any, disk: Disk) -> None:
        self._file, self._disk = file, disk

    def write(self, data: Any) -> int:
        try:
            self._disk.step()
        except OSError:
            self._file.write(memoryview(data).cast("B")[: len(data) // 2])
            raise
        return int(self._file.write(data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> Written:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


@pytest.fixture
def bench(tmp_path: Path, write_model: Any, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    """A project with one plan for weights and one for channels, and a temporary folder."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    rng = np.random.default_rng(0)
    shapes = {"w": (6, 16), "b": (16,), "v": (16, 4)}
    weights = {name: rng.standard_normal(s).astype(np.float32) for name, s in shapes.items()}
    made = Workbench(tmp_path / "projects")
    project = made.create_project(write_model(MODEL, weights), {"projectName": "p"})
    mixed = {"default": "element", "layers": {"w": "channel"}}
    for name, granularity in {"element": "element", "channel": "channel", "both": mixed}.items():
        goal = {"sparsity": 0.5, "granularity": granularity}
        wanted = PlanRequest.from_document({"name": name, "goal": goal})
        made.plans.save(project.id, wanted)
    list(made.plans.apply_iter(project.id, "element"))  # a former model, to be replaced
    return made


WORK: dict[str, Callable[[Workbench, str], Any]] = {
    "weights pruned": lambda b, p: list(b.plans.apply_iter(p, "element")),
    "channels removed": lambda b, p: list(b.plans.apply_iter(p, "channel")),
    "channels and weights": lambda b, p: list(b.plans.apply_iter(p, "both")),
    "verified": lambda b, p: list(b.plans.verify_iter(p, "element", VerifyOptions(samples=2))),
    "verified without channels": lambda b, p: list(
        b.plans.verify_iter(p, "channel", VerifyOptions(samples=2))
    ),
}


def contents(folder: Path) -> dict[Path, bytes]:
    """All that lies below ``folder``; locks say nothing."""
    files = (path for path in folder.rglob("*") if path.suffix != ".lock")
    return {path: path.read_bytes() if path.is_file() else b"" for path in files}


def steps_of(work: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> int:
    disk = Disk()
    with disk.in_place(monkeypatch):
        work()
    return disk.count


@pytest.mark.parametrize("name", WORK)
def test_a_disk_that_refuses_leaves_no_half_file(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (project,) = bench.projects()
    before = contents(tmp_path)
    refused = 0
    codes = CODES[:1] if "channels" in name else CODES  # no other calls, and slow
    for code in codes:
        step = 0
        while True:
            step += 1
            disk = Disk(step, code)
            try:
                with disk.in_place(monkeypatch):
                    WORK[name](bench, project.id)
            except StorageError as error:
                refused += 1
                _check_told(str(error), code)
                now = contents(tmp_path)
                _check_whole(before, now, f"{errno.errorcode[code]}, {step}")
                before = now
            else:
                assert disk.count < step
                break
            assert step < 100
        before = contents(tmp_path)  # once it was not refused, it is done
    assert refused >= 3 * len(codes)


def _check_told(text: str, code: int) -> None:
    words = {errno.ENOSPC: ("full", "No space left"), errno.EROFS: ("read-only", "Read-only")}
    assert any(word in text for word in words.get(code, ("ermission denied",))), text


def _check_whole(before: dict[Path, bytes], now: dict[Path, bytes], where: str) -> None:
    """Every file is the former one, or a whole new one; nothing else is there."""
    assert before.keys() <= now.keys(), f"{where}: something is gone"
    for path in now.keys() - before.keys():
        assert path.suffix == ".onnx" and not path.name.startswith("."), f"{where}: {path} is left"
    for path in now:
        if path in before and now[path] == before[path]:
            continue
        if path.suffix == ".onnx":
            onnx.checker.check_model(onnx.load(path))
        else:
            assert path.suffix == ".json" and json.loads(now[path]), f"{where}: {path} is half"
