"""Goals: read, refused with the field at fault, and read back equal."""

from __future__ import annotations

import pytest

from studio_core.errors import InvalidRequestError
from studio_core.plan_runs.goal import Goal
from studio_core.plans.constraints import Quantity

GOALS = [
    {"sparsity": 0.8, "balance": 0.5, "locked": {"a": 0.0}, "maxSparsity": 0.9},
    {"maxLoss": 0.05, "lowest": {"a": 0.1}, "highest": {"b": 0.5}},
    {"minSparsity": 0.5, "minimize": "latency", "maxBytesShare": 0.4, "granularity": "2:4"},
    {"maxAccuracyLoss": 0.01, "granularity": {"default": "channel", "layers": {"a": "element"}}},
    {"maxLatencyMs": 3, "maxFlops": 1e6},
]


@pytest.mark.parametrize("document", GOALS, ids=str)
def test_a_goal_is_read_back_equal(document):
    goal = Goal.from_document(document)
    assert Goal.from_document(goal.to_document()) == goal
    assert {k: v for k, v in goal.to_document().items() if k in document} == {
        **document, "granularity": goal.removal.to_document()
    } or "granularity" not in document  # fmt: skip


@pytest.mark.parametrize(
    ("document", "objective"),
    [
        ({"maxLoss": 0.1}, Quantity.SPARSITY),
        ({"maxAccuracyLoss": 0.1}, Quantity.SPARSITY),
        ({"minSparsity": 0.1}, Quantity.LOSS),
        ({"maxLoss": 0.1, "minimize": "bytes"}, Quantity.BYTES),
        ({"minSparsity": 0.1, "minimize": "latency"}, Quantity.LATENCY),
    ],
)
def test_what_is_minimised(document, objective):
    assert Goal.from_document(document).objective is objective


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "'goal' must be an object"),
        ({}, "needs 'sparsity', or a bound"),
        ({"sparsity": 80}, "'sparsity' must be a fraction"),
        ({"sparsity": True}, "'sparsity'"),
        ({"sparsity": 0.5, "maxLoss": 1}, "takes no bound"),
        ({"sparsity": 0.5, "lowest": {"a": 0.1}}, "'lowest'"),
        ({"maxLoss": -1}, "'maxLoss' must be a number"),
        ({"maxLoss": float("nan")}, "'maxLoss' must be a number"),
        ({"maxBytes": 10**400}, "'maxBytes' must be a number"),
        ({"maxLoss": "little"}, "'maxLoss'"),
        ({"minimize": "loss"}, "give a bound as well"),
        ({"minimize": "time"}, "'minimize' must be one of"),
        ({"minimize": 3}, "'minimize' must be a text"),
        ({"minSparsity": 0.5, "balance": 1}, "'balance'"),
        ({"minSparsity": 0.5, "locked": {"a": 2}}, "'a' must be a fraction"),
        ({"minSparsity": 0.5, "locked": ["a"]}, "'locked' must be an object"),
        ({"minSparsity": 0.5, "locked": {"a": None}}, "of layer 'a'"),
        ({"minSparsity": 0.5, "sparsityMin": 0.5}, "no field 'sparsityMin'"),
        ({"minSparsity": 0.5, "granularity": "3"}, "no granularity '3'"),
        ({"minSparsity": 0.5, "granularity": 3}, "'granularity' must be"),
        ({"minSparsity": 0.5, "granularity": {"layers": {"a": 1}}}, "'layers' of 'granularity'"),
        ({"maxBytes": 1, "maxBytesShare": 0.5}, "not both"),
    ],
    ids=str,
)
def test_a_wrong_goal_is_refused(document, said):
    with pytest.raises(InvalidRequestError, match=said):
        Goal.from_document(document)
