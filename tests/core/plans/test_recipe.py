"""Recipes: YAML with SparseML's tags, the schedule's figures, and names that stay data."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from studio_core.errors import InvalidRequestError
from studio_core.plans import PruningPlan, Schedule, recipe_text

TAGS = ("EpochRange", "SetLearningRate", "LearningRate", "GMPruning")


class Loader(yaml.SafeLoader):
    """Knows the tags of a recipe and no others, as SparseML's own does."""


for _tag in TAGS:
    Loader.add_constructor(
        f"!{_tag}Modifier",
        lambda loader, node: (node.tag[1:], loader.construct_mapping(node, deep=True)),
    )


def modifiers(text: str) -> list[tuple[str, dict[str, Any]]]:
    recipe = yaml.load(text, Loader)
    assert isinstance(recipe["version"], str)
    return recipe["modifiers"]


def by_name(text: str, name: str) -> list[dict[str, Any]]:
    return [arguments for tag, arguments in modifiers(text) if tag == name]


def test_a_hundred_epochs():
    text = recipe_text({"a": 0.9}, Schedule(100, 1.0, 0.1, 0.001))
    (epochs,) = by_name(text, "EpochRangeModifier")
    assert epochs == {"start_epoch": 0.0, "end_epoch": 67.0}
    (first,) = by_name(text, "SetLearningRateModifier")
    assert first == {"start_epoch": 0.0, "learning_rate": pytest.approx(0.0505)}
    (later,) = by_name(text, "LearningRateModifier")
    assert later["lr_class"] == "MultiStepLR"
    assert later["lr_kwargs"] == {"gamma": 0.2, "milestones": [34.0, 42.0, 50.0, 58.0]}
    assert later["init_lr"] == pytest.approx(0.0505)
    assert (later["start_epoch"], later["end_epoch"]) == (33.0, 67.0)
    (pruning,) = by_name(text, "GMPruningModifier")
    assert pruning == {
        "params": ["a"],
        "init_sparsity": 0.05,
        "final_sparsity": 0.9,
        "start_epoch": 1.0,
        "end_epoch": 33.0,
        "update_frequency": 1.0,
        "inter_func": "cubic",
        "mask_type": "unstructured",
    }


@given(st.integers(6, 100_000))
def test_any_number_of_epochs(epochs):
    schedule = Schedule(epochs)
    assert 1 == schedule.pruning_start < schedule.pruning_end < schedule.end <= epochs
    milestones = schedule.milestones
    assert 1 <= len(milestones) <= 4 and list(milestones) == sorted(set(milestones))
    assert schedule.pruning_end < milestones[0] and milestones[-1] < schedule.end


@pytest.mark.parametrize(
    "wrong",
    [
        {"training_epochs": 5},
        {"training_epochs": 10**6},
        {"pruning_update_frequency": 0},
        {"pruning_update_frequency": -1},
        {"pruning_update_frequency": float("nan")},
        {"pruning_update_frequency": float("inf")},
        {"init_training_lr": -0.1},
        {"final_training_lr": 1.1},
        {"init_training_lr": float("nan")},
    ],
)
def test_schedules_that_make_no_sense(wrong):
    with pytest.raises(InvalidRequestError, match=next(iter(wrong))):
        Schedule(**wrong)


def test_weights_of_one_sparsity_share_a_modifier():
    text = recipe_text({"a": 0.9, "b": 0.5, "c": 0.9, "d": 0.90001})
    found = {m["final_sparsity"]: m["params"] for m in by_name(text, "GMPruningModifier")}
    assert found == {0.5: ["b"], 0.9: ["a", "c", "d"]}


def test_a_sparsity_below_the_first_step_begins_there():
    (pruning,) = by_name(recipe_text({"a": 0.02}), "GMPruningModifier")
    assert pruning["init_sparsity"] == pruning["final_sparsity"] == 0.02


def test_no_weights_still_train():
    assert [tag for tag, _ in modifiers(recipe_text({}))] == [f"{t}Modifier" for t in TAGS[:3]]


HOSTILE = [
    "yes", "null", "~", "1.5", "0x10", "- a", "a: b", "!GMPruningModifier", "{x: 1}", "[1]",
    "&a", "*a", "# no", "%TAG", "!!python/object/apply:os.system ['true']", "a\nb: c\n- d",
    "\t", " ", "", "'", '"', "\\", "é–模", "\x00\x01", "\u2028", "x" * 5000, "=cmd|' /C calc'!A0",
    "2020-01-01", "...", "---", "<<", "@a", "`a`", "|", ">",
]  # fmt: skip


def test_hostile_names_stay_data():
    (pruning,) = by_name(recipe_text(dict.fromkeys(HOSTILE, 0.5)), "GMPruningModifier")
    assert pruning["params"] == HOSTILE


@given(st.lists(st.text(), unique=True))
def test_any_name_comes_back(names):
    found = by_name(recipe_text(dict.fromkeys(names, 0.5)), "GMPruningModifier")
    assert (found[0]["params"] if found else []) == names


def test_a_plan_writes_its_own_recipe():
    plan = PruningPlan(
        {"a": 0.5, "b": 0.0, "c": 0.5}, weight_names={"a": "a.weight", "c": "a.weight"}
    )
    text = plan.to_recipe(training_epochs=50)
    (pruning,) = by_name(text, "GMPruningModifier")
    assert pruning["params"] == ["a.weight"] and pruning["end_epoch"] == 16.0
