"""Several programs at one project: nothing that was written is lost."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from studio_core.errors import ConflictError, NotFoundError
from studio_core.projects import Project, ProjectStore, files

UPDATES = 150


def update_many(root: Path, project_id: str, writer: int) -> None:
    store = ProjectStore(root)
    for number in range(UPDATES):
        store.update(project_id, {f"{writer}-{number}": number, "last": writer})
        assert store.get(project_id).fault is None


def test_two_processes_lose_no_update(store: ProjectStore, project: Project) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        runs = [pool.submit(update_many, store.root, project.id, writer) for writer in (1, 2)]
        for run in runs:
            run.result(timeout=120)
    after = store.get(project.id)
    assert after.revision == project.revision + 2 * UPDATES
    assert {f"{w}-{n}" for w in (1, 2) for n in range(UPDATES)} <= after.config.keys()


def test_threads_of_one_process_lose_no_update(store: ProjectStore, project: Project) -> None:
    def save(number: int) -> None:
        store.update(project.id, {str(number): number})
        store.save_analysis(project.id, "loss", f"run-{number}", {"n": number})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(save, range(100)))
    assert {str(n) for n in range(100)} <= store.get(project.id).config.keys()
    assert len(store.analyses(project.id, "loss")) == 100


def test_no_version_of_a_plan_is_lost(store: ProjectStore, project: Project) -> None:
    def save(number: int) -> None:
        store.add_plan(project.id, "one", lambda version: {"version": version, "seen": []})
        store.change_plan(project.id, "one", 1, lambda d: {**d, "seen": [*d["seen"], number]})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(save, range(40)))
    assert store.plan_versions(project.id, "one") == tuple(range(1, 41))
    assert sorted(store.plan(project.id, "one", 1)["seen"]) == list(range(40))


def test_readers_meanwhile_see_a_whole_project(store: ProjectStore, project: Project) -> None:
    def read(_: int) -> bool:
        return all(p.fault is None and p.id == project.id for p in store.projects())

    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(store.update, project.id, {"n": n}) for n in range(100)]
        assert all(pool.map(read, range(200)))
        assert all(w.result() for w in writing)


def test_of_many_deletes_one_wins(store: ProjectStore, project: Project) -> None:
    def delete(_: int) -> bool:
        try:
            store.delete(project.id)
        except NotFoundError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(delete, range(8))).count(True) == 1
    assert store.projects() == ()


def test_who_waits_too_long_is_told(
    store: ProjectStore, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LOCK_SECONDS", 0.05)
    lock = store.root / ".locks" / f"{project.id}.lock"
    with (
        files.locked(lock, "it"),
        ThreadPoolExecutor(1) as pool,
        pytest.raises(ConflictError, match="is being changed by another program"),
    ):
        pool.submit(store.update, project.id, {}).result()


def test_a_source_that_changes_while_it_is_copied_is_a_conflict(
    store: ProjectStore, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = files._write_synced

    def write_while_source_grows(path: Path, chunks: object) -> None:
        write(path, chunks)  # type: ignore[arg-type]
        model_path.write_bytes(model_path.read_bytes() + b"more")

    monkeypatch.setattr(files, "_write_synced", write_while_source_grows)
    with pytest.raises(ConflictError, match="changed while it was copied"):
        store.create(model_path, {})
    assert list(store.root.iterdir()) == []
