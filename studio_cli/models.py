"""From MODEL on the command line to an opened model: a path, a sample or a project."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from studio_cli.output import note
from studio_core.errors import NotFoundError, StorageError

if TYPE_CHECKING:
    from studio_core.session import Session
    from studio_core.workbench import Workbench

SAMPLE, PROJECT = "sample:", "project:"


def open_session(args: argparse.Namespace) -> Session:
    """The model that ``args.model`` names, with the sizes that ``--dimension`` gives."""
    from studio_core.session import Session

    return Session.open(find_model(args), dimensions=dict(args.dimension))


def find_model(args: argparse.Namespace) -> Path:
    """The ONNX file that ``args.model`` names."""
    text: str = args.model
    if text.startswith(SAMPLE):
        from studio_core.samples import sample_path

        return sample_path(text.removeprefix(SAMPLE))
    if text.startswith(PROJECT):
        return _project_model(open_workbench(args), text.removeprefix(PROJECT))
    path = Path(text)
    if not path.exists():
        raise NotFoundError(f"Path {text} does not exist.{_suggestion(text)}")
    return path


def open_workbench(args: argparse.Namespace) -> Workbench:
    """The projects below ``--project-root``."""
    from studio_core.workbench import Workbench

    return Workbench(project_root(args))


def project_root(args: argparse.Namespace) -> Path:
    from studio_core.projects import default_project_root

    given: Path | None = args.project_root
    return (given or default_project_root()).expanduser()


def _project_model(workbench: Workbench, name_or_id: str) -> Path:
    project = workbench.find_project(name_or_id)
    if project.model_path is None:
        raise StorageError(f"Project '{name_or_id}' cannot be opened: {project.fault}")
    if project.fault:
        note(f"project '{name_or_id}': {project.fault}")
    return project.model_path


def _suggestion(text: str) -> str:
    """People leave the prefix of a sample out."""
    from studio_core.samples import sample_names

    return f" Did you mean {SAMPLE}{text}?" if text in sample_names() else ""
