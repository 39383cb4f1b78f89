"""``studio create MODEL``: a project, with a copy of the model in it."""

from __future__ import annotations

import argparse

from studio_cli.arguments import Commands, add_command, add_json, add_project_root
from studio_cli.models import find_model, open_workbench
from studio_cli.output import print_json, print_lines
from studio_core.documents import project_document

_DESCRIPTION = """\
Make a project: a folder with a copy of the model (and of its external data), where settings,
analyses and plans are kept. The original file is only read. The notebook and the server find
the project when they use the same project root.
"""

_EXAMPLES = """\
  studio create model.onnx
  studio create sample:digits_cnn --name digits
  studio layers project:digits
"""


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "create",
        summary="make a project from a model",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        run=run,
    )
    parser.add_argument("model", metavar="MODEL", help="a path, sample:NAME or project:NAME_OR_ID")
    parser.add_argument("--name", help="the project's name (default: the file's)")
    add_project_root(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    model = find_model(args)
    config = {} if args.name is None else {"projectName": args.name}
    project = open_workbench(args).create_project(model, config)
    if args.json:
        document = project_document(project)
        ids = {"projectId": project.id, "projectName": project.name}
        print_json({**ids, "project": document})
        return
    print_lines(
        f"Created project '{project.name}' ({project.id}) in {project.folder}.",
        f"Look into it with: studio layers project:{project.id}",
    )
