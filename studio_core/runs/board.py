"""`RunBoard`: starts a model's run in a process of its own, follows it, and tells how it is.

    board = RunBoard(Path("~/studio-projects/.explorer").expanduser())
    board.start(path, RunRequest.from_settings({"optimizationPolicy": "Optimizer Disabled"}))
    board.status(path).progress
    board.executed(path)          # the graph of the last run that went well

One run a model at a time; what is known is kept by model and on disk, so that everybody who
asks hears everything. A process each, because a model can crash a runtime or eat all memory.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from studio_core.errors import ConflictError, NotFoundError, StorageError
from studio_core.jobs.processes import Child, ProcessMark, end_tree
from studio_core.limits import DEFAULT_LIMITS, Limits, beyond
from studio_core.runs import store
from studio_core.runs.records import RunProgress, RunRecord, RunRequest, RunState, RunStatus

GRACE_SECONDS = 0.2
TIME_LIMIT_SECONDS = 4 * 3600.0
MAX_RUNNING = 2
_LOOK_SECONDS = 0.05
_GONE = "The server that ran it ended before the run was over. Run it again."
_WORKER = ("-m", "studio_core.runs.worker")


@dataclass(frozen=True)
class ExecutedGraph:
    """A graph as it was executed, in files that the run kept.

    ``path`` has it as Model Explorer's JSON (`executed_text` reads it), ``overlay_paths`` have
    its overlays. ``graph_id`` is the id that was asked for, None for the model's first graph.
    """

    path: Path
    graph_id: str | None
    overlay_paths: tuple[Path, ...]


class RunBoard:
    """The runs below ``folder``. ``max_running`` models run at one time, others wait.

    ``limits`` are what a model and its run may ask for; a run that takes longer than
    ``time_limit_seconds``, or the limits' ``max_job_seconds``, is ended. ``on_end`` is called with
    the model's path after a run, in the thread that followed it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_running: int = MAX_RUNNING,
        time_limit_seconds: float = TIME_LIMIT_SECONDS,
        limits: Limits = DEFAULT_LIMITS,
        on_end: Callable[[Path], None] = lambda _: None,
    ) -> None:
        self._runs = folder / "runs"
        self._terms = _Terms(time_limit_seconds, limits)
        self._on_end = on_end
        self._slots = threading.Semaphore(max_running)
        self._lock = threading.Lock()
        self._followed: dict[str, _Followed] = {}
        self._known = _Known(self._runs)
        self._mark = ProcessMark.own()
        self._is_stopped = False

    def start(self, path: Path, request: RunRequest) -> str:
        """Begin a run of the model at ``path``; returns its id at once.

        Raises `ConflictError` while the model runs already, `NotFoundError`, `StorageError`.
        """
        model = store.mark_of(path)
        with self._lock:
            if self._is_stopped:
                raise ConflictError("The server is stopping. Start the run once it is back.")
            busy = self._latest(path)
            if busy is not None and not busy.state.is_over:
                raise ConflictError(
                    f"{path.name} is being executed. Wait for the end of the run, or cancel it."
                )
            folder = store.new_folder(self._runs)
            store.begin_log(folder, path)
            record = RunRecord(
                folder.name,
                str(path),
                model,
                request.to_document(),
                RunState.WAITING,
                time.time(),
                (self._mark.pid, self._mark.started),
            )
            store.write_record(folder, record)
            followed = _Followed(folder, record, self._slots, self._terms, self._on_end)
            self._followed[str(path)] = followed
            followed.thread.start()
        return record.id

    def status(self, path: Path) -> RunStatus | None:
        """How the latest run of a model is; None where it was never run. Reading changes nothing.

        Raises `StorageError` where what is on disk is damaged.
        """
        with self._lock:
            record = self._latest(path)
        return None if record is None else self._status(record)

    def statuses(self, path: Path) -> tuple[RunStatus, ...]:
        """All runs of a model, the oldest first; none is ever forgotten."""
        with self._lock:
            records = self._known.records(str(path))
        return tuple(self._status(self._true(record)) for record in records)

    def executed(self, path: Path) -> ExecutedGraph | None:
        """The graph of the last run that went well; None without one.

        None too where the file has another content since: the graph would be of another model.
        """
        with self._lock:
            records = self._known.records(str(path))
        done = [r for r in records if r.state is RunState.DONE]
        if not done or not store.is_unchanged(path, done[-1].model):
            return None
        folder = self._runs / done[-1].id
        graph_id = done[-1].request.get("graphId")
        return ExecutedGraph(store.graph_path(folder), graph_id, store.overlay_paths(folder))

    def cancel(self, path: Path) -> bool:
        """End a model's run with all it started; False where none is under way here."""
        with self._lock:
            followed = self._followed.get(str(path))
        if followed is None or followed.record.state.is_over:
            return False
        followed.cancel.set()
        followed.thread.join()
        return True

    def is_running(self, path: Path) -> bool:
        with self._lock:
            record = self._latest(path)
        return record is not None and not record.state.is_over

    def wait(self, path: Path, timeout: float | None = None) -> RunStatus | None:
        """The status once the run here is over, or after ``timeout`` seconds."""
        with self._lock:
            followed = self._followed.get(str(path))
        if followed is not None:
            followed.thread.join(timeout)
        return self.status(path)

    def stop(self) -> None:
        """End all runs of this server; they say that it was stopped."""
        with self._lock:
            self._is_stopped = True
            followed = list(self._followed.values())
        for each in followed:
            each.is_server_stopping = True
            each.cancel.set()
        for each in followed:
            each.thread.join()

    def _latest(self, path: Path) -> RunRecord | None:
        records = self._known.records(str(path))
        return self._true(records[-1]) if records else None

    def _true(self, record: RunRecord) -> RunRecord:
        """The record as it is: of a server that is gone nobody writes the end any more."""
        followed = self._followed.get(record.model_path)
        if followed is not None and followed.record.id == record.id:
            return followed.record
        if record.state.is_over or ProcessMark(*record.owner).is_alive:
            return record
        return replace(record, state=RunState.FAILED, error=_GONE, error_kind="StudioError")

    def _status(self, record: RunRecord) -> RunStatus:
        folder = self._runs / record.id
        progress = store.read_progress(folder)
        findings, applied = store.read_findings(folder)
        end = record.finished if record.state.is_over else time.time()
        elapsed = max(0.0, (end or record.created) - (record.started or record.created))
        return RunStatus(
            record.id,
            record.model_path,
            record.state,
            _percent(record.state, progress),
            _message(record.state, progress),
            elapsed,
            record.error,
            record.error_kind,
            store.read_log(folder),
            folder / store.LOG,
            progress.backend,
            findings,
            applied,
        )


def _percent(state: RunState, progress: RunProgress) -> int:
    if state is RunState.DONE:
        return 100
    return min(99, int(100 * progress.fraction))


def _message(state: RunState, progress: RunProgress) -> str:
    if state is RunState.WAITING:
        return "Waiting for another model's run"
    if state is RunState.DONE:
        return "Done"
    step = progress.message or "Starting"
    return step if state is RunState.RUNNING else f"{state.capitalize()} at: {step}"


class _Known:
    """The records on disk by model, read again only where something is new."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._records: dict[str, RunRecord] = {}

    def records(self, model_path: str) -> list[RunRecord]:
        """Of one model, the oldest first; folders that cannot be read are passed over."""
        try:
            names = sorted(entry.name for entry in self._runs.iterdir())
        except OSError:
            return []  # none was ever started
        for name in names:
            known = self._records.get(name)
            if known is None or not known.state.is_over:
                self._read(name)
        found = (self._records[name] for name in names if name in self._records)
        return [record for record in found if record.model_path == model_path]

    def _read(self, name: str) -> None:
        with suppress(StorageError, NotFoundError):
            record = store.read_record(self._runs / name)
            if record is not None:
                self._records[name] = record


@dataclass(frozen=True)
class _Terms:
    """What a run may take; the shorter of the two times counts."""

    seconds: float
    limits: Limits

    @property
    def most_seconds(self) -> float:
        return min(self.seconds, self.limits.max_job_seconds or self.seconds)

    @property
    def lateness(self) -> tuple[str, str]:
        """The error of a run that took longer, and its kind."""
        most = self.limits.max_job_seconds
        if most is not None and most <= self.seconds:
            return beyond("The run takes too long", "max_job_seconds", most), "LimitError"
        error = f"The run was ended: it took longer than {self.seconds:g} seconds."
        return error, "InvalidRequestError"


class _Followed:
    """One run of this server, followed by a thread from its start to its end."""

    def __init__(
        self,
        folder: Path,
        record: RunRecord,
        slots: threading.Semaphore,
        terms: _Terms,
        on_end: Callable[[Path], None],
    ) -> None:
        self.record = record
        self.cancel = threading.Event()
        self.is_server_stopping = False
        self._folder, self._slots, self._terms = folder, slots, terms
        self._on_end = on_end
        self.thread = threading.Thread(target=self._follow, name=f"run {record.id}", daemon=True)

    def _follow(self) -> None:
        while not self._slots.acquire(timeout=_LOOK_SECONDS):
            if self.cancel.is_set():
                return self._end(RunState.CANCELLED)
        try:
            self._write(replace(self.record, state=RunState.RUNNING, started=time.time()))
            self._end(*self._worked())
        except StorageError as error:
            self._end(RunState.FAILED, error.message, "StorageError")
        finally:
            self._slots.release()
        return None

    def _worked(self) -> tuple[RunState, str | None, str | None]:
        """How the worker ended: by its own word, which counts, or without one."""
        limits = json.dumps(asdict(self._terms.limits))
        child = Child((*_WORKER, str(self._folder), limits), self._folder / store.LOG)
        deadline = time.monotonic() + self._terms.most_seconds
        is_late = False
        while child.is_alive and not self.cancel.wait(_LOOK_SECONDS):
            is_late = time.monotonic() > deadline
            if is_late:
                break
        end_tree(child, GRACE_SECONDS)
        progress = store.read_progress(self._folder)
        if progress.is_done:
            return RunState.DONE, None, None
        if self.cancel.is_set():
            return RunState.CANCELLED, None, None
        if is_late:
            return RunState.FAILED, *self._terms.lateness
        if progress.error is not None:
            return RunState.FAILED, progress.error, progress.error_kind
        error = (
            f"The run's process ended without a word (exit code {child.exit_code}); memory may "
            "have run out, or the runtime crashed. The log may say more."
        )
        return RunState.FAILED, error, "StudioError"

    def _end(self, state: RunState, error: str | None = None, kind: str | None = None) -> None:
        if state is RunState.CANCELLED and self.is_server_stopping:
            state, error, kind = RunState.FAILED, "The server was stopped.", "StudioError"
        with suppress(StorageError):
            if state is not RunState.DONE:
                store.append_log(self._folder, error or f"The run was {state}.")
        ended = replace(
            self.record, state=state, error=error, error_kind=kind, finished=time.time()
        )
        try:
            self._write(ended)
        except StorageError:  # the disk refused: what is known here still holds
            self.record = ended
        self._on_end(Path(ended.model_path))

    def _write(self, record: RunRecord) -> None:
        store.write_record(self._folder, record)
        self.record = record
