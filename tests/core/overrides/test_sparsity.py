"""A pruning plan and overrides of sparsity are one idea, both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio_core.errors import InvalidRequestError
from studio_core.overrides.documents import from_json, to_json
from studio_core.overrides.records import Override, Overrides
from studio_core.overrides.sparsity import plan_with_overrides, sparsity_overrides
from studio_core.plans.plan import PruningPlan


def test_a_plan_as_overrides():
    document = to_json(sparsity_overrides(PruningPlan({"conv_out": 0.5, "fc_out": 0.333})))
    assert document["conv_out"] == {
        "named_location": "conv_out",
        "full_location": "conv_out",
        "attributes": [{"key": "sparsity", "value": "[50]"}],
    }
    assert document["fc_out"]["attributes"] == [{"key": "sparsity", "value": "[33]"}]


def test_overrides_change_a_plan_and_lock_what_they_change():
    plan = PruningPlan({"a": 0.5, "b": 0.25}, target=0.4)
    changed = plan_with_overrides(
        Overrides.of([Override("b", "b", {"sparsity": "[90]"}), Override("c", "c", {"x": "y"})]),
        plan,
    )
    assert changed.sparsities == {"a": 0.5, "b": 0.9}
    assert changed.locked == {"b"}
    assert changed.target == 0.4


def test_overrides_alone_are_a_plan():
    plan = plan_with_overrides(Overrides.of([Override("a", "a", {"sparsity": "[75]"})]))
    assert plan.sparsities == {"a": 0.75}


@pytest.mark.parametrize("value", ["50", "[]", "[1, 2]", "[101]", "[-1]", "[x]"])
def test_what_is_no_percentage(value):
    with pytest.raises(InvalidRequestError):
        plan_with_overrides(Overrides.of([Override("a", "a", {"sparsity": value})]))


layer_ids = st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"]), min_size=1)


@given(st.dictionaries(layer_ids, st.floats(0, 1), max_size=5))
def test_a_plan_that_went_through_overrides_comes_back_unchanged(sparsities):
    plan = PruningPlan(sparsities)
    sent = from_json(to_json(sparsity_overrides(plan)))
    assert plan_with_overrides(sent, plan) == plan
    alone = plan_with_overrides(sent)
    for layer_id, sparsity in sparsities.items():
        assert alone.sparsities[layer_id] == pytest.approx(sparsity, abs=0.005 + 1e-9)
