"""Editable attributes on the wire, word for word as in the contract's examples."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio_core.attributes import (
    GridSpec,
    IntListSpec,
    ValueListSpec,
    spec_from_json,
    spec_to_json,
)
from studio_core.errors import InvalidRequestError

EXAMPLES = [
    (
        IntListSpec(8, 64, 8),
        {"input_type": "int_list", "min_value": 8, "max_value": 64, "step": 8},
    ),
    (
        ValueListSpec(("wormhole", "grayskull")),
        {"input_type": "value_list", "options": ["wormhole", "grayskull"]},
    ),
    (
        GridSpec(4, 64, 4, "x"),
        {"input_type": "grid", "min_value": 4, "max_value": 64, "step": 4, "separator": "x"},
    ),
]


@pytest.mark.parametrize(("spec", "content"), EXAMPLES)
def test_the_examples_of_the_contract(spec, content):
    assert spec_to_json(spec) == content
    assert list(spec_to_json(spec)) == list(content)
    assert spec_from_json(content) == spec


def test_what_is_absent_is_the_contracts_default():
    assert spec_from_json({"input_type": "int_list"}) == IntListSpec(0, 100, 1)
    assert spec_from_json({"input_type": "grid"}) == GridSpec(0, 100, 1, "x")


def test_of_the_limits_of_the_axes_the_largest_is_written():
    assert spec_to_json(GridSpec(1, 100, max_values=(10, 13)))["max_value"] == 13


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {},
        {"input_type": "slider"},
        {"input_type": ["grid"]},
        {"input_type": "value_list"},
        {"input_type": "value_list", "options": "ab"},
        {"input_type": "value_list", "options": [1]},
        {"input_type": "int_list", "min_value": "0"},
        {"input_type": "int_list", "min_value": True},
        {"input_type": "int_list", "max_value": 1.5},
        {"input_type": "int_list", "min_value": 200},
        {"input_type": "int_list", "step": 0},
        {"input_type": "grid", "separator": ""},
        {"input_type": "grid", "separator": 4},
        {"input_type": "grid", "separator": "0"},
        {"input_type": "grid", "separator": "-", "min_value": -1},
    ],
)
def test_what_describes_no_editable_attribute_is_refused(content):
    with pytest.raises(InvalidRequestError):
        spec_from_json(content)


whole = st.integers(-1000, 1000)
spans = st.builds(lambda a, b: (min(a, b), max(a, b)), whole, whole)
specs = st.one_of(
    st.builds(lambda s, step: IntListSpec(*s, step), spans, st.integers(1, 99)),
    st.builds(
        lambda s, step, sep: GridSpec(*s, step, sep),
        spans,
        st.integers(1, 99),
        st.sampled_from(["x", ",", " x "]),
    ),
    st.builds(ValueListSpec, st.lists(st.text(max_size=5), max_size=4).map(tuple)),
)


@given(specs)
@settings(max_examples=60)
def test_what_is_written_is_read_again(spec):
    assert spec_from_json(spec_to_json(spec)) == spec
