"""Plans that a project keeps: ``project:NAME`` as MODEL, and the plan by its name."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from studio_cli.analyses import read_analysis
from studio_cli.models import PROJECT, open_workbench
from studio_cli.verified import read_calibration
from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.projects.names import split_version

if TYPE_CHECKING:
    from studio_core.plan_runs.project_plans import ProjectPlans
    from studio_core.plan_runs.saved_plan import SavedPlan
    from studio_core.plans import Planner
    from studio_core.plans.calibration import Calibration
    from studio_core.sensitivity import Analysis
    from studio_core.session import Session
    from studio_core.workbench import Workbench


class PlanPlace(NamedTuple):
    """A saved version of a plan, and where it is kept."""

    plans: ProjectPlans
    project_id: str
    saved: SavedPlan


def add_plan_source(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """``--plan``: a file, or the name of a plan of the project."""
    parser.add_argument(
        "--plan",
        metavar="PLAN",
        type=Path,
        required=required,
        help="a file of `studio plan -o`; with project:NAME as MODEL also the name of a saved "
        "plan, NAME@2 for its second version",
    )


def find_plan(args: argparse.Namespace) -> PlanPlace | None:
    """The saved plan that ``--plan`` names; None where it is a file, or no project is given.

    A file of that name comes first.
    """
    text = str(args.plan)
    if args.plan is None or not args.model.startswith(PROJECT) or args.plan.is_file():
        return None
    if not _is_name(args.plan):
        return None  # a path, and there is no file
    workbench, project_id = find_place(args)
    try:
        saved = workbench.plans.get(project_id, *split_version(text))
    except NotFoundError as error:
        raise NotFoundError(f"{error} `studio plans {args.model}` lists them.") from None
    return PlanPlace(workbench.plans, project_id, saved)


def read_named_analysis(
    session: Session, args: argparse.Namespace, given: Path, kind: str = "loss"
) -> Analysis:
    """The analysis in a file or, where MODEL is a project and there is no file, of that name."""
    if given.is_file() or not args.model.startswith(PROJECT) or not _is_name(given):
        return read_analysis(session, given, kind)
    workbench, project_id = find_place(args)
    return workbench.analysis(project_id, kind, str(given))


def verified_calibration(args: argparse.Namespace, planner: Planner) -> Calibration:
    """What --verified files teach or, without any, the verified plans of the project."""
    if args.verified or not args.model.startswith(PROJECT):
        return read_calibration(args.verified, planner)
    from studio_core.plan_runs.removal import Removal
    from studio_core.plan_runs.solving import calibration_of

    workbench, project_id = find_place(args)
    removal = Removal.from_document(getattr(args, "granularity", None))
    return calibration_of(planner, workbench.plans.proven(project_id, removal))


def _is_name(path: Path) -> bool:
    return path.name == str(path) and path.suffix != ".json"


def find_place(args: argparse.Namespace) -> tuple[Workbench, str]:
    """The project that MODEL names."""
    if not args.model.startswith(PROJECT):
        raise InvalidRequestError(
            f"Plans are saved in projects; give one as MODEL: {PROJECT}NAME. `studio create` "
            "makes one."
        )
    workbench = open_workbench(args)
    return workbench, workbench.find_project(args.model.removeprefix(PROJECT)).id
