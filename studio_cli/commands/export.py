"""``studio export MODEL``: a plan as a training recipe, as code, as masks, JSON or CSV."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio_cli.arguments import (
    Commands,
    add_command,
    add_model,
    add_output,
    fraction,
    fractions,
    not_negative,
    number,
)
from studio_cli.models import open_session
from studio_cli.output import note, to_json, write_bytes, write_document
from studio_cli.patterns import Patterned, add_n_of_m, removed, with_pattern
from studio_cli.plans import PLAN_OPTIONS, add_plan_options, make_plan, read_plan
from studio_cli.saved_plans import find_plan
from studio_cli.state_dicts import read_state_dict
from studio_core.documents import plan_document

if TYPE_CHECKING:
    from studio_core.plans import PruningPlan
    from studio_core.plans.profiles import ExportSettings
    from studio_core.session import Session

_DESCRIPTION = """\
Write a plan for other programs. --format recipe is the YAML that SparseML trains by,
llm-compressor that of llm-compressor; pytorch is Python code that prunes a module with
torch.nn.utils.prune; npz and safetensors hold the masks (True = kept), without pickle; JSON
and CSV list the sparsity of each layer. The plan comes from a file (--plan), is made here
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
  studio export model.onnx --plan plan.json --format npz -o masks.npz --n-of-m 2:4
  studio export model.onnx --plan plan.json --format pytorch --masks-file masks.npz
"""

# Options of the recipe's schedule: their names here and in the core.
_SCHEDULE = {
    "epochs": "training_epochs",
    "init_lr": "init_training_lr",
    "final_lr": "final_training_lr",
    "update_frequency": "pruning_update_frequency",
}


_TABLES = ("json", "csv")
_MASKS = ("npz", "safetensors")
_FORMATS = ("recipe", "llm-compressor", "pytorch", *_MASKS, *_TABLES)

# Options that only one format has: their names here and in the core.
_OPTIONS = {
    "recipe": _SCHEDULE,
    "llm-compressor": {name: name for name in ("init_sparsity", "start", "end", "update")},
    "pytorch": {"masks_file": "masks_file"},
}


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "export",
        summary="write a plan as a recipe, code, masks, JSON or CSV",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        run=run,
    )
    add_model(parser)
    _add_source(parser)
    add_plan_options(parser)
    parser.add_argument(
        "--format", choices=_FORMATS, default="recipe", help="(default: %(default)s)"
    )
    add_n_of_m(parser)
    _add_schedule(parser)
    _add_format_options(parser)
    add_output(parser, "where to write it (default: standard output)")


def _add_source(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--plan",
        metavar="PLAN",
        type=Path,
        help="a plan from `studio plan -o`, or the name of one that the project has saved",
    )
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


def _add_format_options(parser: argparse.ArgumentParser) -> None:
    llm = parser.add_argument_group("schedule of --format llm-compressor, in epochs")
    llm.add_argument(
        "--init-sparsity", metavar="S", type=fraction, help="sparsity at the start (default: 0)"
    )
    llm.add_argument("--start", metavar="EPOCH", type=not_negative, help="default: 0")
    llm.add_argument("--end", metavar="EPOCH", type=not_negative, help="default: 1")
    llm.add_argument("--update", metavar="EPOCHS", type=not_negative, help="default: 0.1")
    parser.add_argument(
        "--state-dict",
        metavar="FILE",
        type=Path,
        help="name the weights as in this .npz or .safetensors of the training code, matched by "
        "shape and values (recipe, llm-compressor, pytorch)",
    )
    code = parser.add_argument_group("code of --format pytorch")
    code.add_argument(
        "--masks-file",
        metavar="FILE",
        help="read the masks from this .npz or .safetensors when it runs, in place of finding "
        "the smallest weights itself",
    )


def run(args: argparse.Namespace) -> None:
    _check_usage(args)
    session = open_session(args)
    protected = (session.model.path, *session.model.data_files)
    if args.format in _TABLES or (args.format == "recipe" and _is_plain(args)):
        text = _profile_text(session, args) if args.profile else _plan_text(session, args)
        write_document(text, args.output, protected)
        return
    content = _exported(session, args)
    if args.format in _MASKS:
        write_bytes(content, args.output, protected)
    else:
        write_document(content.decode("utf-8"), args.output, protected)


def _is_plain(args: argparse.Namespace) -> bool:
    if args.n_of_m is not None or args.state_dict is not None:
        return False
    place = find_plan(args)
    return place is None or place.saved.removal.is_plain


def _exported(session: Session, args: argparse.Namespace) -> bytes:
    """One of the core's own formats; what must be seen goes to stderr."""
    from studio_core.exports import ExportSource, export

    patterned = _patterned(session, args)
    source = ExportSource(session.model, session.layers, patterned.plan, **patterned.options)
    options = _format_options(args)
    if "masks_file" in options:
        options["method"] = "custom_from_mask"
    if args.state_dict is not None:
        options["state_dict"] = read_state_dict(args.state_dict)
    exported = export("sparseml" if args.format == "recipe" else args.format, source, **options)
    for remark in exported.notes:
        note(remark)
    return exported.content


def _patterned(session: Session, args: argparse.Namespace) -> Patterned:
    """The plan and what goes as one: --n-of-m, or what a saved plan says."""
    place = find_plan(args)
    if place is not None and args.n_of_m is None:
        return removed(place.saved.plan, place.saved.removal)
    return with_pattern(_plan(session, args), args.n_of_m)


def _plan(session: Session, args: argparse.Namespace) -> PruningPlan:
    if args.profile:
        return _profile_plan(session, args)
    if args.plan is None:
        return make_plan(session, args)
    place = find_plan(args)
    return read_plan(session, args.plan) if place is None else place.saved.plan


def _check_usage(args: argparse.Namespace) -> None:
    """End with exit code 2 where an option would be passed over."""
    if bool(args.profile) != bool(args.sparsities):
        args.command.error("--profile and --sparsities go together")
    given = [name for name in PLAN_OPTIONS if getattr(args, name) is not None]
    if given and args.sparsity is None:
        args.command.error(f"{_options(given)} can only be used with --sparsity")
    for kind, options in _OPTIONS.items():
        given = [name for name in options if getattr(args, name) is not None]
        if given and args.format != kind:
            args.command.error(f"{_options(given)} can only be used with --format {kind}")
    if args.state_dict is not None and args.format in (*_MASKS, *_TABLES):
        args.command.error(f"--state-dict cannot be used with --format {args.format}")
    if args.n_of_m is not None and args.format in _TABLES:
        args.command.error("--n-of-m is for masks and code; a table has the plan's own sparsities")
    if args.format in _MASKS and args.output is None and sys.stdout.isatty():
        args.command.error(f"--format {args.format} is binary; give -o FILE")


def _options(names: list[str]) -> str:
    return ", ".join(f"--{name.replace('_', '-')}" for name in names)


def _format_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options given for the format, by the core's names."""
    names = _OPTIONS.get(args.format, {})
    given = {field: getattr(args, name) for name, field in names.items()}
    return {field: value for field, value in given.items() if value is not None}


def _plan_text(session: Session, args: argparse.Namespace) -> str:
    plan = _plan(session, args)
    if args.format == "recipe":
        return plan.to_recipe(**_format_options(args))
    return _document_text(session, plan, args.format)


def _profile_text(session: Session, args: argparse.Namespace) -> str:
    if args.format != "recipe":
        return _document_text(session, _profile_plan(session, args), args.format)
    from studio_core.plans import recipe_text

    by_name = _profile_sparsities(session, args)
    return recipe_text(by_name, _profile_settings(args).schedule)


def _profile_settings(args: argparse.Namespace) -> ExportSettings:
    from studio_core.plans.profiles import ExportSettings

    schedule = _format_options(args) if args.format == "recipe" else {}
    return ExportSettings.from_fields(
        {"sparsities": list(args.sparsities), "pruning_profile": args.profile, **schedule}
    )


def _profile_plan(session: Session, args: argparse.Namespace) -> PruningPlan:
    from studio_core.plans import PruningPlan

    by_name = _profile_sparsities(session, args)
    chosen = [layer for layer in session.prunable_layers if layer.name in by_name]
    return PruningPlan(
        {layer.id: by_name[layer.name] for layer in chosen},
        weight_names={layer.id: layer.name for layer in chosen},
    )


def _profile_sparsities(session: Session, args: argparse.Namespace) -> Mapping[str, float]:
    from studio_core.plans.profiles import sparsities_by_weight

    settings = _profile_settings(args)
    return sparsities_by_weight(settings, session.layers, session.loss, session.perf)


def _document_text(session: Session, plan: PruningPlan, kind: str) -> str:
    if kind == "csv":
        from studio_cli.plan_table import to_csv

        return to_csv(session.prunable_layers, plan)
    return to_json(plan_document(plan, session.planner.estimate(plan)))
