"""Projects on disk: one folder a project, safe for several writers and against crashes."""

from studio_core.projects.paths import default_project_root, resolve_under
from studio_core.projects.project import ModelFile, Project
from studio_core.projects.store import ProjectStore

__all__ = ["ModelFile", "Project", "ProjectStore", "default_project_root", "resolve_under"]
