"""Values of editable attributes: written, read, checked and stepped."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio_core.attributes import (
    GridSpec,
    IntListSpec,
    ValueListSpec,
    bar_fraction,
    check_value,
    format_value,
    limits,
    options_of,
    parse_value,
    read_value,
    step_value,
)
from studio_core.errors import InvalidRequestError

ROOM = GridSpec(1, 13, max_values=(10, 13))


@pytest.mark.parametrize(
    ("spec", "text", "value"),
    [
        (IntListSpec(), "[1, 2, 3]", (1, 2, 3)),
        (IntListSpec(), " [1,2 , 3 ]", (1, 2, 3)),
        (IntListSpec(), "[]", ()),
        (IntListSpec(), "[-4]", (-4,)),
        (GridSpec(), "4x4x2", (4, 4, 2)),
        (GridSpec(), "8 x 8", (8, 8)),
        (GridSpec(separator=", "), "8, 8", (8, 8)),
        (ValueListSpec(("a", "b")), "a", "a"),
    ],
)
def test_text_is_read(spec, text, value):
    assert parse_value(spec, text) == value


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (IntListSpec(), "1, 2"),
        (IntListSpec(), "["),
        (IntListSpec(), "[1, ]"),
        (IntListSpec(), "[1.5]"),
        (IntListSpec(), "[1_0]"),
        (IntListSpec(), "[٣]"),
        (IntListSpec(), f"[{'9' * 5000}]"),
        (IntListSpec(), f"[{'1,' * 2000}1]"),
        (GridSpec(), "4x"),
        (GridSpec(), ""),
        (GridSpec(), "4*4"),
    ],
)
def test_what_is_not_written_as_the_kind_demands_is_refused(spec, text):
    with pytest.raises(InvalidRequestError) as error:
        parse_value(spec, text)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize(
    ("spec", "text", "said"),
    [
        (IntListSpec(), "[101]", "0 to 100"),
        (IntListSpec(), "[-1]", "0 to 100"),
        (IntListSpec(8, 64, 8), "[7]", "8 to 64"),
        (ROOM, "11x4", "axis 0 is not from 1 to 10"),
        (ROOM, "4x14", "axis 1 is not from 1 to 13"),
        (ROOM, "4", "this grid has 2"),
        (ValueListSpec(("a", "b")), "c", "a, b"),
    ],
)
def test_values_beyond_the_limits_are_refused_with_what_is_allowed(spec, text, said):
    with pytest.raises(InvalidRequestError, match=said):
        read_value(spec, text)


def test_limits_are_inclusive():
    assert read_value(IntListSpec(), "[0, 100]") == (0, 100)
    assert read_value(ROOM, "10x13") == (10, 13)


def test_the_value_now_is_allowed_whatever_the_limits_say():
    assert read_value(IntListSpec(), "[500]", current="[500]") == (500,)
    check_value(ValueListSpec(("a",)), "old", current="old")
    with pytest.raises(InvalidRequestError):
        read_value(IntListSpec(), "[501]", current="[500]")


def test_a_number_where_an_option_is_wanted_is_refused():
    with pytest.raises(InvalidRequestError):
        check_value(ValueListSpec(("a",)), (1,))
    with pytest.raises(InvalidRequestError):
        check_value(IntListSpec(), "a")


@pytest.mark.parametrize(
    ("spec", "value", "index", "direction", "stepped"),
    [
        (IntListSpec(8, 64, 8), (8, 8), 1, 1, (8, 16)),
        (IntListSpec(8, 64, 8), (8, 8), 0, -1, (8, 8)),
        (IntListSpec(8, 64, 8), (60, 8), 0, 1, (64, 8)),
        (IntListSpec(8, 64, 8), (500, 8), 0, -1, (64, 8)),
        (IntListSpec(), (0,), 0, 1, (1,)),
        (IntListSpec(), (100,), 0, 1, (100,)),
        (GridSpec(4, 64, 4), (4, 4), 0, 1, (8, 4)),
        (ROOM, (10, 10), 0, 1, (10, 10)),
        (ROOM, (10, 10), 1, 1, (10, 11)),
        (ValueListSpec(("a", "b")), "a", 0, 1, "b"),
        (ValueListSpec(("a", "b")), "b", 0, 1, "b"),
        (ValueListSpec(("a", "b")), "own", 0, -1, "b"),
    ],
)
def test_a_step_goes_to_the_next_value_and_stops_at_the_limits(
    spec, value, index, direction, stepped
):
    assert step_value(spec, value, index, direction) == stepped


@pytest.mark.parametrize("index", [-1, 2])
def test_a_step_of_a_number_that_is_not_there_is_refused(index):
    with pytest.raises(InvalidRequestError):
        step_value(GridSpec(), (1, 2), index, 1)


def test_the_current_value_joins_the_options_once():
    spec = ValueListSpec(("wormhole", "grayskull", "wormhole"))
    assert options_of(spec, "blackhole") == ("wormhole", "grayskull", "blackhole")
    assert options_of(spec, "wormhole") == ("wormhole", "grayskull")


numbers = st.lists(st.integers(-(10**17), 10**17), min_size=1, max_size=6).map(tuple)
ranges = st.tuples(st.integers(-50, 50), st.integers(0, 100), st.integers(1, 40))


@given(numbers, st.sampled_from(["x", ",", "*", " by ", "×"]))
@settings(max_examples=60)
def test_what_is_written_is_read_again(value, separator):
    for spec in (IntListSpec(), GridSpec(separator=separator)):
        assert parse_value(spec, format_value(spec, value)) == value


@given(ranges, numbers, st.integers(0, 5), st.sampled_from([-1, 1]))
@settings(max_examples=100)
def test_a_step_ends_within_the_limits_and_changes_one_number(span, value, index, direction):
    low, width, step = span
    spec = IntListSpec(low, low + width, step)
    index %= len(value)
    stepped = step_value(spec, value, index, direction)
    least, most = limits(spec, index)
    assert least <= stepped[index] <= most
    assert [*stepped[:index], *stepped[index + 1 :]] == [*value[:index], *value[index + 1 :]]


@given(st.text(max_size=30))
@settings(max_examples=100)
def test_any_text_is_a_value_or_refused_with_a_sentence(text):
    for spec in (IntListSpec(), GridSpec()):
        try:
            value = parse_value(spec, text)
        except InvalidRequestError as error:
            assert str(error).endswith(".")
        else:
            assert parse_value(spec, format_value(spec, value)) == value


@pytest.mark.parametrize(
    ("value", "fraction"),
    [("0", 0.0), ("1", 1.0), ("0.25", 0.25), ("1e-3", 0.001), (".5", 0.5), ("-0", 0.0),
     ("1.0001", None), ("-0.1", None), ("NaN", None), ("inf", None), ("", None),
     ("unknown", None), ("0x1", None), ("1_0", None), ("0.5 MB", None), ("1e400", None)],
)  # fmt: skip
def test_a_memory_value_is_a_bar_only_as_a_number_from_0_to_1(value, fraction):
    assert bar_fraction(value) == fraction
