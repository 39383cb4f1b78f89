"""``studio prune MODEL --plan plan.json -o pruned.onnx``: the plan as a new model."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from studio_cli import text
from studio_cli.arguments import (
    Commands,
    add_command,
    add_force,
    add_json,
    add_model,
    model_file,
)
from studio_cli.models import open_session
from studio_cli.output import Column, check_target, note, print_json, print_lines, print_table
from studio_cli.patterns import add_n_of_m
from studio_cli.plans import read_plan
from studio_cli.saved_plans import add_plan_source, find_plan

if TYPE_CHECKING:
    from studio_core.plan_runs.removal import Removal
    from studio_core.plans import PruningPlan
    from studio_core.pruning.apply import PrunedLayer, PrunedModel
    from studio_core.session import Session

_DESCRIPTION = """\
Write a new ONNX model in which exactly the weights that the plan removes are zero, the
smallest of each layer; all else stays bit for bit the same, and the original is only read.
The model says in its metadata where it comes from. ONNX's checker and onnxruntime must
accept it before the file appears.
"""

_EXAMPLES = """\
  studio prune sample:digits_cnn --plan plan.json -o pruned.onnx
  studio prune model.onnx --plan plan.json -o pruned.onnx --n-of-m 2:4 --force
  studio prune project:digits --plan mild -o pruned.onnx
  studio layers pruned.onnx
"""

_COLUMNS = (
    Column("layer", wraps=True),
    Column("weights", is_number=True),
    Column("asked", is_number=True),
    Column("pruned", is_number=True),
    Column("zeros before", is_number=True),
    Column("zeros after", is_number=True),
    Column("pattern"),
)


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "prune",
        summary="write the pruned model",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        run=run,
    )
    add_model(parser)
    add_plan_source(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=model_file,
        required=True,
        help="the model to write; large weights go to a file beside it",
    )
    add_n_of_m(parser)
    add_force(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> None:
    from studio_core.plan_runs.applying import write_pruned

    session = open_session(args)
    model = session.model
    check_target(args.output, args.force, (model.path, *model.data_files))
    plan, removal = _planned(session, args)
    fitted, remarks = removal.fitted(plan)
    for remark in remarks:
        note(remark)
    pruned = write_pruned(session, fitted, removal, args.output, overwrite=args.force)
    for path in (pruned.path, *pruned.data_files):
        note(f"wrote {path}")
    if args.json:
        print_json(_document(pruned, args.n_of_m))
    else:
        _print_pruned(session.model.name, pruned, args.n_of_m)


def _planned(session: Session, args: argparse.Namespace) -> tuple[PruningPlan, Removal]:
    """The plan, and what goes as one: --n-of-m, or what a saved plan says."""
    from studio_core.plan_runs.removal import Removal

    place = find_plan(args)
    plan = read_plan(session, args.plan) if place is None else place.saved.plan
    if args.n_of_m is not None:
        return plan, Removal.from_document(f"{args.n_of_m[0]}:{args.n_of_m[1]}")
    return plan, Removal() if place is None else place.saved.removal


def _document(pruned: PrunedModel, pattern: tuple[int, int] | None) -> dict[str, Any]:
    return {
        "path": str(pruned.path),
        "dataFiles": [str(path) for path in pruned.data_files],
        "sha256": pruned.sha256,
        "sourceSha256": pruned.source_sha256,
        "layers": [
            {
                "id": layer.id,
                "name": layer.name,
                "sparsity": layer.sparsity,
                "granularity": _pattern(layer, pattern) or None,
                "numWeights": layer.num_weights,
                "numPruned": layer.num_pruned,
                "numZerosBefore": layer.num_zeros_before,
                "numZerosAfter": layer.num_zeros_after,
                "alsoChanges": list(layer.also_changes),
            }
            for layer in pruned.layers
        ],
        "notes": list(pruned.notes),
    }


def _pattern(layer: PrunedLayer, pattern: tuple[int, int] | None) -> str:
    if layer.sparsity == 0:
        return ""
    return str(layer.granularity) if pattern is None else f"{pattern[0]}:{pattern[1]}"


def _print_pruned(name: str, pruned: PrunedModel, pattern: tuple[int, int] | None) -> None:
    print_lines(f"{name} · pruned into {pruned.path}")
    print()
    print_table(_COLUMNS, [_row(layer, pattern) for layer in pruned.layers])
    print()
    weights = sum(layer.num_weights for layer in pruned.layers)
    zeros = sum(layer.num_zeros_after for layer in pruned.layers)
    share = zeros / weights if weights else None
    print_lines(
        f"{zeros:,} of {weights:,} weights of these layers are zero ({text.percent(share)}).",
        *(
            f"{layer.name} is also read by {', '.join(layer.also_changes)}."
            for layer in pruned.layers
            if layer.also_changes
        ),
        *pruned.notes,
        "ONNX's checker and onnxruntime accept it.",
    )


def _row(layer: PrunedLayer, pattern: tuple[int, int] | None) -> tuple[str, ...]:
    return (
        layer.name,
        f"{layer.num_weights:,}",
        text.percent(layer.sparsity),
        f"{layer.num_pruned:,}",
        f"{layer.num_zeros_before:,}",
        f"{layer.num_zeros_after:,}",
        _pattern(layer, pattern),
    )
