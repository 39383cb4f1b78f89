"""``studio plans project:NAME``: the plans that a project keeps, with their history and notes."""

from __future__ import annotations

import argparse
from typing import Any

from studio_cli import text
from studio_cli.arguments import Commands, add_command, add_json, add_project_root
from studio_cli.output import Column, print_json, print_lines, print_table
from studio_cli.saved_plans import find_place
from studio_core.projects.names import split_version

_DESCRIPTION = """\
List the plans of a project, the last changed first; with a name all versions of that plan, the
oldest first. Every save under a name is a version; --plan NAME of the other commands takes the
last, NAME@1 the first.
"""

_EXAMPLES = """\
  studio plans project:digits
  studio plans project:digits mild
  studio plans project:digits mild@2 --note "good enough"
  studio verify project:digits --plan mild
"""

_COLUMNS = (
    Column("plan", wraps=True),
    Column("version", is_number=True),
    Column("saved"),
    Column("sparsity", is_number=True),
    Column("predicted", is_number=True),
    Column("actual", is_number=True),
    Column("accuracy", is_number=True),
    Column("note", wraps=True),
)


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "plans",
        summary="list the plans of a project",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        run=run,
    )
    parser.add_argument("model", metavar="PROJECT", help="project:NAME_OR_ID")
    parser.add_argument(
        "name", metavar="PLAN", nargs="?", help="all versions of this plan; NAME@2 names its second"
    )
    change = parser.add_argument_group("changes of PLAN")
    change.add_argument("--note", metavar="TEXT", help="write another note beside that version")
    change.add_argument("--delete", action="store_true", help="remove it with all its versions")
    add_project_root(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    _check_usage(args)
    workbench, project_id = find_place(args)
    plans = workbench.plans
    name, version = (None, None) if args.name is None else split_version(args.name)
    if name is None:
        found = plans.summaries(project_id)
    elif args.delete:
        plans.delete(project_id, name)
        print_lines(f"Plan '{name}' is gone.")
        return
    else:
        if args.note is not None:
            plans.annotate(project_id, name, args.note, version)
        found = plans.history(project_id, name)
    if args.json:
        print_json({"plans" if args.name is None else "versions": found})
    elif found:
        print_table(_COLUMNS, list(map(_row, found)))
    else:
        print_lines(
            f"No plans yet. `studio plan {args.model} --sparsity 0.8 --save NAME` keeps one."
        )


def _check_usage(args: argparse.Namespace) -> None:
    if args.name is None and (args.note is not None or args.delete):
        args.command.error("--note and --delete need the name of a plan")
    if args.delete and args.note is not None:
        args.command.error("give --note or --delete, not both")


def _row(plan: dict[str, Any]) -> tuple[str, ...]:
    if plan["fault"] is not None:
        return (plan["name"], str(plan["version"]), *[text.UNKNOWN] * 5, plan["fault"])
    predicted, verified = plan["predicted"], plan["verified"]
    loss = None if verified is None else verified["loss"]
    accuracy = None if verified is None else verified["accuracy"]
    return (
        plan["name"],
        str(plan["version"]),
        plan["createdAt"][:16].replace("T", " "),
        text.percent(plan["estimate"]["sparsity"]),
        text.with_error(predicted["value"], predicted["standardError"]),
        text.UNKNOWN if loss is None else text.with_error(loss["mean"], loss["standardError"]),
        text.UNKNOWN if accuracy is None else f"{accuracy['dense']:.2%} → {accuracy['pruned']:.2%}",
        plan["note"],
    )
