"""``studio loss MODEL``: how much each layer minds being pruned, estimated from its weights."""

from __future__ import annotations

import argparse

from studio_cli import text
from studio_cli.arguments import Commands, add_command
from studio_cli.curves import TABLE_LEVELS, add_curve_arguments, analysis_levels, print_curves
from studio_cli.models import open_session
from studio_cli.notes import curves_note
from studio_cli.output import print_json, print_lines

_DESCRIPTION = """\
Estimate how much each layer minds losing its smallest weights: one curve a layer, from
dense to empty. l2_share is the share of the layer's L2 norm that is removed, 0 to 1, and
compares layers; magnitude is the sum of the removed |w|, the original Studio's number, and
compares levels of one layer only. Higher is worse. Nothing is run: true losses may differ.
"""

_EXAMPLES = """\
  studio loss sample:digits_cnn
  studio loss model.onnx --levels 0.5,0.8,0.9
  studio loss model.onnx --metric magnitude --resolution full --json > loss.json
"""


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "loss",
        summary="estimate how much each layer minds being pruned",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        run=run,
    )
    add_curve_arguments(parser)
    parser.add_argument(
        "--metric",
        choices=("l2_share", "magnitude"),
        default="l2_share",
        help="what the numbers are (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> None:
    from studio_core.sensitivity import estimate_loss
    from studio_core.sensitivity.documents import to_document

    session = open_session(args)
    analysis = estimate_loss(
        session.layers,
        levels=analysis_levels(args),
        resolution=args.resolution,
        metric=args.metric,
    )
    if args.json:
        print_json(to_document(analysis))
        return
    metric = analysis.metric
    print_lines(f"{session.model.name} · estimated loss by sparsity of a layer: {metric.label}")
    print()
    show = text.fraction if args.metric == "l2_share" else text.significant
    print_curves(session, analysis, args.levels or TABLE_LEVELS, show)
    print()
    print_lines(
        metric.description,
        "Higher is worse. Estimated from the weights; nothing was run.",
        curves_note(session),
    )
