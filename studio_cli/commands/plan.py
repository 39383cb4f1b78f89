"""``studio plan MODEL``: a sparsity for each layer, and what that would bring."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from studio_cli import text
from studio_cli.arguments import Commands, add_command, add_json, add_model, add_output, fraction
from studio_cli.goals import (
    add_goal_options,
    check_goals,
    goal_text,
    has_goals,
    read_goal,
    solve,
)
from studio_cli.models import open_session
from studio_cli.notes import macs_note
from studio_cli.output import (
    Column,
    note,
    print_json,
    print_lines,
    print_table,
    to_json,
    write_document,
)
from studio_cli.plans import add_plan_options, make_plan
from studio_cli.saved_plans import find_place, read_named_analysis, verified_calibration
from studio_cli.verified import add_verified
from studio_core.documents import plan_document

if TYPE_CHECKING:
    from studio_core.layers import Layer
    from studio_core.plans import PlanEstimate, Planner, PruningPlan
    from studio_core.plans.calibration import Calibration
    from studio_core.plans.latency import PredictedLatency
    from studio_core.plans.prediction import PredictedLoss
    from studio_core.plans.solver import Solution
    from studio_core.sensitivity import LossCurve
    from studio_core.session import Session

_DESCRIPTION = """\
Choose a sparsity for each prunable layer. --sparsity spreads an average so that the damage
is least (--balance 1) or the work left is least (--balance 0), or anything between. Goals
(--max-loss, --min-sparsity, …) are solved for exactly instead: the best choice of one known
level a layer; --why says for each layer why it stops there. The damage is estimated from
the weights, or measured where --analysis gives a file of `studio sweep`. The answer is a
decision and what it should bring; the model is not changed, and nothing is run.
"""

_EXAMPLES = """\
  studio plan sample:digits_cnn --sparsity 0.8
  studio plan model.onnx --sparsity 0.9 --balance 0.5 --lock conv1.weight=0
  studio plan model.onnx --analysis analysis.json --max-loss 0.05 --why -o plan.json
  studio plan model.onnx --max-flops-share 0.3 --min-sparsity 0.7
  studio plan model.onnx --perf perf.json --granularity channel --max-latency-share 0.7
  studio verify model.onnx --plan plan.json --analysis analysis.json
  studio plan model.onnx --analysis analysis.json --max-loss 0.05 --verified verified.json
  studio export model.onnx --plan plan.json -o recipe.yaml
  studio plan project:digits --analysis measured --max-loss 0.02 --save mild --note "first"
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


_EQUAL = 1e-9


class _Answer(NamedTuple):
    """A plan with what it should bring; ``predicted`` where losses were measured or solved for."""

    plan: PruningPlan
    estimate: PlanEstimate
    latency: PredictedLatency
    predicted: PredictedLoss | None = None
    solution: Solution | None = None
    calibration: Calibration | None = None


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
        "--sparsity", metavar="S", type=fraction, help="average over all prunable weights, 0 to 1"
    )
    add_goal_options(parser)
    parser.add_argument(
        "--analysis",
        metavar="FILE",
        type=Path,
        help="losses measured by `studio sweep -o` in place of the estimate",
    )
    parser.add_argument(
        "--perf",
        metavar="FILE",
        type=Path,
        help="times measured by `studio bench -o`, for the time of a run and its goals",
    )
    parser.add_argument(
        "--granularity",
        choices=("element", "channel"),
        help="what the plan removes, and so which of the times count (default: what the losses "
        "of --analysis were measured with, else element)",
    )
    add_verified(parser)
    add_plan_options(parser)
    parser.add_argument("--why", action="store_true", help="the reason for each layer's sparsity")
    parser.add_argument(
        "--save",
        metavar="NAME",
        help="keep the plan in the project (MODEL is project:NAME); under a name that is "
        "taken, as its next version",
    )
    parser.add_argument("--note", metavar="TEXT", help="what to remember of the plan, with --save")
    add_json(parser)
    add_output(parser, "also write the plan as JSON, for `studio export --plan`")


def run(args: argparse.Namespace) -> None:
    check_goals(args)
    if args.note is not None and args.save is None:
        args.command.error("--note can only be used with --save")
    if args.save is not None:
        find_place(args)  # or it says so before it plans
    session = open_session(args)
    planner = _planner(session, args)
    answer = _answer(session, args, planner)
    document = plan_document(answer.plan, answer.estimate)
    if answer.predicted is not None:
        document["predictedLoss"] = answer.predicted.to_document()
    if answer.solution is not None:
        from studio_core.plan_runs.documents import solution_document

        document["solution"] = solution_document(answer.solution)
    if args.perf is not None:
        document["predictedLatency"] = answer.latency.to_document()
    if args.save is not None:
        _save(args, answer, planner)
    if args.output is not None:  # first, so that a reader of stdout who leaves early loses nothing
        model = session.model
        write_document(to_json(document), args.output, (model.path, *model.data_files))
    if args.json:
        print_json(document)
    else:
        _print_plan(session, planner, answer, args.why)


def _planner(session: Session, args: argparse.Namespace) -> Planner:
    from studio_core.pruning.masks import Granularity

    return session.planner_over(
        None if args.analysis is None else read_named_analysis(session, args, args.analysis),
        None if args.perf is None else read_named_analysis(session, args, args.perf, "perf"),
        granularity=None if args.granularity is None else Granularity(args.granularity),
    )


def _answer(session: Session, args: argparse.Namespace, planner: Planner) -> _Answer:
    from studio_core.plans.solver import Solver

    calibration = verified_calibration(args, planner)
    solver = Solver(planner, calibration=calibration)
    if has_goals(args):
        found = solve(session, args, solver)
        return _Answer(found.plan, found.estimate, found.latency, found.loss, found, calibration)
    plan = make_plan(session, args, planner)
    predicted = solver.predict(plan) if args.analysis else None
    latency = planner.predict_latency(plan)
    return _Answer(plan, planner.estimate(plan), latency, predicted, None, calibration)


def _save(args: argparse.Namespace, answer: _Answer, planner: Planner) -> None:
    """Keep the plan in the project, as the next version of its name."""
    from studio_core.plan_runs.request import PlanRequest, Sources
    from studio_core.plan_runs.saved_plan import check_note
    from studio_core.plan_runs.solving import SolvedPlan
    from studio_core.plans.calibration import Calibration
    from studio_core.plans.solver import Solver

    goal = read_goal(args)
    calibration = answer.calibration or Calibration()
    predicted = answer.predicted or Solver(planner, calibration=calibration).predict(answer.plan)
    solved = SolvedPlan(
        answer.plan, goal.removal, answer.estimate, predicted, calibration, answer.solution, ()
    )
    names = [None if path is None else str(path) for path in (args.analysis, args.perf)]
    wanted = PlanRequest(
        goal, None, goal.removal, args.save, check_note(args.note or ""), None,
        Sources(names[0], names[1]),
    )  # fmt: skip
    workbench, project_id = find_place(args)
    saved = workbench.plans.keep(project_id, wanted, solved)
    note(f"saved plan '{saved.name}', version {saved.version}")


def _print_plan(session: Session, planner: Planner, answer: _Answer, why: bool) -> None:
    from studio_core.sensitivity import LossCurve, Source

    solution, plan = answer.solution, answer.plan
    aim = (
        f"plan for an average sparsity of {text.percent(plan.target)}"
        if solution is None
        else goal_text(solution)
    )
    print_lines(f"{session.model.name} · {aim}", macs_note(session))
    print()
    curves = {c.layer_id: c for c in planner.loss.curves if isinstance(c, LossCurve)}
    show = text.fraction if planner.loss.source is Source.ESTIMATED else text.significant
    reasons = {} if solution is None else {r.layer_id: r.text for r in solution.reasons}
    rows = [
        (
            *_row(layer, plan),
            show(_loss(curves.get(layer.id), plan.sparsities.get(layer.id, 0.0))),
            *_work(layer, plan),
            *([reasons.get(layer.id, "")] if why else []),
        )
        for layer in session.prunable_layers
    ]
    print_table([*_COLUMNS, *([Column("why", wraps=True)] if why else [])], rows)
    print()
    print_lines(*_estimate_lines(answer))


def _loss(curve: LossCurve | None, sparsity: float) -> float | None:
    if curve is None or sparsity > curve.sparsities[-1] + _EQUAL:
        return None  # the curve would go on flat where nothing is known
    return 0.0 if sparsity == 0.0 else curve.at(sparsity)


def _row(layer: Layer, plan: PruningPlan) -> tuple[str, ...]:
    return (
        layer.name,
        layer.op_type,
        text.count(layer.weight_size),
        text.percent(plan.sparsities.get(layer.id, 0.0)),
        text.count(_zeros(layer, plan)),
    )


def _zeros(layer: Layer, plan: PruningPlan) -> int:
    from studio_core.pruning.counts import num_pruned

    sparsity = plan.sparsities.get(layer.id, 0.0)
    return max(int(num_pruned(layer.weight_size, sparsity)), layer.num_zeros or 0)


def _work(layer: Layer, plan: PruningPlan) -> tuple[str, str]:
    share_left = 1.0 - _zeros(layer, plan) / layer.weight_size
    left = None if layer.macs is None else layer.macs * share_left
    return text.count(left), _remark(layer, plan)


def _remark(layer: Layer, plan: PruningPlan) -> str:
    remarks = ["locked"] if layer.id in plan.locked else []
    if str(layer.status) != "prunable":
        remarks.append(layer.status.label)
    return ", ".join(remarks)


def _estimate_lines(answer: _Answer) -> Sequence[str]:
    estimate = answer.estimate
    return (
        *_origin_lines(answer),
        f"  sparsity  {text.percent(estimate.sparsity)} of prunable weights "
        f"({estimate.num_zeros:,} of {estimate.num_weights:,}), "
        f"{text.percent(estimate.model_sparsity)} of all parameters",
        f"  loss      {_loss_text(answer)}",
        f"  MACs      {_macs_left(estimate)}",
        f"  time      {_latency_text(answer.latency)}",
        f"  weights   {text.size(estimate.bytes_dense)} as stored now, "
        f"{text.size(estimate.bytes_sparse)} if kept as bit masks and non-zero values",
        estimate.note,
        answer.latency.statement if answer.latency.value_ms is not None else "",
        _gap_line(answer.solution),
    )


def _origin_lines(answer: _Answer) -> Sequence[str]:
    from studio_core.sensitivity import Source

    if answer.predicted is None or answer.predicted.source is Source.ESTIMATED:
        if answer.latency.value_ms is not None:
            return ("The loss is estimated; accuracy may fall more or less than this.",)
        return (
            "Estimated, not measured: nothing was run, and accuracy may fall more or less "
            "than this.",
        )
    return (
        "Predicted from layers pruned one at a time; layers interact, so `studio verify` it.",
        answer.predicted.statement,
    )


def _loss_text(answer: _Answer) -> str:
    from studio_core.sensitivity import Source

    predicted = answer.predicted
    if predicted is None or predicted.source is Source.ESTIMATED:
        loss = text.fraction(answer.estimate.loss)
        return f"{loss} of the layers' L2 norm removed, root mean square"
    return f"{text.with_error(predicted.value, predicted.standard_error)} {predicted.metric}"


def _latency_text(latency: PredictedLatency) -> str:
    if latency.value_ms is None:
        return "not measured; `studio bench` measures it, for --perf"
    dense = text.significant(latency.dense_ms)
    return (
        f"{text.significant(latency.value_ms)} of {dense} ms a run "
        f"({text.percent(latency.share)}), {latency.source}"
    )


def _gap_line(solution: Solution | None) -> str:
    if solution is None or solution.is_optimal:
        return ""
    return f"Not proven the best: another plan may be {text.percent(solution.gap)} better at most."


def _macs_left(estimate: PlanEstimate) -> str:
    if estimate.flops is None:
        return "not known"
    return (
        f"{text.count(estimate.flops)} of {text.count(estimate.flops_dense)} "
        f"({text.percent(estimate.flops_share)}) left, if the runtime skipped every zero"
    )
