"""``studio plan MODEL --sparsity 0.8``: a sparsity for each layer, and what that would bring."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio_cli import text
from studio_cli.arguments import Commands, add_command, add_json, add_model, add_output, fraction
from studio_cli.models import open_session
from studio_cli.notes import macs_note
from studio_cli.output import (
    Column,
    print_json,
    print_lines,
    print_table,
    to_json,
    write_document,
)
from studio_cli.plans import add_plan_options, make_plan
from studio_core.documents import plan_document

if TYPE_CHECKING:
    from studio_core.layers import Layer
    from studio_core.plans import PlanEstimate, PruningPlan
    from studio_core.sensitivity import LossCurve
    from studio_core.session import Session

_DESCRIPTION = """\
Spread an average sparsity over the prunable layers so that the estimated damage is least
(--balance 1) or the work left is least (--balance 0), or anything between. The answer is a
decision and an estimate of what it brings; the model is not changed, and nothing is run.
"""

_EXAMPLES = """\
  studio plan sample:digits_cnn --sparsity 0.8
  studio plan model.onnx --sparsity 0.9 --balance 0.5 --lock conv1.weight=0
  studio plan model.onnx --sparsity 0.8 -o plan.json
  studio export model.onnx --plan plan.json -o recipe.yaml
"""

_COLUMNS = (
    Column("layer", wraps=True),
    Column("operator"),
    Column("weights", is_number=True),
    Column("sparsity", is_number=True),
    Column("zeros", is_number=True),
    Column("loss", is_number=True),
    Column("MACs left", is_number=True),
    Column(""),
)


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "plan",
        summary="choose a sparsity for each layer",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        run=run,
    )
    add_model(parser)
    parser.add_argument(
        "--sparsity",
        metavar="S",
        type=fraction,
        required=True,
        help="average over all prunable weights, 0 to 1",
    )
    add_plan_options(parser)
    add_json(parser)
    add_output(parser, "also write the plan as JSON, for `studio export --plan`")


def run(args: argparse.Namespace) -> None:
    session = open_session(args)
    plan = make_plan(session, args)
    estimate = session.planner.estimate(plan)
    document = plan_document(plan, estimate)
    if args.output is not None:  # first, so that a reader of stdout who leaves early loses nothing
        model = session.model
        write_document(to_json(document), args.output, (model.path, *model.data_files))
    if args.json:
        print_json(document)
    else:
        _print_plan(session, plan, estimate)


def _print_plan(session: Session, plan: PruningPlan, estimate: PlanEstimate) -> None:
    from studio_core.sensitivity import LossCurve

    print_lines(
        f"{session.model.name} · plan for an average sparsity of {text.percent(plan.target)}",
        macs_note(session),
    )
    print()
    curves = {c.layer_id: c for c in session.loss.curves if isinstance(c, LossCurve)}
    print_table(
        _COLUMNS,
        [_row(layer, plan, curves.get(layer.id)) for layer in session.prunable_layers],
    )
    print()
    print_lines(*_estimate_lines(estimate))


def _row(layer: Layer, plan: PruningPlan, curve: LossCurve | None) -> tuple[str, ...]:
    from studio_core.pruning.counts import num_pruned

    sparsity = plan.sparsities.get(layer.id, 0.0)
    zeros = max(int(num_pruned(layer.weight_size, sparsity)), layer.num_zeros or 0)
    left = None if layer.macs is None else layer.macs * (1.0 - zeros / layer.weight_size)
    return (
        layer.name,
        layer.op_type,
        text.count(layer.weight_size),
        text.percent(sparsity),
        text.count(zeros),
        text.fraction(None if curve is None else curve.at(sparsity)),
        text.count(left),
        _remark(layer, plan),
    )


def _remark(layer: Layer, plan: PruningPlan) -> str:
    remarks = ["locked"] if layer.id in plan.locked else []
    if str(layer.status) != "prunable":
        remarks.append(layer.status.label)
    return ", ".join(remarks)


def _estimate_lines(estimate: PlanEstimate) -> Sequence[str]:
    return (
        "Estimated, not measured: nothing was run, and accuracy may fall more or less than this.",
        f"  sparsity  {text.percent(estimate.sparsity)} of prunable weights "
        f"({estimate.num_zeros:,} of {estimate.num_weights:,}), "
        f"{text.percent(estimate.model_sparsity)} of all parameters",
        f"  loss      {text.fraction(estimate.loss)} of the layers' L2 norm removed, root mean square",
        f"  MACs      {_macs_left(estimate)}",
        f"  weights   {text.size(estimate.bytes_dense)} as stored now, "
        f"{text.size(estimate.bytes_sparse)} if kept as bit masks and non-zero values",
        estimate.note,
    )


def _macs_left(estimate: PlanEstimate) -> str:
    if estimate.flops is None:
        return "not known"
    return (
        f"{text.count(estimate.flops)} of {text.count(estimate.flops_dense)} "
        f"({text.percent(estimate.flops_share)}) left, if the runtime skipped every zero"
    )
