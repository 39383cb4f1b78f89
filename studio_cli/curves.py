"""Arguments and tables that `loss` and `perf` share: layers down, sparsity levels across."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from studio_cli.arguments import add_json, add_model, levels
from studio_cli.output import Column, print_table

if TYPE_CHECKING:
    from studio_core.sensitivity import Analysis, LossCurve, PerfCurve
    from studio_core.session import Session

TABLE_LEVELS = (0.5, 0.7, 0.8, 0.9, 0.95)
"""Where plans end up; a person does not read thirty columns."""


def add_curve_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "--levels",
        metavar="S,S,…",
        type=levels,
        help="sparsity levels, such as 0.5,0.8,0.9 (default: five in the table, thirty in JSON)",
    )
    parser.add_argument(
        "--resolution",
        choices=("default", "full"),
        default="default",
        help="full: about 1000 levels a layer in JSON, as in the original Studio, whatever "
        "--levels says; the table then reads its levels off those curves",
    )
    add_json(parser)


def analysis_levels(args: argparse.Namespace) -> Sequence[float]:
    """The levels to compute: those asked for, or as many as the reader can use."""
    from studio_core.sensitivity import DEFAULT_LEVELS

    given: Sequence[float] | None = args.levels
    return given or (DEFAULT_LEVELS if args.json else TABLE_LEVELS)


def print_curves(
    session: Session,
    analysis: Analysis,
    at_levels: Sequence[float],
    show: Callable[[float | None], str],
    dense: Callable[[LossCurve | PerfCurve], str] | None = None,
) -> None:
    """A table with a row a curve; ``dense`` adds a column for the layer as it is."""
    op_types = {layer.id: layer.op_type for layer in session.layers}
    dense_column = [Column("dense", is_number=True)] if dense else []
    print_table(
        [
            Column("layer", wraps=True),
            Column("operator"),
            *dense_column,
            *(Column(f"{level:g}", is_number=True) for level in at_levels),
        ],
        [
            (
                curve.layer_name,
                op_types.get(curve.layer_id, ""),
                *([dense(curve)] if dense else []),
                *(show(value) for value in _values(curve, at_levels)),
            )
            for curve in analysis.curves
        ],
    )


def _values(curve: LossCurve | PerfCurve, at_levels: Sequence[float]) -> list[float | None]:
    """The curve at each level, linear between those it has; None where unknown."""
    import numpy as np

    from studio_core.sensitivity import LossCurve

    if isinstance(curve, LossCurve):
        start, values = curve.baseline_loss, curve.losses
    else:
        start = math.nan if curve.baseline_flops is None else curve.baseline_flops
        values = curve.flops
    xs = np.concatenate([[0.0], curve.sparsities])
    found = np.interp(at_levels, xs, np.concatenate([[start], values]))
    return [None if math.isnan(value) else value for value in found.tolist()]
