"""The commands of Model Explorer's `send_command`, as one table; no HTTP in here.

Each reads a `Command` and answers a document; what goes wrong is an error of Studio's family.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio_core.documents import Document
from studio_core.errors import InvalidRequestError, NotFoundError, StorageError, StudioError
from studio_core.execution.toolchain import is_available, system_description
from studio_core.explorer.conversion import (
    SUFFIXES,
    as_text,
    converted_text,
    models_below,
    refuse_hidden,
)
from studio_core.explorer.exploration import POLICIES
from studio_core.guarded import Guard
from studio_core.hardware.system import builtin_system, system_to_document
from studio_core.projects import files
from studio_core.projects.paths import resolve_under
from studio_core.runs.board import MAX_RUNNING, RunBoard
from studio_core.runs.records import RunRequest, RunStatus
from studio_core.samples.bundled import sample_path
from studio_core.workbench import SAMPLE
from studio_server.requests import read_object, required
from studio_server.uploads import Uploads

EXTENSION_IDS = ("tt_adapter", "studio")
"""Under which clients know this extension; the first is that of the original."""

MAX_TEXT_BYTES = 256 << 20

_SYSTEM_FILE = "system_desc.json"
_MAX_DOCUMENT_BYTES = 16 << 20


@dataclass(frozen=True)
class Command:
    """Body of ``POST /apipost/v1/send_command``; all fields are required."""

    cmd_id: str
    extension_id: str
    model_path: str
    settings: Mapping[str, Any]
    delete_after_conversion: bool

    @classmethod
    def read(cls, body: bytes) -> Command:
        """Raises `InvalidRequestError` for what is no command at all."""
        given = read_object(body)
        return cls(
            required(given, "cmdId", str),
            required(given, "extensionId", str),
            required(given, "modelPath", str),
            required(given, "settings", dict),
            required(given, "deleteAfterConversion", bool),
        )


class ModelExplorer:
    """What the front ends of Model Explorer ask of a server.

    Models are taken from ``roots``, and from the ``uploads``; runs are kept below ``folder``,
    which is made when something is put into it. Models are never opened here, but in processes
    of their own, by the ``guard`` and by runs, within the guard's limits.
    """

    def __init__(
        self,
        roots: Sequence[str | Path],
        folder: Path,
        guard: Guard,
        uploads: Uploads,
        *,
        max_running: int = MAX_RUNNING,
    ) -> None:
        self._guard = guard
        self._roots = [Path(root) for root in roots]
        self._folder, self._uploads = folder, uploads
        self._board = RunBoard(
            folder, max_running=max_running, limits=guard.limits, on_end=self._delete_ended
        )
        self._lock = threading.Lock()
        self._to_delete: set[Path] = set()
        self._commands: Mapping[str, Callable[[Command], Document | bytes]] = {
            "convert": self._convert,
            "initialize": self._initialize,
            "execute": self._execute,
            "status_check": self._status,
            "status-check": self._status,
            "preload": self._preload,
            "cancel": self._cancel,
        }

    def answer(self, command: Command) -> bytes:
        """The JSON that a command answers; an error of Studio's family becomes its ``error``."""
        try:
            answer = self._done(command)
        except StudioError as error:
            answer = {"graphs": [], "error": f"{type(error).__name__}: {error.message}"}
        return answer if isinstance(answer, bytes) else as_text(answer)

    def _done(self, command: Command) -> Document | bytes:
        if command.extension_id not in EXTENSION_IDS:
            raise NotFoundError(f"There is no extension '{command.extension_id}' here.")
        run = self._commands.get(command.cmd_id)
        if run is None:
            known = ", ".join(self._commands)
            raise InvalidRequestError(f"There is no command '{command.cmd_id}'. Known: {known}.")
        try:
            return run(command)
        finally:
            if command.delete_after_conversion:
                self._delete_upload(command.model_path)

    def page_data(self, text: str) -> Document:
        """What the front end's page needs to open a model, with the overlays of its last run.

        Raises as `resolve_under` does.
        """
        path = self.model(text)
        data: Document = {"models": [{"url": str(path), "adapterId": EXTENSION_IDS[0]}]}
        executed = self._board.executed(path) if path.is_file() else None
        if executed is not None and executed.overlay_paths:
            data["nodeData"] = [str(p) for p in executed.overlay_paths]
            data["nodeDataTargets"] = [path.name] * len(executed.overlay_paths)
        return data

    def stop(self) -> None:
        """End all runs."""
        self._board.stop()

    def extensions(self) -> list[Document]:
        """What ``GET /api/v1/get_extensions`` lists."""
        backend = "the toolchain" if is_available() else "the CPU"
        return [
            {
                "id": EXTENSION_IDS[0],
                "name": "Studio",
                "description": f"TTIR, TTNN, StableHLO and ONNX; runs on {backend}.",
                "source_repo": "",
                "fileExts": [suffix.removeprefix(".") for suffix in SUFFIXES],
                "type": "adapter",
                "enableExecution": True,
                "settings": {"optimizationPolicies": list(POLICIES), "supportsPreload": True},
            },
            {
                # The front end reads such files itself; this says that it may.
                "id": "builtin_json",
                "name": "JSON adapter",
                "description": "Graphs that were saved as JSON.",
                "source_repo": "",
                "fileExts": ["json"],
                "type": "adapter",
                "enableExecution": False,
                "settings": {"optimizationPolicies": [], "supportsPreload": False},
            },
        ]

    # Commands

    def _convert(self, command: Command) -> bytes:
        show_runs = command.settings.get("showExecution", True) is not False
        path = self.model(command.model_path)
        return converted_text(path, lambda model: self._graphs(model, show_runs))

    def _graphs(self, path: Path, show_runs: bool) -> list[bytes]:
        """The graphs of a file; if wanted, the one that was run last as it was executed."""
        graphs = self._guard.graphs(path)
        texts, ids = [text for _, text in graphs], [graph_id for graph_id, _ in graphs]
        executed = self._board.executed(path) if show_runs else None
        if executed is not None:
            place = ids.index(executed.graph_id) if executed.graph_id in ids else 0
            texts[place] = self._guard.executed(executed.path)
        return texts

    def _initialize(self, _command: Command) -> Document:
        folder = self._folder / "system"
        files.make_folder(folder)
        if is_available():
            path = system_description(folder)
        else:
            path = folder / _SYSTEM_FILE
            document = system_to_document(builtin_system())
            with self._lock:
                files.write_object(path, document, max_bytes=_MAX_DOCUMENT_BYTES, indent=2)
        return {"graphs": [{"system_desc_path": str(path)}]}

    def _execute(self, command: Command) -> Document:
        request = RunRequest.from_settings(command.settings)
        path = self.model(command.model_path)
        if path.suffix.lower() not in SUFFIXES:
            known = ", ".join(SUFFIXES)
            raise InvalidRequestError(f"{path.name} cannot be run. Models end in {known}.")
        self._board.start(path, request)
        return {"graphs": []}

    def _status(self, command: Command) -> Document:
        status = self._board.status(self.model(command.model_path, must_exist=False))
        return {"graphs": [_status_document(status)]}

    def _cancel(self, command: Command) -> Document:
        self._board.cancel(self.model(command.model_path, must_exist=False))
        return {"graphs": []}

    def _preload(self, _command: Command) -> Document:
        return {"graphs": [{"graphPaths": [str(path) for path in models_below(self._roots)]}]}

    # Files

    def read_text(self, path: str) -> str:
        """The text of a file below the roots, such as saved graphs or node data.

        Raises as `resolve_under` does, and for hidden files, which may hold secrets.
        """
        found = resolve_under([*self._roots, self._folder], path)
        if not self._is_own(found):
            refuse_hidden(self._roots, found)
        try:
            if found.stat().st_size > MAX_TEXT_BYTES:
                raise InvalidRequestError(f"{found.name} is too large to be shown.")
            return found.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise InvalidRequestError(f"{found.name} is no text.") from None
        except OSError as error:
            raise StorageError(f"{found.name} cannot be read ({error.strerror}).") from error

    def _is_own(self, path: Path) -> bool:
        """Whether it is an upload, or an overlay of a run."""
        folder = self._folder.resolve()
        if not path.is_relative_to(folder):
            return False
        parts = path.relative_to(folder).parts
        return parts[0] == "uploads" or (parts[0] == "runs" and parts[-1].endswith("_data.json"))

    def upload(self, name: str, data: bytes) -> Path:
        """Keep an uploaded file; raises as `Uploads.keep` does."""
        return self._uploads.keep(name, data)

    def _delete_ended(self, path: Path) -> None:
        """A run is over: delete its model if that waited for it."""
        with self._lock:
            waited = path in self._to_delete
            self._to_delete.discard(path)
        if waited:
            path.unlink(missing_ok=True)

    def _delete_upload(self, text: str) -> None:
        """Delete a file that was uploaded here, and nothing else; while it is run, thereafter."""
        try:
            path = self.model(text, must_exist=False)
        except StudioError:
            return
        if self._uploads.is_own(path):
            with self._lock:
                self._to_delete.add(path)
            if not self._board.is_running(path):
                self._delete_ended(path)

    def model(self, text: str, *, must_exist: bool = True) -> Path:
        """The path of a model below the roots, or of an upload; errors as in `resolve_under`."""
        if text.startswith(SAMPLE):
            return sample_path(text.removeprefix(SAMPLE))
        roots = [*self._roots, self._uploads.folder]
        try:
            return resolve_under(roots, text)
        except NotFoundError:
            # It lies inside the roots, or it would be forbidden.
            if must_exist:
                raise
            return (Path(*roots[:1]) / Path(text).expanduser()).resolve()


def _status_document(status: RunStatus | None) -> Document:
    """Keys and units of the contract, and what more we know; ``timeElapsed`` is seconds."""
    if status is None:
        idle = {"isDone": True, "progress": 0, "total": 100, "timeElapsed": 0}
        return {
            **idle,
            "currentStatus": "This model was not run yet.",
            "stdout": "",
            "log_file": "",
        }
    document: Document = {
        "isDone": status.state.is_over,
        "progress": status.progress,
        "total": 100,
        "timeElapsed": round(status.elapsed_seconds, 3),
        "currentStatus": status.message,
        "stdout": status.log,
        "log_file": str(status.log_path),
        "runId": status.id,
        "state": status.state.value,
        "backend": status.backend,
        "findings": list(status.findings),
        "applied": list(status.applied),
    }
    if status.error is not None:
        document["error"] = f"{status.error_kind}: {status.error}"
    elif status.state.value == "cancelled":
        document["error"] = "The run was cancelled."
    return document
