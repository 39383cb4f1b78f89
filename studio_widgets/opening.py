"""The front doors: the workbench of a file, a project, a bundled or an opened model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio_core.errors import InvalidRequestError
from studio_core.models.model import Model
from studio_core.projects import Project, default_project_root
from studio_core.samples import sample_path
from studio_core.session import Session
from studio_core.workbench import Workbench
from studio_widgets._repeating import opening_code
from studio_widgets.project_bar import known_projects
from studio_widgets.workbench import WorkbenchView


def open_workbench(source: Any, *, project_root: str | Path | None = None) -> WorkbenchView:
    """Show the workbench of a model: the path of an ONNX file, a project (also by its name
    or id), or an opened model.

    ``project_root`` is the folder with the projects, by default ``~/studio-projects``.
    Raises one of ``studio_core.errors`` where the model cannot be read.
    """
    workbench = Workbench(project_root or default_project_root())
    if isinstance(source, Model):
        return WorkbenchView(workbench, Session(source))
    if isinstance(source, Session):
        return WorkbenchView(workbench, source)
    project = _project(workbench, source)
    if project is not None:
        opened_by = opening_code("open", project.id, workbench)
        session = workbench.session(project.id)
        return WorkbenchView(workbench, session, project, opened_by=opened_by)
    if not isinstance(source, str | Path):
        raise InvalidRequestError(
            f"A model or project is wanted here, not {type(source).__name__}; give the path "
            "of an ONNX file or the name of a project."
        )
    opened_by = opening_code("open", str(source), workbench)
    return WorkbenchView(workbench, Session.open(source), opened_by=opened_by)


def open_sample(name: str, *, project_root: str | Path | None = None) -> WorkbenchView:
    """Show the workbench of a bundled model; `studio_core.samples.sample_names` lists them."""
    workbench = Workbench(project_root or default_project_root())
    opened_by = opening_code("open_sample", name, workbench)
    return WorkbenchView(workbench, Session.open(sample_path(name)), opened_by=opened_by)


def _project(workbench: Workbench, source: Any) -> Project | None:
    """The project that ``source`` is or names; None if it is the path of a file."""
    if isinstance(source, Project):
        return source
    if not isinstance(source, str) or Path(source).expanduser().exists():
        return None
    is_project = any(source in (p.id, p.name) for p in known_projects(workbench))
    return workbench.find_project(source) if is_project else None
