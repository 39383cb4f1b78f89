"""What a caller wants of the plans of a project, read from documents with their own keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from studio_core.documents import Document
from studio_core.errors import InvalidRequestError
from studio_core.plan_runs import fields
from studio_core.plan_runs.goal import Goal
from studio_core.plan_runs.removal import Removal
from studio_core.plan_runs.saved_plan import check_note
from studio_core.plan_runs.verifying import VerifyOptions
from studio_core.plans.constraints import Quantity
from studio_core.plans.solver import DEFAULT_TIME_LIMIT_S

_SOURCES = ("analysis", "perfAnalysis", "calibrate", "timeLimitSeconds")
_DATA = ("data", "samples", "skip")
_PLAN = ("name", "note", "parent", "goal", "plan", "granularity", *_SOURCES, *_DATA)
_PARETO = ("quantity", "points", "goal", *_SOURCES)
_VERIFY = (*_DATA, "metric", "latencyRuns", "version")
_MOST_SECONDS = 60.0
_MOST_POINTS = 200


@dataclass(frozen=True)
class Sources:
    """What a plan is made from: names of saved analyses, None for the estimates.

    ``calibrate`` lets verified plans of the project correct predictions; ``time_limit_s`` is
    the solver's.
    """

    analysis: str | None = None
    perf_analysis: str | None = None
    calibrate: bool = True
    time_limit_s: float = DEFAULT_TIME_LIMIT_S

    @classmethod
    def from_document(cls, given: Mapping[str, Any]) -> Sources:
        limit = fields.number(given, "timeLimitSeconds")
        if limit is not None and not 0 < limit <= _MOST_SECONDS:
            raise InvalidRequestError(
                f"'timeLimitSeconds' must be above 0 and at most {_MOST_SECONDS:g}."
            )
        return cls(
            fields.text(given, "analysis"),
            fields.text(given, "perfAnalysis"),
            fields.switch(given, "calibrate", True),
            limit or DEFAULT_TIME_LIMIT_S,
        )


@dataclass(frozen=True)
class PlanRequest:
    """A plan that is wanted: a ``goal`` to be met, or ``plan``, a document made by hand.

    Without a ``name`` it gets the next free one; ``parent`` is the name of the plan it was
    made after. ``data`` is for goals that are met by running plans.
    """

    goal: Goal | None
    plan: Document | None
    removal: Removal
    name: str | None = None
    note: str = ""
    parent: str | None = None
    sources: Sources = field(default_factory=Sources)
    data: VerifyOptions = field(default_factory=VerifyOptions)

    @classmethod
    def from_document(cls, given: Mapping[str, Any]) -> PlanRequest:
        """Raises `InvalidRequestError` naming the field at fault."""
        fields.refuse_unknown(given, _PLAN, "A request for a plan")
        goal, plan = given.get("goal"), given.get("plan")
        if (goal is None) == (plan is None):
            raise InvalidRequestError(
                "Give 'goal', such as {\"minSparsity\": 0.8}, or 'plan', a plan of your own."
            )
        if plan is not None and not isinstance(plan, dict):
            raise InvalidRequestError("'plan' must be an object with 'layers'.")
        if goal is not None and given.get("granularity") is not None:
            raise InvalidRequestError("Give 'granularity' inside 'goal'.")
        wanted = None if goal is None else Goal.from_document(goal)
        removal = Removal.from_document(given.get("granularity"))
        return cls(
            wanted,
            plan,
            removal if wanted is None else wanted.removal,
            fields.text(given, "name"),
            check_note(fields.text(given, "note") or ""),
            fields.text(given, "parent"),
            Sources.from_document(given),
            read_data(given),
        )


@dataclass(frozen=True)
class ParetoRequest:
    """A trade-off that is wanted: loss against ``quantity`` in ``num_points`` points."""

    quantity: Quantity
    num_points: int
    goal: Goal | None
    sources: Sources

    @classmethod
    def from_document(cls, given: Mapping[str, Any]) -> ParetoRequest:
        fields.refuse_unknown(given, _PARETO, "A request for a trade-off")
        word = fields.text(given, "quantity") or "sparsity"
        quantities = {"sparsity": Quantity.SPARSITY, "bytes": Quantity.BYTES,
                      "flops": Quantity.FLOPS, "latency": Quantity.LATENCY}  # fmt: skip
        if word not in quantities:
            raise InvalidRequestError(f"'quantity' must be one of {', '.join(quantities)}.")
        points = fields.whole(given, "points", least=2)
        if points is not None and points > _MOST_POINTS:
            raise InvalidRequestError(f"'points' must be at most {_MOST_POINTS}.")
        goal = given.get("goal")
        return cls(
            quantities[word],
            30 if points is None else points,
            None if goal is None else Goal.from_document(goal),
            Sources.from_document(given),
        )


def read_data(given: Mapping[str, Any]) -> VerifyOptions:
    """The samples that plans are run on."""
    return VerifyOptions(
        fields.text(given, "data"),
        fields.whole(given, "samples", least=1),
        fields.whole(given, "skip") or 0,
    )


def read_verify(given: Mapping[str, Any]) -> VerifyOptions:
    """How a plan shall be verified."""
    fields.refuse_unknown(given, _VERIFY, "A request for a verification")
    data = read_data(given)
    return VerifyOptions(
        data.data,
        data.samples,
        data.skip,
        fields.text(given, "metric"),
        fields.whole(given, "latencyRuns") or 0,
    )
