"""How a plan was solved for and what its run gave, as JSON documents for all doors."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from studio_core.documents import Document, estimate_document

if TYPE_CHECKING:
    from studio_core.plan_runs.applying import AppliedPlan
    from studio_core.plan_runs.solving import SolvedPlan
    from studio_core.plans.pareto import ParetoPoint
    from studio_core.plans.solver import Solution
    from studio_core.plans.verification import Verification


def solution_document(solution: Solution) -> Document:
    """How a plan was solved for, as JSON-ready values; null is no bound."""
    return {
        "objective": str(solution.objective),
        "value": solution.value,
        "isOptimal": solution.is_optimal,
        "gap": solution.gap,
        "constraints": {
            str(quantity): {"atMost": most, "shareAtMost": share}
            if quantity != "sparsity"
            else {"atLeast": most}
            for quantity, most, share in solution.constraints.bounds()
        },
        "reasons": [reason.to_document() for reason in solution.reasons],
        "withoutCurve": list(solution.without_curve),
    }


def solved_document(solved: SolvedPlan) -> Document:
    """The plan and what it should bring; unknown numbers are null."""
    latency = None if solved.solution is None else solved.solution.latency.to_document()
    return known(
        {
            "plan": solved.plan.to_document(),
            "granularity": solved.removal.to_document(),
            "estimate": estimate_document(solved.estimate),
            "predicted": solved.predicted.to_document(),
            "latency": latency,
            "calibration": solved.calibration.to_document(),
            "solution": None if solved.solution is None else solution_document(solved.solution),
            "notes": list(solved.notes),
        }
    )


def verification_document(found: Verification) -> Document:
    """What a run gave beside what was predicted; unknown numbers are null."""
    accuracy = found.accuracy
    shares = {} if accuracy is None else {"dense": accuracy.dense, "pruned": accuracy.pruned}
    return known(
        {
            "loss": _camel(asdict(found.loss)),
            "accuracy": None if accuracy is None else {**_camel(asdict(accuracy)), **shares},
            "costs": _camel(asdict(found.costs)),
            "latency": None if found.latency is None else _camel(asdict(found.latency)),
            "predicted": None if found.predicted is None else found.predicted.to_document(),
            "estimate": None if found.estimate is None else estimate_document(found.estimate),
            "isComparable": found.is_comparable,
            "onRandomData": found.on_random_data,
            "skipped": dict(found.skipped),
            "provenance": dict(found.provenance),
        }
    )


def applied_document(applied: AppliedPlan) -> Document:
    """A pruned model: its files, bytes before and after, and the layers."""
    return {
        "files": [{"name": path.name, "bytes": size} for path, size in applied.files],
        "bytesBefore": applied.bytes_before,
        "bytesAfter": applied.bytes_after,
        "sparsity": applied.sparsity,
        "sha256": applied.sha256,
        "layers": [_camel({**asdict(layer), "granularity": str(layer.granularity)})
                   for layer in applied.layers],
        "notes": list(applied.notes),
    }  # fmt: skip


def pareto_document(point: ParetoPoint) -> Document:
    return known(
        {
            "quantity": str(point.quantity),
            "value": point.value,
            "loss": point.loss.to_document(),
            "gap": point.gap,
            "plan": point.plan.to_document(),
        }
    )


def known(document: Document) -> Document:
    """``document`` with None for every NaN and infinity, which JSON lacks."""
    return {key: _known(value) for key, value in document.items()}


def _known(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return known(value)
    if isinstance(value, (list, tuple)):
        return [_known(item) for item in value]
    return value


def _camel(record: dict[str, Any]) -> Document:
    return {_camel_case(key): value for key, value in record.items()}


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
