"""``studio export MODEL``: a plan as a training recipe, as JSON or as CSV."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio_cli.arguments import (
    Commands,
    add_command,
    add_model,
    add_output,
    fraction,
    fractions,
    number,
)
from studio_cli.models import open_session
from studio_cli.output import to_json, write_document
from studio_cli.plans import PLAN_OPTIONS, add_plan_options, make_plan, read_plan
from studio_core.documents import plan_document

if TYPE_CHECKING:
    from studio_core.plans import PruningPlan
    from studio_core.session import Session

_DESCRIPTION = """\
Write a plan for other programs: a recipe is the YAML that SparseML trains by; JSON and CSV
list the sparsity of each layer. The plan comes from a file (--plan), is made here
(--sparsity, options as in `studio plan`), or follows one of the original Studio's profiles
(--profile), which never prune the first layer: uniform gives every other layer the lowest of
--sparsities; loss, performance and balanced spare one more and split the rest evenly over
--sparsities, the layer that minds most or saves least first.
"""

_EXAMPLES = """\
  studio export model.onnx --plan plan.json -o recipe.yaml
  studio export model.onnx --sparsity 0.8 --epochs 60 --init-lr 0.05
  studio export model.onnx --profile balanced --sparsities 0.7,0.8,0.9
  studio export model.onnx --plan plan.json --format csv -o plan.csv
"""

# Options of the recipe's schedule: their names here and in the core.
_SCHEDULE = {
    "epochs": "training_epochs",
    "init_lr": "init_training_lr",
    "final_lr": "final_training_lr",
    "update_frequency": "pruning_update_frequency",
}


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "export",
        summary="write a plan as a recipe, JSON or CSV",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        run=run,
    )
    add_model(parser)
    _add_source(parser)
    add_plan_options(parser)
    parser.add_argument("--format", choices=("recipe", "json", "csv"), default="recipe")
    _add_schedule(parser)
    add_output(parser, "where to write it (default: standard output)")


def _add_source(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--plan", metavar="FILE", type=Path, help="a plan from `studio plan -o`")
    source.add_argument(
        "--sparsity", metavar="S", type=fraction, help="make a plan for this average sparsity"
    )
    source.add_argument(
        "--profile",
        choices=("uniform", "loss", "performance", "balanced"),
        help="distribute --sparsities by a profile",
    )
    parser.add_argument(
        "--sparsities", metavar="S,S,…", type=fractions, help="for --profile, such as 0.7,0.8,0.9"
    )


def _add_schedule(parser: argparse.ArgumentParser) -> None:
    schedule = parser.add_argument_group("schedule of a recipe")
    schedule.add_argument("--epochs", metavar="N", type=int, help="epochs (default: 100)")
    schedule.add_argument(
        "--init-lr", metavar="LR", type=number, help="learning rate at the start (default: 0.1)"
    )
    schedule.add_argument(
        "--final-lr", metavar="LR", type=number, help="learning rate at the end (default: 0.001)"
    )
    schedule.add_argument(
        "--update-frequency",
        metavar="EPOCHS",
        type=number,
        help="epochs between two steps of pruning (default: 1)",
    )


def run(args: argparse.Namespace) -> None:
    _check_usage(args)
    session = open_session(args)
    text = _profile_text(session, args) if args.profile else _plan_text(session, args)
    model = session.model
    write_document(text, args.output, (model.path, *model.data_files))


def _check_usage(args: argparse.Namespace) -> None:
    """End with exit code 2 where an option would be passed over."""
    if bool(args.profile) != bool(args.sparsities):
        args.command.error("--profile and --sparsities go together")
    given = [name for name in PLAN_OPTIONS if getattr(args, name) is not None]
    if given and args.sparsity is None:
        args.command.error(f"{_options(given)} can only be used with --sparsity")
    given = [name for name in _SCHEDULE if getattr(args, name) is not None]
    if given and args.format != "recipe":
        args.command.error(f"{_options(given)} can only be used with --format recipe")


def _options(names: list[str]) -> str:
    return ", ".join(f"--{name.replace('_', '-')}" for name in names)


def _schedule(args: argparse.Namespace) -> dict[str, Any]:
    given = {field: getattr(args, name) for name, field in _SCHEDULE.items()}
    return {field: value for field, value in given.items() if value is not None}


def _plan_text(session: Session, args: argparse.Namespace) -> str:
    plan = read_plan(session, args.plan) if args.plan else make_plan(session, args)
    if args.format == "recipe":
        return plan.to_recipe(**_schedule(args))
    return _document_text(session, plan, args.format)


def _profile_text(session: Session, args: argparse.Namespace) -> str:
    from studio_core.plans import PruningPlan, recipe_text
    from studio_core.plans.profiles import ExportSettings, sparsities_by_weight

    settings = ExportSettings.from_fields(
        {
            "sparsities": list(args.sparsities),
            "pruning_profile": args.profile,
            **_schedule(args),
        }
    )
    by_name = sparsities_by_weight(settings, session.layers, session.loss, session.perf)
    if args.format == "recipe":
        return recipe_text(by_name, settings.schedule)
    chosen = [layer for layer in session.prunable_layers if layer.name in by_name]
    plan = PruningPlan(
        {layer.id: by_name[layer.name] for layer in chosen},
        weight_names={layer.id: layer.name for layer in chosen},
    )
    return _document_text(session, plan, args.format)


def _document_text(session: Session, plan: PruningPlan, kind: str) -> str:
    if kind == "csv":
        from studio_cli.plan_table import to_csv

        return to_csv(session.prunable_layers, plan)
    return to_json(plan_document(plan, session.planner.estimate(plan)))
