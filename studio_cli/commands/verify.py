"""``studio verify MODEL --plan plan.json``: the plan is run, beside what was predicted."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from studio_cli import text
from studio_cli.analyses import read_analysis
from studio_cli.arguments import (
    Commands,
    add_command,
    add_json,
    add_model,
    add_output,
    whole_number,
)
from studio_cli.data import METRIC_NAMES, EvaluationData, add_data_arguments, load_data
from studio_cli.models import open_session
from studio_cli.output import (
    Column,
    print_json,
    print_lines,
    print_table,
    to_json,
    write_document,
)
from studio_cli.plans import read_plan
from studio_cli.progress import progress
from studio_cli.verified import add_verified, read_calibration

if TYPE_CHECKING:
    from studio_core.plans import Planner, PruningPlan
    from studio_core.plans.verification import Verification
    from studio_core.session import Session

_SURPRISE = 2.0
"""Actual over predicted loss from which the prediction is called wrong."""

_DESCRIPTION = """\
Apply a plan in memory, run the whole and the pruned model on the same data, and set what was
predicted beside what happened: loss, sparsity, work and size, and the accuracy where the
data has labels. Give the --analysis that the plan was made from, so that the predicted
loss has the unit of the measured one. No model is written; `studio prune` does that.
"""

_EXAMPLES = """\
  studio verify sample:digits_cnn --plan plan.json --analysis analysis.json
  studio verify model.onnx --plan plan.json --data samples.npz --metric accuracy
  studio verify model.onnx --plan plan.json --latency-runs 50 --json
  studio verify model.onnx --plan plan.json --analysis analysis.json -o verified.json
"""


def add_to(commands: Commands) -> None:
    parser = add_command(
        commands,
        "verify",
        summary="run a plan and compare with what was predicted",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        run=run,
    )
    add_model(parser)
    parser.add_argument(
        "--plan", metavar="FILE", type=Path, required=True, help="a plan from `studio plan -o`"
    )
    add_data_arguments(parser)
    parser.add_argument(
        "--analysis",
        metavar="FILE",
        type=Path,
        help="losses measured by `studio sweep -o`, for the prediction; its metric is the default",
    )
    add_verified(parser)
    parser.add_argument(
        "--latency-runs",
        metavar="N",
        type=whole_number,
        default=0,
        help="also time N runs of the whole and the pruned model",
    )
    add_json(parser)
    add_output(parser, "also write the comparison as JSON")


def run(args: argparse.Namespace) -> None:
    session = open_session(args)
    plan = read_plan(session, args.plan)
    planner = session.planner
    if args.analysis is not None:
        planner = session.planner_over(read_analysis(session, args.analysis))
    data = load_data(args, session, args.samples)
    result = _verify(session, plan, planner, data, args)
    document = result.to_document()
    if args.output is not None:
        model = session.model
        write_document(to_json(document), args.output, (model.path, *model.data_files))
    if args.json:
        print_json(document)
    else:
        _print_verification(session, result, data)


def _verify(
    session: Session,
    plan: PruningPlan,
    planner: Planner,
    data: EvaluationData,
    args: argparse.Namespace,
) -> Verification:
    from studio_core.evaluation.defaults import default_metric
    from studio_core.plans.solver import Solver
    from studio_core.plans.verification import VerificationRun

    metric = args.metric
    if metric is None and planner.loss.metric.name in METRIC_NAMES:
        metric = planner.loss.metric.name
    steps = VerificationRun(
        session.model,
        session.layers,
        plan,
        data.samples,
        metric or default_metric(session.model, data.samples),
        solver=Solver(planner, calibration=read_calibration(args.verified, planner)),
        latency_runs=args.latency_runs,
    )
    total = data.samples.num_samples
    with progress("running") as report:
        report(0, total, "")
        for done in steps:
            report(done, total, "")
    return steps.result()


def _print_verification(session: Session, result: Verification, data: EvaluationData) -> None:
    print_lines(f"{session.model.name} · plan verified on {data.title}")
    print()
    print_table(
        [
            Column(""),
            Column("dense", is_number=True),
            Column("predicted", is_number=True),
            Column("actual", is_number=True),
        ],
        list(_rows(result)),
    )
    print()
    print_lines(*_remarks(result))


def _rows(result: Verification) -> Iterator[tuple[str, str, str, str]]:
    loss, costs, estimate = result.loss, result.costs, result.estimate
    predicted = text.UNKNOWN
    if result.predicted is not None and result.is_comparable:
        predicted = text.with_error(result.predicted.value, result.predicted.standard_error)
    yield f"loss ({loss.metric})", "0", predicted, text.with_error(loss.mean, loss.standard_error)
    if result.accuracy is not None:
        accuracy = result.accuracy
        yield "accuracy", _exact(accuracy.dense), text.UNKNOWN, _exact(accuracy.pruned)
    yield (
        "sparsity",
        text.UNKNOWN,
        text.percent(None if estimate is None else estimate.sparsity),
        text.percent(costs.sparsity),
    )
    yield (
        "MACs, if zeros are skipped",
        text.count(None if estimate is None else estimate.flops_dense),
        text.count(None if estimate is None else estimate.flops),
        text.count(costs.flops),
    )
    yield (
        "weights as bit masks",
        text.size(costs.bytes_dense),
        text.size(None if estimate is None else estimate.bytes_sparse),
        text.size(costs.bytes_sparse),
    )
    yield (
        "weights, compressed",
        text.size(costs.bytes_compressed_dense),
        text.UNKNOWN,
        text.size(costs.bytes_compressed),
    )
    if result.latency is not None:
        latency = result.latency
        yield (
            "latency",
            f"{text.with_error(latency.dense_ms, latency.dense_spread_ms)} ms",
            text.UNKNOWN,
            f"{text.with_error(latency.pruned_ms, latency.pruned_spread_ms)} ms",
        )


def _surprise(result: Verification) -> str:
    """What to do where the prediction was too hopeful; or nothing."""
    if result.predicted is None or not result.predicted.value > 0:
        return ""
    times = result.loss.mean / result.predicted.value
    if times < _SURPRISE:
        return ""
    return (
        f"The plan loses {times:.3g} times what was predicted: layers do more harm together. Write "
        "this with -o and plan again with --verified."
    )


def _exact(share: float) -> str:
    """An accuracy in hundredths of a percent: a single sample shows."""
    return f"{100 * share:.2f} %"


def _remarks(result: Verification) -> Iterator[str]:
    yield "Loss is how much worse than the whole model, higher is worse; ± is the standard error."
    if result.accuracy is not None:
        accuracy = result.accuracy
        yield (
            f"Accuracy: {accuracy.num_correct_dense:,} of {accuracy.num_samples:,} samples right "
            f"before, {accuracy.num_correct:,} after."
        )
    if result.predicted is not None and not result.is_comparable:
        yield (
            f"The loss was predicted in another metric ({result.predicted.metric}); give the "
            f"--analysis of a sweep with --metric {result.loss.metric} to compare."
        )
    elif result.predicted is not None:
        yield result.predicted.statement
        yield _surprise(result)
    if result.latency is not None:
        yield (
            f"Latency: medians of {result.latency.num_runs} runs, one thread; ± is the "
            "interquartile range. onnxruntime skips no zeros."
        )
    if result.on_random_data:
        yield "Random data does not tell the true loss. Give --data."
    for layer_id, reason in result.skipped.items():
        yield f"Not applied: {layer_id}: {reason}"
