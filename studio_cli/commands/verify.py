"""``studio verify MODEL --plan plan.json``: the plan is run, beside what was predicted."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio_cli import text
from studio_cli.arguments import (
    Commands,
    add_command,
    add_json,
    add_model,
    add_output,
    whole_number,
)
from studio_cli.data import EvaluationData, add_data_arguments, load_data
from studio_cli.models import open_session
from studio_cli.output import (
    Column,
    note,
    print_json,
    print_lines,
    print_table,
    to_json,
    write_document,
)
from studio_cli.plans import read_plan
from studio_cli.progress import progress
from studio_cli.saved_plans import (
    PlanPlace,
    add_plan_source,
    find_plan,
    read_named_analysis,
    verified_calibration,
)
from studio_cli.verified import add_verified

if TYPE_CHECKING:
    from studio_core.plans import Planner
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
  studio verify project:digits --plan mild --data samples.npz
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
    add_plan_source(parser)
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
    place = find_plan(args)
    data = load_data(args, session, args.samples)
    result = _verify(session, place, data, args)
    if place is not None:
        _keep(place, result, args)
    document = _document(result)
    if args.output is not None:
        model = session.model
        write_document(to_json(document), args.output, (model.path, *model.data_files))
    if args.json:
        print_json(document)
    else:
        _print_verification(session, result, data)


def _document(result: Verification) -> dict[str, Any]:
    """As a saved plan keeps it, with the plan and what --verified learns from."""
    from studio_core.plan_runs.documents import known, verification_document

    uncalibrated = None if result.uncalibrated is None else result.uncalibrated.to_document()
    more = {"plan": result.plan.to_document(), "uncalibrated": uncalibrated}
    return {**known(more), **verification_document(result)}


def _verify(
    session: Session,
    place: PlanPlace | None,
    data: EvaluationData,
    args: argparse.Namespace,
) -> Verification:
    from studio_core.plan_runs.removal import Removal
    from studio_core.plan_runs.verifying import PlanVerification, VerifyOptions
    from studio_core.plans.solver import Solver

    plan = read_plan(session, args.plan) if place is None else place.saved.plan
    removal = Removal() if place is None else place.saved.removal
    planner = _planner(session, place, args)
    run = PlanVerification(
        session,
        plan,
        removal,
        data.samples,
        Solver(planner, calibration=verified_calibration(args, planner)),
        VerifyOptions(metric=args.metric, latency_runs=args.latency_runs),
    )
    total = data.samples.num_samples
    with progress("running") as report:
        report(0, total, "")
        for done in run:
            report(done, total, "")
    assert run.result is not None  # it was run to its end
    return run.result


def _planner(session: Session, place: PlanPlace | None, args: argparse.Namespace) -> Planner:
    """The prediction's: by the analysis given, or that which a saved plan was made from."""
    if args.analysis is not None:
        return session.planner_over(read_named_analysis(session, args, args.analysis))
    if place is not None:
        return place.plans.planner_of(place.project_id, place.saved)
    return session.planner


def _keep(place: PlanPlace, result: Verification, args: argparse.Namespace) -> None:
    from studio_core.plan_runs.verifying import VerifyOptions

    saved = place.saved
    options = VerifyOptions(args.data, args.samples, metric=args.metric)
    place.plans.keep_verification(place.project_id, saved, result, options)
    note(f"kept with plan '{saved.name}', version {saved.version}")


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
