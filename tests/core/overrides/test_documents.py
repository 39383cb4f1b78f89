"""Overrides as the original front end writes them, in files and in memory."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio_core.errors import InvalidRequestError, NotFoundError, StorageError
from studio_core.overrides.documents import from_json, read_overrides, save_overrides, to_json
from studio_core.overrides.records import Override, Overrides

CLIENTS = {
    "loc(a)": {
        "named_location": "a",
        "full_location": "loc(a)",
        "attributes": [{"key": "grid_shape", "value": "4x8"}],
    }
}


def test_the_clients_own_example_word_for_word():
    overrides = from_json(CLIENTS)
    assert list(overrides) == [Override("a", "loc(a)", {"grid_shape": "4x8"})]
    assert to_json(overrides) == CLIENTS


def test_quotes_are_stripped_as_the_client_does():
    written = to_json(Overrides.of([Override("a", 'loc("a"("m.py":1:2))', {"data_type": "bf16"})]))
    assert list(written) == ["loc(a(m.py:1:2))"]
    assert written["loc(a(m.py:1:2))"]["full_location"] == "loc(a(m.py:1:2))"


def test_none_and_nothing():
    assert len(from_json(None)) == len(from_json({})) == 0
    assert to_json(Overrides()) == {}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "JSON object"),
        ({"a": 3}, "'a'"),
        ({"a": {"attributes": 3}}, "attributes"),
        ({"a": {"attributes": [{"key": 1, "value": "x"}]}}, "text"),
        ({"a": {"attributes": [{"key": "k"}]}}, "value"),
        ({"a": {"named_location": 1, "attributes": []}}, "locations"),
        ({"n" * 500: 3}, "…"),
    ],
)
def test_what_is_no_override_is_named(document, words):
    with pytest.raises(InvalidRequestError, match=words):
        from_json(document)


def test_a_file_is_written_and_read_back(tmp_path):
    path = tmp_path / "overrides.json"
    save_overrides(path, from_json(CLIENTS))
    assert json.loads(path.read_text(encoding="utf-8")) == CLIENTS
    assert read_overrides(path) == from_json(CLIENTS)
    assert [p.name for p in tmp_path.iterdir()] == ["overrides.json"]


def test_settings_of_a_request_are_read_as_well(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"optimizationPolicy": "x", "overrides": CLIENTS}))
    assert read_overrides(path) == from_json(CLIENTS)


def test_files_that_are_not_there_or_damaged(tmp_path):
    with pytest.raises(NotFoundError):
        read_overrides(tmp_path / "none.json")
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(StorageError):
        read_overrides(broken)


def test_values_of_one_op_come_together_and_can_be_taken_away():
    overrides = Overrides.of(
        [
            Override("a", "loc(a)", {"grid_shape": "1x1", "data_type": "f32"}),
            Override("b", "loc(b)", {"data_type": "f32"}),
            Override("a", "loc(a)", {"grid_shape": "4x8"}),
        ]
    )
    assert overrides.by_key["loc(a)"].attributes == {"grid_shape": "4x8", "data_type": "f32"}
    less = overrides.without("loc(a)", "grid_shape")
    assert less.by_key["loc(a)"].attributes == {"data_type": "f32"}
    assert list(less.without("loc(a)", "data_type").by_key) == ["loc(b)"]
    assert list(overrides.without("loc(a)").by_key) == ["loc(b)"]
    assert overrides.without("nobody") == overrides


words = st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"]), max_size=20)
sets = st.lists(
    st.builds(Override, words, words, st.dictionaries(words, words, min_size=1, max_size=3)),
    max_size=5,
).map(lambda found: Overrides.of(o for o in found if o.key))


@given(sets)
def test_json_and_back(overrides):
    document = json.loads(json.dumps(to_json(overrides)))
    again = from_json(document)
    assert to_json(again) == document
    assert [o.attributes for o in again] == [o.attributes for o in overrides]
    assert [o.named_location for o in again] == [o.named_location for o in overrides]
