"""``studio projects``: the projects there are, damaged ones with what is wrong."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio_cli import text
from studio_cli.arguments import Commands, add_command, add_json, add_project_root
from studio_cli.models import open_workbench, project_root
from studio_cli.output import Column, print_json, print_lines, print_table
from studio_core.documents import project_document

if TYPE_CHECKING:
    from studio_core.projects import Project

_DESCRIPTION = """\
List the projects: models that were put aside together with their settings and analyses.
Their names or ids can stand for a model in every other command, as project:NAME. A project
that is damaged is listed with its fault.
"""

_EXAMPLES = """\
  studio projects
  studio projects --project-root ~/work/pruning --json
  studio layers project:my-resnet
"""

_COLUMNS = (
    Column("project", wraps=True),
    Column("id"),
    Column("model", wraps=True),
    Column("size", is_number=True),
    Column("changed"),
    Column("fault", wraps=True),
)


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "projects",
        summary="list the projects",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        run=run,
    )
    add_project_root(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    projects = _projects(args)
    if args.json:
        print_json({"projects": [project_document(project) for project in projects]})
    elif projects:
        print_table(_COLUMNS, [_row(project) for project in projects])
    else:
        print_lines(f"No projects in {project_root(args)}. `studio create MODEL` makes one.")


def _projects(args: argparse.Namespace) -> Sequence[Project]:
    # The default root is made with the first project; until then there simply are none.
    if args.project_root is None and not project_root(args).exists():
        return ()
    return open_workbench(args).projects()


def _row(project: Project) -> tuple[str, ...]:
    model = project.model
    return (
        project.name,
        project.id,
        text.UNKNOWN if model is None else model.file.rpartition("/")[2],
        text.size(None if model is None else model.size),
        project.updated_at[:16].replace("T", " ") or text.UNKNOWN,
        project.fault or "",
    )
