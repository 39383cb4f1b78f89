"""What the last run of a plan gave against what was predicted and asked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from studio_core.documents import Document
from studio_core.finding import Finding
from studio_core.findings.gathering import gathered
from studio_core.findings.model_facts import ModelFacts, text_map
from studio_core.quantities import percent

_NUM_ERRORS = 2.0
_MOST_APART = 0.5
"""Of the larger loss; closer is as good as adding up single layers can be."""


def verified_plan(facts: ModelFacts) -> Iterator[Finding]:
    """The last run only: earlier ones are history."""
    if not facts.verifications:
        yield from _not_verified(facts)
        return
    found = facts.verifications[-1]
    if found.get("keepsGoal") is False:
        yield Finding(
            "goal missed",
            "error",
            "The pruned model does not keep the goal.",
            f"In the last run the loss was {_loss_text(found.get('loss'))}{_accuracy(found)}.",
            "Solve again: what this run gave corrects the next prediction.",
        )
    yield from _far_from_prediction(found)
    yield from gathered(_skipped(facts, found), facts.names)
    yield from _no_faster(found)


def _not_verified(facts: ModelFacts) -> Iterator[Finding]:
    if facts.plan is not None and any(map(facts.target, facts.units)):
        yield Finding(
            "plan not verified",
            "note",
            "What the plan costs is predicted, not proven.",
            "The plan as a whole was never run; losses of single layers do not simply add up.",
            "Verify it: run the whole plan on samples.",
        )


def _far_from_prediction(found: Document) -> Iterator[Finding]:
    predicted, actual = found.get("predicted"), found.get("loss")
    if not found.get("isComparable") or not isinstance(predicted, Mapping):
        return
    if not isinstance(actual, Mapping):
        return
    expected, seen = _number(predicted.get("value")), _number(actual.get("mean"))
    errors = (_number(d.get("standardError")) for d in (predicted, actual))
    error = math.hypot(*(0.0 if math.isnan(e) else e for e in errors))
    apart = abs(seen - expected)
    if apart > _NUM_ERRORS * error and apart > _MOST_APART * max(abs(seen), abs(expected)):
        yield Finding(
            "far from prediction",
            "warning",
            "The prediction does not hold for this plan.",
            f"Predicted {expected:.3g}, actual {_loss_text(actual)}.",
            "Solve again: what this run gave corrects the next prediction. Measured losses "
            "predict better than estimated ones.",
        )


def _skipped(facts: ModelFacts, found: Document) -> Iterator[Finding]:
    for layer_id, reason in text_map(found.get("skipped")).items():
        layer = facts.layers.get(layer_id)
        yield Finding(
            "layer left out",
            "warning",
            f"{layer.name if layer else layer_id} was not pruned as planned.",
            reason,
            "Take it out of the plan, so that its share goes to other layers.",
            subject=layer_id if layer is not None else None,
        )


def _no_faster(found: Document) -> Iterator[Finding]:
    latency = found.get("latency")
    if not isinstance(latency, Mapping):
        return
    dense, pruned = _number(latency.get("denseMs")), _number(latency.get("prunedMs"))
    spread = max(_number(latency.get(f"{kind}SpreadMs")) for kind in ("dense", "pruned"))
    if dense - pruned <= spread:
        yield Finding(
            "no faster",
            "warning",
            "The pruned model is not faster.",
            f"Dense {dense:.3g} ms, pruned {pruned:.3g} ms, with spreads up to {spread:.3g} ms.",
            "Remove whole channels, or run it where zeros are skipped.",
        )


def _loss_text(loss: Any) -> str:
    if not isinstance(loss, Mapping):
        return "not known"
    error = _number(loss.get("standardError"))
    shown = f"{_number(loss.get('mean')):.3g}"
    return shown if math.isnan(error) else f"{shown} ±{error:.2g}"


def _accuracy(found: Document) -> str:
    accuracy = found.get("accuracy")
    if not isinstance(accuracy, Mapping):
        return ""
    dense, pruned = (_number(accuracy.get(key)) for key in ("dense", "pruned"))
    return f", the accuracy went from {percent(dense)} to {percent(pruned)}"


def _number(value: Any) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number else math.nan
