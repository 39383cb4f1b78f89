"""What `report` and `findings` are about: a model with what is known of it, or a module."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from studio_cli.arguments import add_model
from studio_cli.models import PROJECT, open_session
from studio_cli.plans import read_plan
from studio_cli.progress import progress
from studio_cli.saved_plans import add_plan_source, find_place, find_plan, read_named_analysis
from studio_core.errors import NotFoundError

if TYPE_CHECKING:
    from studio_core.insight import Subject
    from studio_core.plan_runs.saved_plan import SavedPlan
    from studio_core.plans import PruningPlan
    from studio_core.sensitivity import Analysis
    from studio_core.session import Session

MODULE_SUFFIXES = (".mlir", ".ttir", ".ttnn")

SUBJECT_HELP = """\
MODEL may also be a module: a file that ends in .mlir, .ttir or .ttnn. Of a project the most
recent analyses and plan are taken unless others are named.
"""


def add_subject(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_plan_source(parser, required=False)
    for name, made_by in (("analysis", "sweep"), ("perf", "bench")):
        parser.add_argument(
            f"--{name}",
            metavar="FILE",
            type=Path,
            help=f"a file of `studio {made_by} -o`; with project:NAME also the name of a saved one",
        )
    parser.add_argument(
        "--run", action="store_true", dest="execute", help="run a module on this machine first"
    )


def is_module(text: str) -> bool:
    return Path(text).suffix.lower() in MODULE_SUFFIXES


def open_subject(args: argparse.Namespace) -> Subject:
    """What MODEL names."""
    return _module(args) if is_module(args.model) else _model(args)


def _module(args: argparse.Namespace) -> Subject:
    """The module, run if that is asked for."""
    if args.plan is not None or args.analysis is not None or args.perf is not None:
        args.command.error("--plan, --analysis and --perf are for models, not for modules")
    from studio_core.explorer.exploration import open_exploration
    from studio_core.insight import ModuleSubject

    path = Path(args.model)
    if not path.exists():
        raise NotFoundError(f"Path {args.model} does not exist.")
    exploration = open_exploration(path)
    if args.execute:
        with progress("running") as report:
            for step in exploration.run():
                report(round(100 * step.fraction), 100, step.message)
    return ModuleSubject(exploration)


def _model(args: argparse.Namespace) -> Subject:
    """The model with what was named, or with what its project has."""
    if args.execute:
        args.command.error("--run is for modules; `studio verify` runs a plan of a model")
    from studio_core.insight import ModelSubject

    session = open_session(args)
    return ModelSubject(
        session,
        _analysis(session, args, args.analysis, "loss"),
        _analysis(session, args, args.perf, "perf"),
        _plan(session, args),
    )


def _analysis(
    session: Session, args: argparse.Namespace, given: Path | None, kind: str
) -> Analysis | None:
    if given is not None:
        return read_named_analysis(session, args, given, kind)
    if not args.model.startswith(PROJECT):
        return None
    workbench, project_id = find_place(args)
    return workbench.insight.analysis(project_id, kind)


def _plan(session: Session, args: argparse.Namespace) -> PruningPlan | SavedPlan | None:
    if args.plan is not None:
        place = find_plan(args)
        return place.saved if place is not None else read_plan(session, args.plan)
    if not args.model.startswith(PROJECT):
        return None
    workbench, project_id = find_place(args)
    return workbench.insight.plan(project_id)
