"""Runs on disk, below a folder that servers and notebooks may share.

    runs/<time>-<id>/
    ├── run.json        what was asked and how it ended; its server writes it
    ├── progress.json   how far it is; the worker writes it
    ├── findings.json   what was told before the run, and what was applied after it
    ├── graph.json      the executed graph, as Model Explorer reads it
    ├── perf_data.json, accuracy_data.json   its overlays alone, as the page loads node data
    ├── log.txt         what the worker and its tools printed
    └── artifacts/      files of the compiler, where it was used

Nothing of an earlier run is changed by a later one.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

from studio_core.errors import NotFoundError, StorageError
from studio_core.projects import files
from studio_core.runs.records import Document, FileMark, RunProgress, RunRecord

RECORD, PROGRESS, FINDINGS, GRAPH, LOG = (
    "run.json", "progress.json", "findings.json", "graph.json", "log.txt",
)  # fmt: skip
ARTIFACTS = "artifacts"
OVERLAY = "_data.json"
"""The end of the names of overlays, with which every kind of them ends."""

MAX_DOCUMENT_BYTES = 64 << 20
LOG_BYTES_SHOWN = 256 << 10


def new_folder(runs: Path) -> Path:
    """The folder of a run to be; its name is the run's id, and sorts by time."""
    folder = runs / f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid4().hex[:12]}"
    files.make_folder(runs.parent)
    files.make_folder(runs)
    files.make_folder(folder)
    return folder


def write_record(folder: Path, record: RunRecord) -> None:
    files.write_object(folder / RECORD, record.to_document(), max_bytes=MAX_DOCUMENT_BYTES)


def read_record(folder: Path) -> RunRecord | None:
    """The record in a folder; None where none was ever written."""
    document = files.read_object(folder / RECORD, max_bytes=MAX_DOCUMENT_BYTES)
    return None if document is None else RunRecord.from_document(document)


def write_progress(folder: Path, progress: RunProgress) -> None:
    files.write_object(folder / PROGRESS, asdict(progress), max_bytes=MAX_DOCUMENT_BYTES)


def read_progress(folder: Path) -> RunProgress:
    document = files.read_object(folder / PROGRESS, max_bytes=MAX_DOCUMENT_BYTES)
    try:
        return RunProgress(**(document or {}))
    except TypeError as error:
        raise StorageError(f"The progress of the run {folder.name} is damaged.") from error


def write_findings(folder: Path, findings: list[Document], applied: list[Document]) -> None:
    document = {"findings": findings, "applied": applied}
    files.write_object(folder / FINDINGS, document, max_bytes=MAX_DOCUMENT_BYTES)


def read_findings(folder: Path) -> tuple[tuple[Document, ...], tuple[Document, ...]]:
    document = files.read_object(folder / FINDINGS, max_bytes=MAX_DOCUMENT_BYTES) or {}
    return tuple(document.get("findings", ())), tuple(document.get("applied", ()))


def write_graph(folder: Path, graph: Document) -> None:
    """Write the executed graph, and its overlays each by itself."""
    for kind, overlay in graph.get("overlays", {}).items():
        _write(folder / f"{kind}.json", overlay)
    _write(folder / GRAPH, graph)


def overlay_paths(folder: Path) -> tuple[Path, ...]:
    """Where the overlays of an executed graph are; the last is the performance, and is shown."""
    try:
        return tuple(sorted(folder.glob(f"*{OVERLAY}")))
    except OSError as error:
        raise StorageError(f"The run {folder.name} cannot be read ({error.strerror}).") from error


def _write(path: Path, document: Document) -> None:
    files.write_atomically(path, json.dumps(document, allow_nan=False).encode("ascii"))


def graph_path(folder: Path) -> Path:
    """Where the executed graph is, which `executed_text` reads."""
    return folder / GRAPH


def begin_log(folder: Path, model_path: Path) -> None:
    """Write the first words of the log, which the original runner says too."""
    text = f"Executing model...\nPath: {model_path}\n"
    files.write_atomically(folder / LOG, text.encode("utf-8", "backslashreplace"))


def append_log(folder: Path, text: str) -> None:
    try:
        with (folder / LOG).open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"{text}\n")
    except OSError as error:
        raise StorageError(f"The log of the run {folder.name} cannot be written.") from error


def read_log(folder: Path) -> str:
    """The text of the log; of a long one the end. Nothing is taken out of it by reading."""
    try:
        with (folder / LOG).open("rb") as log:
            size = log.seek(0, 2)
            log.seek(max(0, size - LOG_BYTES_SHOWN))
            text = log.read(LOG_BYTES_SHOWN).decode("utf-8", "replace")
    except OSError:
        return ""
    return text if size <= LOG_BYTES_SHOWN else f"… (the whole is in {folder / LOG})\n{text}"


def mark_of(path: Path) -> FileMark:
    """Which content a file has now. Raises `NotFoundError`, `StorageError`."""
    try:
        stat = path.stat()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise NotFoundError(f"There is no file {path}.") from None
    except OSError as error:
        raise StorageError(f"{path} cannot be read ({error.strerror}).") from error
    return FileMark(stat.st_size, stat.st_mtime_ns, digest)


def is_unchanged(path: Path, mark: FileMark) -> bool:
    """Whether the file still has the content that was run."""
    try:
        stat = path.stat()
    except OSError:
        return False
    if (stat.st_size, stat.st_mtime_ns) == (mark.size, mark.modified_ns):
        return True
    return stat.st_size == mark.size and mark_of(path).sha256 == mark.sha256
