from __future__ import annotations

from pathlib import Path

import pytest

import studio_widgets as studio
from studio_core.errors import InvalidRequestError, NotFoundError, StudioError
from studio_core.samples import sample_path
from studio_core.session import Session


@pytest.fixture
def wb(tmp_path: Path) -> studio.WorkbenchView:
    return studio.open_sample("digits_cnn", project_root=tmp_path / "projects")


def test_selecting_anywhere_selects_everywhere(wb: studio.WorkbenchView) -> None:
    ids = [layer.id for layer in wb.layers]
    parts = (wb, wb.table, wb.chart, wb.editor)
    for layer_id, part in zip(ids, parts, strict=False):
        part.selected_layer = layer_id
        assert {p.selected_layer for p in parts} == {layer_id}


def test_the_plan_is_one_in_all_parts(wb: studio.WorkbenchView) -> None:
    wb.editor.target.value = 0.8
    assert wb.plan is not None
    assert wb.plan.target == 0.8
    assert wb.table.plan == wb.chart.plan == wb.editor.plan == wb.plan
    wb.plan = wb.planner.distribute(0.3)
    assert wb.editor.target.value == 0.3
    assert wb.table.plan == wb.plan


def test_the_plan_becomes_a_recipe(wb: studio.WorkbenchView) -> None:
    assert wb.plan is not None
    assert "!GMPruningModifier" in wb.plan.to_recipe()


def test_the_code_repeats_what_was_done(wb: studio.WorkbenchView) -> None:
    wb.editor.target.value = 0.7
    wb.editor.pages.rows[3].slider.value = 0.2
    scope: dict[str, studio.WorkbenchView] = {}
    exec(wb.copy_as_code(), scope)
    assert scope["wb"].plan == wb.plan
    assert scope["wb"].selected_layer == wb.selected_layer == wb.layers[3].id


def test_nothing_is_written_before_a_person_asks(wb: studio.WorkbenchView, tmp_path: Path) -> None:
    assert list(tmp_path.iterdir()) == []
    assert wb.messages.value == ""


def test_saving_keeps_plan_and_selection(wb: studio.WorkbenchView, tmp_path: Path) -> None:
    wb.editor.target.value = 0.6
    wb.selected_layer = wb.layers[2].id
    plan = wb.plan
    wb.projects.save.click()
    assert wb.messages.value == ""
    assert wb.project is not None
    assert wb.project.name == "digits_cnn"
    assert wb.model.path.is_relative_to(tmp_path / "projects")
    assert (wb.plan, wb.selected_layer) == (plan, wb.layers[2].id)
    assert wb.projects.picker.value == wb.project.id
    assert "distribute(" in wb.copy_as_code()
    assert wb.projects.save.layout.display == "none"


def test_a_project_is_picked_and_opened_by_name(wb: studio.WorkbenchView, tmp_path: Path) -> None:
    wb.projects.path.value = f'"{sample_path("digits_transformer")}"'
    wb.projects.new.click()
    assert wb.messages.value == ""
    assert wb.model.name == "digits_transformer"
    again = studio.open("digits_transformer", project_root=tmp_path / "projects")
    assert again.project == wb.project
    other = studio.open_sample("digits_cnn", project_root=tmp_path / "projects")
    assert wb.project is not None
    other.projects.picker.value = wb.project.id
    assert other.model.name == "digits_transformer"
    assert len(other.table.layers) == len(wb.layers)


def test_errors_stand_in_the_widget_and_the_model_stays(
    wb: studio.WorkbenchView, tmp_path: Path
) -> None:
    text = tmp_path / "text.onnx"
    text.write_text("no model, <b>a text</b>")
    wb.projects.path.value = str(text)
    wb.projects.new.click()
    assert "Not an ONNX model" in wb.messages.value
    assert "<b>" not in wb.messages.value
    assert wb.model.name == "digits_cnn"


def test_a_damaged_project_is_marked_and_says_its_fault(
    wb: studio.WorkbenchView, tmp_path: Path
) -> None:
    wb.projects.save.click()
    assert wb.project is not None
    (wb.project.folder / "project.json").write_text("{")
    other = studio.open_sample("digits_cnn", project_root=tmp_path / "projects")
    label, project_id = other.projects.picker.options[1]
    assert label.startswith("⚠")
    other.projects.picker.value = project_id
    assert "The disk refused" in other.messages.value
    assert other.projects.picker.value == ""


def test_former_parts_are_closed(wb: studio.WorkbenchView) -> None:
    table, editor = wb.table, wb.editor
    wb.projects.save.click()
    assert table.comm is None
    assert editor.target.comm is None
    table.selected_layer = "x"
    assert wb.selected_layer == ""


def test_opens_what_a_person_has_at_hand(tmp_path: Path) -> None:
    path = sample_path("digits_cnn")
    root = tmp_path / "projects"
    session = Session.open(path)
    for source in (path, str(path), session, session.model):
        assert studio.open(source, project_root=root).model.path == path


def test_what_cannot_be_opened_is_raised(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="not int"):
        studio.open(3, project_root=tmp_path)
    with pytest.raises(StudioError):
        studio.open("no-such-model.onnx", project_root=tmp_path)
    with pytest.raises(NotFoundError):
        studio.open_sample("no_such_sample", project_root=tmp_path)
