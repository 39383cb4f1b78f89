"""``--n-of-m 2:4``: one N:M pattern for every layer that a plan prunes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, NamedTuple

from studio_cli.arguments import n_of_m
from studio_cli.output import note

if TYPE_CHECKING:
    from studio_core.plan_runs.removal import Removal
    from studio_core.plans import PruningPlan


class Patterned(NamedTuple):
    """A plan, and how its weights are removed, as `prune_model` and `ExportSource` take it."""

    plan: PruningPlan
    options: dict[str, Any]


def add_n_of_m(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--n-of-m",
        metavar="N:M",
        type=n_of_m,
        help="keep N of every M weights in a row, such as 2:4, in each layer that the plan "
        "prunes, whatever its sparsity there",
    )


def with_pattern(plan: PruningPlan, pattern: tuple[int, int] | None) -> Patterned:
    """The plan with the sparsity of ``pattern`` wherever it prunes; says what that changes."""
    from studio_core.plan_runs.removal import Removal

    if pattern is None:
        return removed(plan, Removal())
    return removed(plan, Removal.from_document(f"{pattern[0]}:{pattern[1]}"))


def removed(plan: PruningPlan, removal: Removal) -> Patterned:
    """The plan fitted to what goes as one; says what that changes."""
    fitted, notes = removal.fitted(plan)
    for remark in notes:
        note(remark)
    if removal.is_plain:
        return Patterned(fitted, {})
    options = {"granularity": removal.granularities(fitted), "group_size": removal.group_size}
    return Patterned(fitted, options)
