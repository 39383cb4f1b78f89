from __future__ import annotations

import ast

import pytest

import studio_widgets as studio
from studio_core.plans import Planner, PruningPlan
from studio_core.samples import sample_path

from .conftest import Wire
from .fakes import HOSTILE, FakePlanner, loss_of_layers, make_layers, perf_of_layers


@pytest.fixture
def planner() -> FakePlanner:
    return FakePlanner(make_layers(25))


def _shares(plan: PruningPlan | None) -> dict[str, float]:
    assert plan is not None
    return dict(plan.sparsities)


def test_starts_with_a_plan_and_its_estimate(planner: FakePlanner) -> None:
    editor = studio.PlanEditor(planner)
    assert editor.plan is not None
    assert editor.plan.target == 0.5
    assert editor.estimate is not None
    assert "MACs left" in editor.estimates.value


def test_the_average_slider_redistributes_once(planner: FakePlanner) -> None:
    editor = studio.PlanEditor(planner)
    before = len(planner.calls)
    editor.target.value = 0.8
    assert planner.calls[before:] == [(0.8, 1.0, {}, 0.95)]
    assert set(_shares(editor.plan).values()) == {0.8}


def test_a_layer_moved_by_hand_is_locked_and_the_others_make_up(planner: FakePlanner) -> None:
    editor = studio.PlanEditor(planner)
    editor.pages.rows[0].slider.value = 0.1
    assert editor.plan is not None
    assert editor.plan.locked == {"out_0"}
    assert _shares(editor.plan)["out_0"] == 0.1
    assert _shares(editor.plan)["out_1"] > 0.5
    assert editor.pages.rows[0].lock.value is True
    assert editor.selected_layer == "out_0"


def test_a_locked_layer_keeps_its_sparsity(planner: FakePlanner) -> None:
    editor = studio.PlanEditor(planner)
    editor.pages.rows[2].lock.value = True
    editor.target.value = 0.7
    assert _shares(editor.plan)["out_2"] == 0.5
    editor.pages.rows[2].lock.value = False
    assert _shares(editor.plan)["out_2"] == pytest.approx(0.7)


def test_redrawn_sliders_are_not_taken_for_moves(planner: FakePlanner) -> None:
    editor = studio.PlanEditor(planner)
    before = len(planner.calls)
    editor.target.value = 0.61
    editor.selected_layer = "out_5"
    editor.pages.turn(1)
    editor.selected_layer = "out_1"
    assert len(planner.calls) == before + 1
    assert editor.plan is not None
    assert not editor.plan.locked


def test_sliders_hold_hundredths_since_a_browser_reports_its_rounding_as_a_move(
    planner: FakePlanner,
) -> None:
    editor = studio.PlanEditor(planner)
    editor.pages.rows[0].slider.value = 0.13
    exact = _shares(editor.plan)["out_1"]
    drawn = editor.pages.rows[1].slider.value
    assert drawn == round(exact, 2) != exact
    editor.pages.rows[1].slider.value = float(f"{drawn:.2f}")  # what the browser would send
    assert editor.plan is not None
    assert editor.plan.locked == {"out_0"}


def test_a_plan_that_cannot_be_met_is_said_in_words_and_what_stands_is_kept(
    planner: FakePlanner,
) -> None:
    editor = studio.PlanEditor(planner)
    plan = editor.plan
    editor.limit.value = 0.3
    assert "No plan can do this" in editor.messages.value
    assert editor.plan is plan
    editor.limit.value = 0.9
    assert editor.messages.value == ""


def test_a_layer_that_leaves_no_room_stands_alone(planner: FakePlanner) -> None:
    editor = studio.PlanEditor(planner)
    editor.limit.value = 0.5
    editor.pages.rows[0].slider.value = 0.0
    assert _shares(editor.plan)["out_0"] == 0.0
    assert "Unlock one" in editor.messages.value
    assert "PruningPlan(" in editor.code()


def test_reset_unlocks_all(planner: FakePlanner) -> None:
    editor = studio.PlanEditor(planner)
    editor.pages.rows[0].slider.value = 0.2
    editor.target.value = 0.9
    editor.reset_button.click()
    assert editor.plan is not None
    assert editor.plan.target == 0.5
    assert not editor.plan.locked
    assert editor.target.value == 0.5


def test_a_plan_given_from_outside_moves_the_sliders(planner: FakePlanner) -> None:
    editor = studio.PlanEditor(planner)
    calls = len(planner.calls)
    editor.plan = planner.distribute(0.7, balance=0.2, locked={"out_1": 0.1})
    assert editor.target.value == 0.7
    assert editor.balance.value == 0.2
    assert editor.pages.rows[1].lock.value is True
    assert "0.7" in editor.code()
    assert len(planner.calls) <= calls + 2  # the one above, and one to see how to repeat it


def test_pages_follow_the_selection(planner: FakePlanner) -> None:
    editor = studio.PlanEditor(planner)
    assert len(editor.pages.rows) == 10
    editor.selected_layer = "out_17"
    assert editor.pages.page == 1
    assert editor.pages.where.value == "11–20 of 24"
    assert editor.chosen.layer_id == "out_17"
    editor.pages.forward.click()
    assert [row.layout.display for row in editor.pages.rows][3:5] == ["", "none"]


def test_what_cannot_be_pruned_has_no_slider(planner: FakePlanner) -> None:
    editor = studio.PlanEditor(planner, selected_layer="out_24")
    assert editor.chosen.layout.display == "none"
    assert "cannot be pruned" in editor.chosen_title.value


def test_thousands_of_layers_make_no_more_widgets_and_small_messages(wire: Wire) -> None:
    layers = make_layers(5000)
    editor = studio.PlanEditor(FakePlanner(layers))
    assert len(wire.take()) < 300
    editor.target.value = 0.7
    assert sum(wire.take()) < 10_000


def test_the_code_repeats_the_plan() -> None:
    layers = make_layers(12)[:4]
    planner = Planner(layers, loss_of_layers(layers), perf_of_layers(layers))
    editor = studio.PlanEditor(planner)
    editor.balance.value = 0.4
    editor.pages.rows[1].slider.value = 0.3
    scope = {"planner": planner}
    exec(editor.code(), scope)
    assert scope["plan"] == editor.plan


def test_the_code_of_a_plan_made_by_hand_quotes_hostile_names(planner: FakePlanner) -> None:
    by_hand = PruningPlan({HOSTILE: 0.5}, weight_names={HOSTILE: "'''\n"})
    editor = studio.PlanEditor(planner, by_hand)
    ast.parse(editor.code())
    scope: dict[str, object] = {}
    exec(editor.code(), scope)
    assert scope["plan"] == by_hand


def test_copying_answers_with_the_code_and_a_fault_with_words(
    planner: FakePlanner, wire: Wire
) -> None:
    editor = studio.PlanEditor(planner)
    wire.take()
    editor.copy_button._handle_custom_msg({"kind": "copy"}, [])
    assert wire.contents[-1]["content"] == {"kind": "text", "text": editor.code()}
    editor.copy_button._make_text = lambda: 1 / 0
    editor.copy_button._handle_custom_msg({"kind": "copy"}, [])
    assert wire.contents[-1]["content"]["kind"] == "failed"


def test_hostile_names_and_messages_are_escaped(planner: FakePlanner) -> None:
    editor = studio.PlanEditor(planner, selected_layer="out_4")
    html = [w.value for w in (editor.chosen_title, editor.estimates, editor.messages)]
    assert not any("<img" in text for text in html)
    assert editor.chosen.slider.tooltip == HOSTILE
    assert editor.chosen.slider.description_allow_html is False


def test_an_opened_model_will_do() -> None:
    editor = studio.PlanEditor(sample_path("digits_cnn"))
    assert editor.estimate is not None
    assert editor.estimate.sparsity == pytest.approx(0.5, abs=1e-3)


def test_unknown_keyword_names_the_nearest_one(planner: FakePlanner) -> None:
    with pytest.raises(TypeError, match="Did you mean 'selected_layer'"):
        studio.PlanEditor(planner, selected="x")


def test_a_slider_that_only_rounds_is_not_moved() -> None:
    planner = FakePlanner(make_layers(6))
    editor = studio.PlanEditor(planner)
    first = planner.prunable_layers[0].id
    by_hand = PruningPlan({first: 0.3})
    editor.plan = by_hand
    editor.limit.value = 0.9500000000000001  # what a page reports when it draws 0.95
    assert editor.plan == by_hand
    editor.limit.value = 0.9
    assert editor.plan != by_hand
