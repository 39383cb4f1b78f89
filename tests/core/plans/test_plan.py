"""A plan by itself: made, changed by hand, kept as a document."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio_core.errors import InvalidRequestError
from studio_core.plans import PlanEstimate, PruningPlan

fractions = st.floats(0, 1)


@given(
    sparsities=st.dictionaries(st.text(), fractions),
    target=st.none() | fractions,
    balance=st.none() | fractions,
    data=st.data(),
)
def test_a_document_comes_back_equal(sparsities, target, balance, data):
    ids = sorted(sparsities)
    locked = data.draw(st.sets(st.sampled_from(ids))) if ids else set()
    names = {i: f"{i}.weight" for i in ids}
    plan = PruningPlan(sparsities, frozenset(locked), target, balance, names)
    again = PruningPlan.from_document(json.loads(json.dumps(plan.to_document())))
    assert again == plan


@pytest.mark.parametrize("sparsity", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_sparsity_is_a_fraction(sparsity):
    with pytest.raises(InvalidRequestError, match="'a'"):
        PruningPlan({"a": sparsity})
    with pytest.raises(InvalidRequestError, match="'a'"):
        PruningPlan({}).with_layer("a", sparsity)


def test_a_layer_set_by_hand_is_locked_unless_told_otherwise():
    plan = PruningPlan({"a": 0.1, "b": 0.2}, weight_names={"a": "w", "b": "v"})
    changed = plan.with_layer("a", 0.5)
    assert changed.sparsities == {"a": 0.5, "b": 0.2} and changed.locked == {"a"}
    assert plan.sparsities["a"] == 0.1 and not plan.locked
    assert plan.with_layer("b", 0.7, lock=False).locked == frozenset()
    assert PruningPlan({}).with_layer("new", 0.5).sparsities == {"new": 0.5}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"layers": None},
        {"layers": 5},
        {"layers": [5]},
        {"layers": [{}]},
        {"layers": [{"id": "a"}]},
        {"layers": [{"id": "a", "sparsity": "much"}]},
        {"layers": [{"id": "a", "sparsity": None}]},
        {"layers": [{"id": "a", "sparsity": 2}]},
        {"layers": [{"id": "a", "sparsity": 10**400}]},
        [],
        None,
    ],
    ids=str,
)
def test_what_is_no_plan_is_refused(document):
    with pytest.raises(InvalidRequestError):
        PruningPlan.from_document(document)


def test_shares_of_unknown_work():
    def estimate(flops, dense):
        return PlanEstimate(1, 0, 0.0, 0.0, dense, flops, 4, 4, None)

    assert estimate(5, 10).flops_share == 0.5
    assert estimate(None, None).flops_share is None
    assert estimate(0, 0).flops_share is None
