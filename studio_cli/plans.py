"""Making a plan from the options of the command line, for `plan` and `export`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from studio_cli.arguments import fraction, lock
from studio_cli.json_files import read_object
from studio_cli.layer_names import find_locks

if TYPE_CHECKING:
    from studio_core.plans import Planner, PruningPlan
    from studio_core.session import Session

PLAN_OPTIONS = ("balance", "max_sparsity", "lock")
"""Options that shape a plan made here; they are None where they were not given."""


def add_plan_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--balance",
        metavar="B",
        type=fraction,
        help="1: spare the layers that mind most; 0: prune where most work is (default: 1)",
    )
    parser.add_argument(
        "--max-sparsity",
        metavar="S",
        type=fraction,
        help="no layer gets more than this unless it is locked (default: 0.95)",
    )
    parser.add_argument(
        "--lock",
        metavar="LAYER=S",
        type=lock,
        action="append",
        help="fix the sparsity of a layer, by its id or its weight's name (repeatable)",
    )


def make_plan(
    session: Session, args: argparse.Namespace, planner: Planner | None = None
) -> PruningPlan:
    """The plan for an average sparsity of ``args.sparsity``; by the estimates, or ``planner``."""
    return (planner or session.planner).distribute(
        args.sparsity,
        balance=1.0 if args.balance is None else args.balance,
        max_sparsity=0.95 if args.max_sparsity is None else args.max_sparsity,
        locked=find_locks(session.layers, args.lock or ()),
    )


def read_plan(session: Session, path: Path) -> PruningPlan:
    """The plan in a JSON file, fitted to the model: each layer must be one of its own.

    Layers may be named by id or weight, so that a plan can be written by hand.
    """
    from studio_core.plan_runs.fitting import fitted_plan

    document = read_object(path, "a plan", "studio plan MODEL --sparsity 0.8")
    return fitted_plan(session.layers, document, str(path))
