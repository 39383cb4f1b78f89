"""The program stopped before each single change of the disk, and the disk refusing each one.

`FaultyOs` stands for ``os`` in ``files.py``. It counts the calls that change something; a
crash stops the one it was told to and every later one, as a dead process would. The store
is then opened afresh and must show the old state or the new one.
"""

from __future__ import annotations

import errno
import os
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from studio_core.errors import StorageError
from studio_core.projects import Project, ProjectStore, files

CHANGES = ("open", "write", "fsync", "utime", "replace", "rename", "makedirs", "unlink", "rmtree")


class Crash(BaseException):
    """The process died here."""


class FaultyOs(types.SimpleNamespace):
    """``os`` and ``shutil`` in one, failing at the ``stop_at``-th change of the disk."""

    def __init__(self, stop_at: int, error: Callable[[], BaseException], dead: bool) -> None:
        super().__init__()
        self.count, self.stop_at, self.error, self.dead = 0, stop_at, error, dead

    def __getattr__(self, name: str) -> Any:
        if name not in CHANGES:
            return getattr(os, name)
        return lambda *args, **options: self._change(name, args, options)

    def _change(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        self.count += 1
        if self.count == self.stop_at and name == "write":
            os.write(args[0], args[1][: len(args[1]) // 2])  # a crash in the middle
        if self.count == self.stop_at and name == "rmtree" and not self.dead:
            return None  # told to ignore errors, it removes nothing and says nothing
        if self.count == self.stop_at or (self.dead and self.count > self.stop_at):
            raise self.error()
        return REAL[name](*args, **options)


REAL = {name: getattr(os, name) for name in CHANGES if name != "rmtree"}
REAL["rmtree"] = files.shutil.rmtree


REFUSALS = {
    errno.ENOSPC: "The disk is full. Free some space",
    errno.EACCES: "Permission denied. Give yourself the right",
    errno.EROFS: "The disk is read-only. Choose a project root on a disk that can be written",
}


@dataclass(frozen=True)
class Edit:
    """One thing the store does, and what the store shows before and after it."""

    do: Callable[[ProjectStore, Project, Path], object]
    show: Callable[[ProjectStore, Project], object]


def config(store: ProjectStore, project: Project) -> object:
    return store.get(project.id).config


def analysis(store: ProjectStore, project: Project) -> object:
    return store.latest_analysis(project.id, "loss")


def export(store: ProjectStore, project: Project) -> object:
    return (project.folder / "exports" / "r.yaml").read_text()


def plans(store: ProjectStore, project: Project) -> object:
    versions = store.plan_versions(project.id, "p") if store.plans(project.id) else ()
    return [store.plan(project.id, "p", version) for version in versions]


def ids(store: ProjectStore, project: Project) -> object:
    for listed in store.projects():
        assert listed.fault is None
        assert listed.model_path is not None and listed.model_path.stat().st_size == 8000
    return sorted("old" if p.id == project.id else p.name for p in store.projects())


EDITS = {
    "update": Edit(lambda s, p, _: s.update(p.id, {"epochs": 4}), config),
    "analysis": Edit(lambda s, p, _: s.save_analysis(p.id, "loss", "a", {"n": 2}), analysis),
    "plan": Edit(lambda s, p, _: s.add_plan(p.id, "p", lambda v: {"v": v}), plans),
    "note": Edit(lambda s, p, _: s.change_plan(p.id, "p", 1, lambda d: {**d, "n": 1}), plans),
    "no plan": Edit(lambda s, p, _: s.delete_plan(p.id, "p"), plans),
    "export": Edit(lambda s, p, _: s.save_export(p.id, "r.yaml", "new"), export),
    "create": Edit(lambda s, _, model: s.create(model, {"projectName": "new"}), ids),
    "delete": Edit(lambda s, p, _: s.delete(p.id), ids),
}


def fill(store: ProjectStore, model_path: Path) -> Project:
    project = store.create(model_path, {"projectName": "first", "epochs": 3})
    store.save_analysis(project.id, "loss", "a", {"n": 1})
    store.save_export(project.id, "r.yaml", "old")
    store.add_plan(project.id, "p", lambda version: {"v": version})
    return project


def run_with(monkeypatch: pytest.MonkeyPatch, faulty: FaultyOs, do: Callable[[], object]) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(files, "os", faulty)
        patch.setattr(files, "shutil", faulty)
        do()


def states(edit: Edit, root: Path, model_path: Path) -> tuple[object, object, int]:
    """What is shown before and after the edit, and how many changes of the disk it makes."""
    store = ProjectStore(root)
    project = fill(store, model_path)
    before = edit.show(store, project)
    counter = FaultyOs(0, Crash, dead=False)
    with pytest.MonkeyPatch.context() as monkeypatch:
        run_with(monkeypatch, counter, lambda: edit.do(store, project, model_path))
    return before, edit.show(ProjectStore(root), project), counter.count


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_crash_at_any_step_leaves_the_old_state_or_the_new(
    edit: Edit, tmp_path: Path, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after, steps = states(edit, tmp_path / "whole", model_path)
    assert before != after and steps >= 3
    seen = []
    for step in range(1, steps + 1):
        store = ProjectStore(tmp_path / f"crash-{step}")
        project = fill(store, model_path)
        faulty = FaultyOs(step, Crash, dead=True)
        with pytest.raises(Crash):
            run_with(monkeypatch, faulty, lambda: edit.do(store, project, model_path))  # noqa: B023
        reopened = ProjectStore(store.root)
        seen.append(edit.show(reopened, project))
        assert seen[-1] in (before, after), f"step {step}"
        edit.do(reopened, project, model_path) if seen[-1] == before else None
        assert edit.show(reopened, project) == after, f"step {step}, again"
    assert seen == sorted(seen, key=[before, after].index), "new, once reached, stays"


@pytest.mark.parametrize("code", REFUSALS, ids=errno.errorcode.get)
@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_disk_that_refuses_any_step_is_told_and_leaves_a_whole_state(
    edit: Edit, code: int, tmp_path: Path, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after, steps = states(edit, tmp_path / "whole", model_path)
    for step in range(1, steps + 1):
        store = ProjectStore(tmp_path / f"full-{step}")
        project = fill(store, model_path)
        faulty = FaultyOs(step, lambda: OSError(code, os.strerror(code)), dead=False)
        try:
            run_with(monkeypatch, faulty, lambda: edit.do(store, project, model_path))  # noqa: B023
        except StorageError as error:
            assert REFUSALS[code] in str(error)
        except OSError:
            pytest.fail(f"step {step} raised an error without advice")
        assert edit.show(ProjectStore(store.root), project) in (before, after), f"step {step}"
        left = [*store.root.rglob("*.tmp"), *store.root.glob(".creating-*")]
        assert step == steps or not left, f"step {step} left {left}"


def test_the_bytes_are_on_disk_before_their_name_is(
    store: ProjectStore, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    class Recorder(FaultyOs):
        def _change(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
            calls.append(name)
            return super()._change(name, args, options)

    store.update(project.id, {"a": 0})  # makes the folder of the locks
    run_with(monkeypatch, Recorder(0, Crash, False), lambda: store.update(project.id, {"a": 1}))
    written = [c for c in calls if c in ("write", "fsync", "replace")]
    assert written == ["write", "fsync", "replace", "fsync"]


def test_only_files_py_changes_the_disk() -> None:
    """The rule that makes the tests above complete."""
    folder = Path(files.__file__).parent
    forbidden = ("write_text", "write_bytes", ".open(", "mkdir", "unlink", ".rename(", "rmtree")
    for source in folder.glob("*.py"):
        if source.name == "files.py":
            continue
        text = source.read_text()
        assert not [word for word in forbidden if word in text], source.name
        assert "import os" not in text and "import shutil" not in text, source.name
