"""``studio loss MODEL``: how much each layer minds being pruned, estimated."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from studio_cli import text
from studio_cli.arguments import Commands, add_command, granularity, whole_number
from studio_cli.curves import TABLE_LEVELS, add_curve_arguments, analysis_levels, print_curves
from studio_cli.data import METRIC_NAMES, EvaluationData, load_data
from studio_cli.models import open_session
from studio_cli.notes import curves_note
from studio_cli.output import print_json, print_lines
from studio_cli.progress import progress
from studio_core.errors import InvalidRequestError

if TYPE_CHECKING:
    from studio_core.sensitivity import Analysis
    from studio_core.session import Session

_WEIGHT_METRICS = ("l2_share", "magnitude")

_DESCRIPTION = """\
Estimate how much each layer minds losing its smallest weights: one curve a layer, from
dense to empty. l2_share is the share of the layer's L2 norm that is removed, 0 to 1, and
compares layers; magnitude is the sum of the removed |w|, the original Studio's number, and
compares levels of one layer only. Higher is worse. Nothing is run: true losses may differ.
With --data the model is run on few samples, and the numbers are estimates of what `studio
sweep` would measure, in its metrics: nearly its ranking, at a small part of its cost.
"""

_EXAMPLES = """\
  studio loss sample:digits_cnn
  studio loss model.onnx --levels 0.5,0.8,0.9
  studio loss model.onnx --metric magnitude --resolution full --json > loss.json
  studio loss sample:digits_cnn --data sample --metric softmax_kl
  studio loss model.onnx --data samples.npz --granularity 2:4
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
        choices=(*_WEIGHT_METRICS, *METRIC_NAMES),
        help="what the numbers are: l2_share (the default) or magnitude; with --data a metric "
        "of `studio sweep`",
    )
    parser.add_argument(
        "--data",
        metavar="DATA",
        help="run the model on some of these samples, given as for `studio sweep`: a file, a "
        "folder, 'sample', 'generated'",
    )
    parser.add_argument(
        "--samples",
        metavar="N",
        type=whole_number,
        help="with --data: run the first N samples (default: a few, taken evenly from all)",
    )
    parser.add_argument(
        "--granularity",
        metavar="WHAT",
        type=granularity,
        help="with --data: element (the default), channel, or N:M such as 2:4",
    )


def run(args: argparse.Namespace) -> None:
    if args.data is None:
        _run_weights(args)
    else:
        _run_data(args)


def _run_weights(args: argparse.Namespace) -> None:
    from studio_core.sensitivity import estimate_loss
    from studio_core.sensitivity.documents import to_document

    if args.granularity or args.samples or args.metric not in (None, *_WEIGHT_METRICS):
        raise InvalidRequestError(
            "An estimate from the weights knows single weights and the metrics l2_share and "
            "magnitude. Give --data for an estimate of what a sweep would measure."
        )
    session = open_session(args)
    analysis = estimate_loss(
        session.layers,
        levels=analysis_levels(args),
        resolution=args.resolution,
        metric=args.metric or _WEIGHT_METRICS[0],
    )
    if args.json:
        print_json(to_document(analysis))
        return
    metric = analysis.metric
    print_lines(f"{session.model.name} · estimated loss by sparsity of a layer: {metric.label}")
    print()
    show = text.fraction if metric.name == "l2_share" else text.significant
    print_curves(session, analysis, args.levels or TABLE_LEVELS, show)
    print()
    print_lines(
        metric.description,
        "Higher is worse. Estimated from the weights; nothing was run.",
        curves_note(session),
    )


def _run_data(args: argparse.Namespace) -> None:
    from studio_core.sensitivity.documents import to_document

    if args.metric in _WEIGHT_METRICS or args.resolution != "default":
        raise InvalidRequestError(
            "--metric l2_share or magnitude and --resolution are for the estimate from the "
            f"weights. With --data the metrics are {', '.join(METRIC_NAMES)}."
        )
    session = open_session(args)
    data = load_data(args, session, args.samples)
    analysis = _estimated(session, data, args)
    if args.json:
        print_json(to_document(analysis))
        return
    metric = analysis.metric
    levels = analysis.provenance["sparsityLevels"]
    print_lines(f"{session.model.name} · estimated loss by sparsity of a layer: {metric.label}")
    print()
    shown = args.levels or [level for level in TABLE_LEVELS if level in levels] or levels
    print_curves(session, analysis, shown, text.significant)
    print()
    skipped = analysis.provenance["notMeasured"]
    print_lines(
        metric.description,
        "Higher is worse. `studio sweep` measures it.",
        "Random data ranks layers; it does not tell the true loss."
        if data.samples.generated
        else "",
        *(f"Not estimated: {layer_id}: {reason}" for layer_id, reason in skipped.items()),
        curves_note(session),
    )


def _estimated(session: Session, data: EvaluationData, args: argparse.Namespace) -> Analysis:
    steps = session.estimate_from_data(
        data.samples,
        samples=args.samples,
        metric=args.metric,
        levels=args.levels,
        granularity=args.granularity,
    )
    with progress("estimating") as report:
        for last in steps:
            report(last.done, last.total, last.message)
    return last.analysis()
