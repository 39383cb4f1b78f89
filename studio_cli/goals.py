"""Goals of a plan: bounds that it must keep and what it makes the best of, for the solver."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from studio_cli.arguments import fraction, not_negative
from studio_cli.layer_names import find_locks

if TYPE_CHECKING:
    from studio_core.plan_runs.goal import Goal
    from studio_core.plans.constraints import Quantity
    from studio_core.plans.solver import Solution, Solver
    from studio_core.session import Session

BOUNDS = (
    *("max_loss", "min_sparsity", "max_bytes_share", "max_flops_share"),
    *("max_latency_ms", "max_latency_share"),
)
"""Options that bound a plan, by the names that the core has for them."""


def add_goal_options(parser: argparse.ArgumentParser) -> None:
    goals = parser.add_argument_group("goals, solved for exactly, instead of --sparsity")
    goals.add_argument(
        "--max-loss",
        metavar="X",
        type=not_negative,
        help="predicted loss of the whole plan at most X, in the metric of the analysis",
    )
    goals.add_argument(
        "--min-sparsity", metavar="S", type=fraction, help="average sparsity at least S"
    )
    goals.add_argument(
        "--max-bytes-share",
        metavar="S",
        type=fraction,
        help="bytes of the layers, zeros stored as bit masks, at most this share of the dense",
    )
    goals.add_argument(
        "--max-flops-share",
        metavar="S",
        type=fraction,
        help="MACs at most this share of the dense, if every zero were skipped",
    )
    goals.add_argument(
        "--max-latency-ms",
        metavar="MS",
        type=not_negative,
        help="time of a run at most so many milliseconds; with --perf",
    )
    goals.add_argument(
        "--max-latency-share",
        metavar="S",
        type=fraction,
        help="time of a run at most this share of the dense; with --perf",
    )
    goals.add_argument(
        "--minimize",
        choices=("loss", "sparsity", "bytes", "flops", "latency_ms"),
        help="what to make the best of: the least loss, bytes, MACs or time, or the fewest "
        "weights left (default: sparsity with --max-loss, else loss)",
    )


def has_goals(args: argparse.Namespace) -> bool:
    return args.minimize is not None or _has_bounds(args)


def _has_bounds(args: argparse.Namespace) -> bool:
    return any(getattr(args, name) is not None for name in BOUNDS)


def check_goals(args: argparse.Namespace) -> None:
    """End with exit code 2 where goals contradict each other or mean nothing."""
    if args.sparsity is not None:
        if has_goals(args):
            args.command.error("give --sparsity or goals, not both; a goal is --min-sparsity")
        if args.why:
            args.command.error("--why can only be used with goals, such as --min-sparsity")
        return
    if not has_goals(args):
        args.command.error("give --sparsity, or a goal such as --min-sparsity or --max-loss")
    if args.balance is not None:
        args.command.error("--balance can only be used with --sparsity")
    if args.minimize == "loss" and not _has_bounds(args):
        args.command.error("the least loss is that of no pruning; give a bound as well")


def read_goal(args: argparse.Namespace) -> Goal:
    """What the options ask of a plan, as the core's record."""
    from studio_core.plan_runs.goal import Goal
    from studio_core.plan_runs.removal import Removal
    from studio_core.plans.constraints import DEFAULT_MAX_SPARSITY, Constraints, Quantity

    bounds: dict[str, Any] = {name: getattr(args, name) for name in BOUNDS}
    return Goal(
        args.sparsity,
        args.balance,
        None if args.minimize is None else Quantity(args.minimize),
        Constraints(**bounds),
        dict(args.lock or ()),
        max_sparsity=DEFAULT_MAX_SPARSITY if args.max_sparsity is None else args.max_sparsity,
        removal=Removal.from_document(args.granularity),
    )


def solve(session: Session, args: argparse.Namespace, solver: Solver) -> Solution:
    """The best plan for the goals; raises `InfeasibleError` saying what can be reached."""
    from studio_core.plans.constraints import Limits

    goal = read_goal(args)
    locked = find_locks(session.layers, args.lock or ())
    limits = Limits(locked=locked, max_sparsity=goal.max_sparsity)
    return solver.solve(goal.objective, goal.constraints, limits)


def goal_text(solution: Solution) -> str:
    """'the least predicted loss with average sparsity at least 80.00%'."""
    bounds = [
        _bound(quantity, most, share) for quantity, most, share in solution.constraints.bounds()
    ]
    aim = (
        "the highest average sparsity"
        if solution.objective == "sparsity"
        else f"the least {solution.objective.label}"
    )
    return f"{aim} with {' and '.join(bounds)}" if bounds else aim


def _bound(quantity: Quantity, most: float | None, share: float | None) -> str:
    side = "at least" if quantity == "sparsity" else "at most"
    if most is not None:
        return f"{quantity.label} {side} {quantity.text(most)}"
    return f"{quantity.label} {side} {share:.2%} of the dense"
