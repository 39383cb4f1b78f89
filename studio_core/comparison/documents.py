"""Comparisons as JSON documents, one form for the command line, REST and scripts.

Differences are right less left; null is unknown, or where only one side has a thing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from studio_core.comparison.analyses import AnalysisComparison, CurveComparison
from studio_core.comparison.graphs import GraphComparison, ValueChange
from studio_core.comparison.matching import GraphMatch, NodePair
from studio_core.comparison.models import LayerRow, ModelComparison
from studio_core.comparison.plans import PlanComparison
from studio_core.documents import Document
from studio_core.layers import Layer, ModelSummary


def match_document(match: GraphMatch) -> Document:
    return {
        "certainty": match.certainty,
        "numPairs": len(match.pairs),
        "pairs": [_pair(pair) for pair in match.pairs],
        "onlyLeft": list(match.only_left),
        "onlyRight": list(match.only_right),
    }


def graph_comparison_document(found: GraphComparison) -> Document:
    return {
        "kind": "graphs",
        "left": found.left.id,
        "right": found.right.id,
        "match": match_document(found.match),
        "changes": [
            {
                **_pair(change.pair),
                "leftLabel": change.left_label,
                "rightLabel": change.right_label,
                "attributes": [
                    {"key": a.key, "left": a.left, "right": a.right} for a in change.attributes
                ],
            }
            for change in found.changes
        ],
        "values": {kind: [_value(v) for v in values] for kind, values in found.values.items()},
        "totals": {kind: list(found.totals(kind)) for kind in found.values},
    }


def model_comparison_document(found: ModelComparison) -> Document:
    return {
        "kind": "models",
        "left": _summary(found.left),
        "right": _summary(found.right),
        "layers": [_layer_row(row) for row in found.layers],
        "match": match_document(found.graphs.match),
    }


def plan_comparison_document(found: PlanComparison) -> Document:
    return {
        "kind": "plans",
        "numChanged": found.num_changed,
        "layers": [
            {
                "id": row.layer_id,
                "name": row.name,
                "left": row.left,
                "right": row.right,
                "difference": row.difference,
                "lockedLeft": row.is_locked_left,
                "lockedRight": row.is_locked_right,
            }
            for row in found.rows
        ],
    }


def analysis_comparison_document(found: AnalysisComparison, sparsity: float) -> Document:
    """``sparsity`` is where the order of the layers is compared."""
    return {
        "kind": "analyses",
        "quantity": found.quantity,
        "isComparable": found.is_comparable,
        "notes": list(found.notes),
        "rankCorrelation": {"sparsity": sparsity, "value": found.rank_correlation(sparsity)},
        "layers": [_curve(curve) for curve in found.curves],
        "onlyLeft": list(found.only_left),
        "onlyRight": list(found.only_right),
    }


def _pair(pair: NodePair) -> Document:
    return {
        "left": pair.left,
        "right": pair.right,
        "how": pair.how,
        "certainty": pair.certainty,
    }


def _value(change: ValueChange) -> Document:
    return {
        "left": change.pair.left,
        "right": change.pair.right,
        "label": change.label,
        "leftValue": _known(change.left),
        "rightValue": _known(change.right),
        "difference": _known(change.difference),
        "relative": _known(change.relative),
    }


def _summary(summary: ModelSummary) -> Document:
    return {
        "name": summary.name,
        "numParams": summary.num_params,
        "fileBytes": summary.file_bytes,
        "macs": summary.macs,
        "sparsity": summary.sparsity,
        "numLayers": summary.num_layers,
    }


def _layer_row(row: LayerRow) -> Document:
    return {
        "name": row.name,
        "left": _layer(row.left),
        "right": _layer(row.right),
        "how": row.pair.how if row.pair is not None else None,
        "certainty": row.pair.certainty if row.pair is not None else None,
        "hasSameWeight": row.has_same_weight,
        "isChanged": row.is_changed,
    }


def _layer(layer: Layer | None) -> Document | None:
    if layer is None:
        return None
    return {
        "id": layer.id,
        "name": layer.name,
        "opType": layer.op_type,
        "weightShape": list(layer.weight_shape) if layer.weight is not None else None,
        "numParams": layer.num_params,
        "macs": layer.macs,
        "sparsity": layer.sparsity,
    }


def _curve(curve: CurveComparison) -> Document:
    return {
        "leftId": curve.left_id,
        "rightId": curve.right_id,
        "name": curve.name,
        "isApart": curve.is_apart,
        "sparsities": curve.sparsities.tolist(),
        "left": _knowns(curve.left.tolist()),
        "right": _knowns(curve.right.tolist()),
        "differences": _knowns(curve.differences.tolist()),
        "standardErrors": _knowns(curve.standard_errors.tolist()),
    }


def _knowns(values: Iterable[float]) -> list[Any]:
    return [_known(value) for value in values]


def _known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
