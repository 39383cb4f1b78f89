"""Measured analyses as files: read for a model, and kept while a sweep goes on."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio_cli.json_files import read_object
from studio_cli.output import note, to_json
from studio_core.errors import InvalidRequestError

if TYPE_CHECKING:
    from studio_core.analysis_runs import RunProgress
    from studio_core.sensitivity import Analysis
    from studio_core.session import Session
    from studio_core.workbench import Workbench

_SAVE_SECONDS = 5.0
"""How much a crash may cost."""


_COMMANDS = {"loss": "studio sweep MODEL", "perf": "studio bench MODEL"}


def read_analysis(session: Session, path: Path, kind: str = "loss") -> Analysis:
    """The analysis of a kind in a JSON file; one of its layers at least must be the model's.

    One that was measured on another file of the model is used and said.
    """
    from studio_core.sensitivity.documents import from_document

    command = _COMMANDS[kind]
    document = read_object(path, "an analysis", command)
    if document.get("kind", kind) != kind:
        raise InvalidRequestError(f"{path} is no {kind} analysis. `{command} -o` makes one.")
    try:
        analysis = from_document(kind, path.stem, document)
    except InvalidRequestError as error:
        raise InvalidRequestError(f"{path} is not an analysis: {error}") from None
    if not {layer.id for layer in session.prunable_layers} & set(analysis.layer_ids):
        raise InvalidRequestError(f"{path} does not fit this model: it has none of its layers.")
    measured_on = analysis.provenance.get("modelSha256")
    if measured_on is not None and measured_on != session.model.sha256():
        what = "losses" if kind == "loss" else "times"
        note(f"{path} was measured on another file than this model; its {what} may differ here.")
    return analysis


def progress_document(progress: RunProgress) -> dict[str, Any]:
    """What a sweep knows so far; ``complete`` says whether that is all."""
    from studio_core.sensitivity.documents import to_document

    is_complete = progress.done >= progress.total
    return {**to_document(progress.analysis()), "complete": is_complete}


class AnalysisFile:
    """The file that a sweep is kept in while it runs, and whole at any moment."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._saved_at = -_SAVE_SECONDS

    def keep(self, progress: RunProgress) -> None:
        """Save, if the last time is long enough ago; at first at once, while little is lost
        where that is not possible."""
        if time.monotonic() - self._saved_at >= _SAVE_SECONDS:
            self.save(progress)

    def save(self, progress: RunProgress) -> None:
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            beside.write_text(to_json(progress_document(progress)) + "\n", encoding="utf-8")
            beside.replace(self.path)
        finally:
            beside.unlink(missing_ok=True)
        self._saved_at = time.monotonic()


class ProjectAnalysis:
    """The analysis of a project that a measurement is kept in while it runs."""

    def __init__(self, workbench: Workbench, project_id: str, name: str) -> None:
        from studio_core.projects.names import check_analysis_name

        check_analysis_name(name)
        self.name = name
        self._workbench, self._project_id = workbench, project_id
        self._saved_at = -_SAVE_SECONDS

    def keep(self, progress: RunProgress) -> None:
        """Save, if the last time is long enough ago and there is something."""
        if progress.done and time.monotonic() - self._saved_at >= _SAVE_SECONDS:
            self.save(progress)

    def save(self, progress: RunProgress) -> None:
        kind = progress.analysis().kind
        self._workbench.keep_progress(self._project_id, kind, self.name, progress)
        self._saved_at = time.monotonic()
