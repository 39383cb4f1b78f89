"""Times that scatter so much that the machine was busy while they were measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from studio_core.finding import Finding
from studio_core.findings.model_facts import ModelFacts
from studio_core.quantities import percent

_MOST_SPREAD = 0.15
"""Interquartile range ÷ median of a whole run; on a quiet machine it is a few percent."""
_REMEDY = "Measure again while nothing else runs, with more iterations."


def noisy_times(facts: ModelFacts) -> Iterator[Finding]:
    """The analysis of times, and the times of the plan's last run."""
    run = facts.perf.provenance.get("run") if facts.perf is not None else None
    total = run.get("total") if isinstance(run, Mapping) else None
    if isinstance(total, Mapping) and facts.perf is not None:
        median, low, high = (_number(total.get(key)) for key in ("median", "q1", "q3"))
        yield from _noise(f"'{facts.perf.name}'", median, high - low)
    latency = facts.verifications[-1].get("latency") if facts.verifications else None
    if isinstance(latency, Mapping):
        for kind in ("dense", "pruned"):
            median, spread = _number(latency.get(f"{kind}Ms")), latency.get(f"{kind}SpreadMs")
            yield from _noise(f"the {kind} model in the plan's last run", median, _number(spread))


def _noise(what: str, median: float, spread: float) -> Iterator[Finding]:
    share = spread / median if median > 0 else math.nan
    if share > _MOST_SPREAD:
        yield Finding(
            "noisy times",
            "warning",
            "Small differences in time cannot be believed: the machine was busy.",
            f"The middle half of the times of {what} spreads over {percent(share)} of their "
            f"median, {median:.3g} ms.",
            _REMEDY,
        )


def _number(value: Any) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number else math.nan
