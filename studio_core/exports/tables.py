"""A plan as plain tables: JSON that Studio reads back, and CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from studio_core.exports.source import Exported, ExportSource
from studio_core.layers.layer import Layer
from studio_core.pruning.counts import num_pruned

COLUMNS = (
    "id",
    "name",
    "op_type",
    "shape",
    "num_weights",
    "sparsity",
    "num_pruned",
    "granularity",
    "locked",
)

# What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection"), and the
# quote itself, so that taking one off again always gives back the name.
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'")


def to_json(source: ExportSource) -> Exported:
    """The plan as JSON. ``layers`` are rows of `COLUMNS`; `PruningPlan.from_document` reads it."""
    document = {
        "model": source.model.name,
        "target": source.plan.target,
        "balance": source.plan.balance,
        "layers": list(_rows(source)),
    }
    return Exported(json.dumps(document, indent=2, allow_nan=False).encode())


def to_csv(source: ExportSource) -> Exported:
    """The plan as CSV with a header, RFC 4180. Sparsity is a fraction, shapes as ``32x3x3x3``.

    Names are hostile text: one that a spreadsheet would run as a formula gets a ``'`` in front.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in _rows(source):
        shape = "x".join(map(str, row["shape"]))
        writer.writerow([_cell({**row, "shape": shape}[column]) for column in COLUMNS])
    return Exported(text.getvalue().encode())


def _rows(source: ExportSource) -> Iterator[dict[str, Any]]:
    known = {layer.id: layer for layer in source.layers}
    for layer_id, order in source.orders.items():
        layer: Layer = known[layer_id]
        yield {
            "id": layer.id,
            "name": layer.name,
            "op_type": layer.op_type,
            "shape": list(layer.weight_shape),
            "num_weights": layer.weight_size,
            "sparsity": order.sparsity,
            "num_pruned": int(num_pruned(layer.weight_size, order.sparsity)),
            "granularity": str(order.granularity),
            "locked": layer.id in source.plan.locked,
        }


def _cell(value: Any) -> Any:
    # Spreadsheets skip spaces before a formula.
    if isinstance(value, str) and value.lstrip(" ").startswith(_DANGEROUS):
        return f"'{value}"
    return value
