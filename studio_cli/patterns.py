"""``--n-of-m 2:4``: one N:M pattern for every layer that a plan prunes."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from studio_cli.arguments import n_of_m
from studio_cli.output import note
from studio_cli.text import percent, plural

if TYPE_CHECKING:
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
    from studio_core.pruning.masks import Granularity

    if pattern is None:
        return Patterned(plan, {})
    kept, group = pattern
    sparsity = 1.0 - kept / group
    sparsities = {i: sparsity if s > 0 else 0.0 for i, s in plan.sparsities.items()}
    changed = sum(s not in (0.0, sparsity) for s in plan.sparsities.values())
    if changed:
        note(
            f"{kept}:{group} is a sparsity of {percent(sparsity)}; the plan had another for "
            f"{plural(changed, 'layer')}"
        )
    options = {"granularity": Granularity.N_OF_M, "group_size": group}
    return Patterned(replace(plan, sparsities=sparsities, target=None, balance=None), options)
