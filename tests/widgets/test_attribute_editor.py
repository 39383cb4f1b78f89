from __future__ import annotations

import pytest

import studio_widgets as studio
from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.graphs.records import GraphAttribute

from .conftest import Wire
from .fakes import HOSTILE
from .graphs import editable_node


def test_each_kind_has_its_control_and_the_rest_is_a_table() -> None:
    editor = studio.AttributeEditor(editable_node())
    assert list(editor.rows) == ["data_type", "grid_shape", "act_block_h"]
    assert editor.rows["data_type"].control.options == ("bf16", "f32", "bfp_bf8")
    assert editor.rows["grid_shape"].control._limits == [[1, 10], [1, 8]]
    assert "broken" in editor.table.value
    assert "rank" in editor.table.value
    assert HOSTILE not in editor.table.value
    assert "&lt;img" in editor.table.value


def test_memory_is_a_bar_with_its_certainty_and_text_where_it_is_no_fraction() -> None:
    editor = studio.AttributeEditor(editable_node())
    l1, dram = editor.memory.value.split("</div>")[:2]
    assert 'aria-valuenow="0.4200"' in l1
    assert "width:42.00%" in l1
    assert "lower bound" in l1
    assert "Buffers missing." in l1
    assert 'role="meter"' not in dram
    assert "NaN" in dram
    assert "unknown" in dram


@pytest.mark.parametrize("value", ["1.0001", "-0.1", "nan", "inf", "0x1", "½", "</div>"])
def test_what_is_no_fraction_is_never_a_bar(value: str) -> None:
    attribute = GraphAttribute("l1_memory", value, display_type="memory")
    editor = studio.AttributeEditor([attribute])
    assert "meter" not in editor.memory.value
    assert editor.memory.value.count("</div>") == 1


def test_changes_are_those_that_differ_from_the_model() -> None:
    editor = studio.AttributeEditor(editable_node())
    heard: list[dict[str, str]] = []
    editor.on_change(heard.append)
    editor.rows["data_type"].control.value = "f32"
    editor.set_value("grid_shape", "4x8")
    assert editor.changes == {"data_type": "f32", "grid_shape": "4x8"}
    assert heard == [{"data_type": "f32"}, {"data_type": "f32", "grid_shape": "4x8"}]
    editor.rows["data_type"].control.value = "bf16"
    assert editor.changes == {"grid_shape": "4x8"}
    assert "studio-mark-changed" in editor.rows["grid_shape"].title.value
    assert "studio-mark" not in editor.rows["data_type"].title.value


def test_reset_one_and_all() -> None:
    editor = studio.AttributeEditor(editable_node())
    editor.set_value("data_type", "f32")
    editor.set_value("grid_shape", "4x8")
    editor.rows["data_type"].back.click()
    assert editor.changes == {"grid_shape": "4x8"}
    editor.reset_button.click()
    assert editor.changes == {}
    assert editor.rows["grid_shape"].control.text == "8x8"
    assert editor.reset_button.layout.visibility == "hidden"


def test_a_value_that_is_not_allowed_is_refused_and_nothing_changes() -> None:
    editor = studio.AttributeEditor(editable_node())
    with pytest.raises(InvalidRequestError, match="axis 1"):
        editor.set_value("grid_shape", "4x9")
    with pytest.raises(InvalidRequestError, match="not one of the options"):
        editor.set_value("data_type", HOSTILE)
    with pytest.raises(NotFoundError, match="Editable: data_type"):
        editor.set_value("shape", "[1]")
    assert editor.changes == {}


def test_marks_say_what_became_of_a_change() -> None:
    editor = studio.AttributeEditor(editable_node())
    editor.set_value("grid_shape", "4x8")
    editor.mark("grid_shape", "rejected", f"still 8x8 {HOSTILE}")
    row = editor.rows["grid_shape"]
    assert "studio-mark-rejected" in row.title.value
    assert "still 8x8 &lt;img" in row.reason.value
    editor.set_value("grid_shape", "2x8")
    assert "studio-mark-changed" in row.title.value
    assert row.reason.value == ""


def test_another_node_brings_its_own_changes_and_nobody_is_told() -> None:
    editor = studio.AttributeEditor(editable_node("a"))
    heard: list[dict[str, str]] = []
    editor.on_change(heard.append)
    editor.set_value("data_type", "f32")
    editor.show(editable_node("b"))
    assert editor.changes == {}
    assert editor.rows["data_type"].control.value == "bf16"
    editor.show(editable_node("a"), {"data_type": "f32"}, {"data_type": ("applied", "")})
    assert editor.changes == {"data_type": "f32"}
    assert "studio-mark-applied" in editor.rows["data_type"].title.value
    assert len(heard) == 1


def test_an_earlier_change_that_is_no_longer_allowed_is_said_to_be_so() -> None:
    editor = studio.AttributeEditor()
    editor.show(editable_node(), {"grid_shape": "99x99"})
    row = editor.rows["grid_shape"]
    assert row.control.text == "8x8"
    assert row.mark == "rejected"
    assert "99" in row.reason.value
    assert editor.changes == {}


def test_walking_from_node_to_node_makes_no_new_controls(wire: Wire) -> None:
    editor = studio.AttributeEditor(editable_node("a"))
    rows = list(editor.rows.values())
    wire.take()
    editor.show(editable_node("b"))
    assert list(editor.rows.values()) == rows
    assert len(wire.sizes) < 12


def test_nothing_selected_says_what_to_do() -> None:
    editor = studio.AttributeEditor()
    assert "Select a node" in editor.title.value
    assert editor.rows == {}
    editor.show(None)
    assert editor.node is None


def test_what_has_no_attributes_is_refused_in_words() -> None:
    with pytest.raises(InvalidRequestError, match="not int"):
        studio.AttributeEditor(3)
