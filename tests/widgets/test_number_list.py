from __future__ import annotations

from typing import Any

import pytest

from studio_core.attributes.specs import GridSpec, IntListSpec
from studio_core.errors import InvalidRequestError
from studio_widgets.number_list import NumberList

GRID = GridSpec(1, 10, 1, "x", (10, 8))


def _send(numbers: NumberList, **message: Any) -> None:
    numbers._handle_custom_msg(message, [])


def test_a_typed_number_is_taken_and_told() -> None:
    told: list[str] = []
    numbers = NumberList(GRID, "8x8", told.append)
    _send(numbers, kind="type", index=0, text="4")
    assert numbers.text == "4x8"
    assert told == ["4x8"]


def test_a_number_beyond_its_own_axis_keeps_the_last_good_value_and_says_why() -> None:
    told: list[str] = []
    numbers = NumberList(GRID, "8x8", told.append)
    _send(numbers, kind="type", index=1, text="9")
    assert numbers.text == "8x8"
    assert numbers._numbers == [8, 8]
    assert "axis 1" in numbers.wrong
    assert "8" in numbers.wrong
    assert told == []
    _send(numbers, kind="type", index=0, text="9")  # this axis goes up to 10
    assert (numbers.text, numbers.wrong) == ("9x8", "")


@pytest.mark.parametrize("text", ["", "x", "4x4", "1e3", "4.5", "²", "9" * 40])
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    numbers = NumberList(GRID, "8x8")
    _send(numbers, kind="type", index=0, text=text)
    assert numbers.text == "8x8"
    assert numbers.wrong


def test_a_step_is_the_one_of_the_specification() -> None:
    numbers = NumberList(IntListSpec(0, 96, 32), "[1, 64]")
    _send(numbers, kind="step", index=0, direction=1)
    assert numbers.text == "[33, 64]"
    _send(numbers, kind="step", index=1, direction=1)
    _send(numbers, kind="step", index=1, direction=1)
    assert numbers.text == "[33, 96]"


def test_the_value_of_the_model_is_allowed_even_beyond_the_limits() -> None:
    numbers = NumberList(GRID, "64x1")
    assert numbers.text == "64x1"
    _send(numbers, kind="type", index=1, text="2")
    assert numbers.text == "64x1"
    _send(numbers, kind="type", index=0, text="4")
    _send(numbers, kind="type", index=0, text="11")
    assert numbers.text == "4x1"
    _send(numbers, kind="type", index=0, text="64")
    assert numbers.text == "64x1"


def test_the_page_is_answered_even_where_nothing_changes() -> None:
    numbers = NumberList(GRID, "8x8")
    before = numbers._answered
    for message in ({"kind": "type", "index": 7, "text": "4"}, {"kind": "step", "index": True}):
        _send(numbers, **message)
    assert numbers.text == "8x8"
    assert numbers._answered == before + 2


def test_a_text_of_another_kind_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="no list of whole numbers"):
        NumberList(IntListSpec(), "8x8")
