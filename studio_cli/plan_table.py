"""A plan as CSV, for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studio_core.layers import Layer
    from studio_core.plans import PruningPlan

_HEADER = ("id", "name", "opType", "weightShape", "numParams", "macs", "sparsity", "locked")

# What makes a spreadsheet take a cell for a formula; a layer's name must never be run.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def to_csv(layers: Sequence[Layer], plan: PruningPlan) -> str:
    """A header and a row for each of ``layers``; one that the plan leaves out is dense.

    Texts stand in quotes; one that a spreadsheet would take for a formula gets a ``'`` in
    front. An unknown number is an empty cell.
    """
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(_HEADER)
    for layer in layers:
        writer.writerow(
            (
                _cell(layer.id),
                _cell(layer.name),
                _cell(layer.op_type),
                "x".join(map(str, layer.weight_shape)),
                layer.num_params,
                "" if layer.macs is None else layer.macs,
                plan.sparsities.get(layer.id, 0.0),
                "true" if layer.id in plan.locked else "false",
            )
        )
    return out.getvalue()


def _cell(text: str) -> str:
    # Spreadsheets skip spaces before a formula.
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text
