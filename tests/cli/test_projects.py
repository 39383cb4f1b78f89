"""`studio create` and `studio projects`, and projects in place of a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from studio_core.projects import ProjectStore

if TYPE_CHECKING:
    from tests.cli.conftest import Studio


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "projects"


def test_a_project_is_made_and_listed(studio: Studio, two_layers: Path, root: Path) -> None:
    made = studio("create", two_layers, "--project-root", root, "--json").json
    listed = studio("projects", "--project-root", root, "--json").json["projects"]

    assert made["projectName"] == "two"
    assert [project["projectId"] for project in listed] == [made["projectId"]]
    assert listed[0]["projectName"] == "two"
    assert listed[0]["fault"] is None
    assert Path(listed[0]["modelPath"]).read_bytes() == two_layers.read_bytes()
    assert listed[0]["model"]["sourcePath"] == str(two_layers)
    assert made["project"] == listed[0]


def test_people_get_a_table_and_the_next_step(studio: Studio, two_layers: Path, root: Path) -> None:
    made = studio("create", two_layers, "--name", "[b]mine[/b]", "--project-root", root)
    listed = studio("projects", "--project-root", root)

    assert "Created project '[b]mine[/b]'" in made.out
    assert "studio layers project:" in made.out
    assert listed.rows()[1][0] == "[b]mine[/b]"
    assert "two.onnx" in listed.out


def test_a_project_stands_for_its_model(studio: Studio, two_layers: Path, root: Path) -> None:
    project_id = studio("create", two_layers, "--project-root", root, "--json").json["projectId"]
    for reference in ("two", project_id):
        result = studio("layers", f"project:{reference}", "--project-root", root)
        assert result.rows()[1][0] == "a"


def test_the_default_root_is_in_the_home(studio: Studio, two_layers: Path, home: Path) -> None:
    assert "No projects in" in studio("projects").out
    assert studio("projects", "--json").json == {"projects": []}
    assert studio("create", two_layers).status == 0
    assert len(list((home / "studio-projects").glob("two-*"))) == 1
    assert studio("layers", "project:two").status == 0


def test_a_root_that_was_named_must_exist(studio: Studio, root: Path) -> None:
    result = studio("projects", "--project-root", root)
    assert result.status == 1
    assert f"Path {root} does not exist" in result.err


def test_a_project_that_is_not_there(studio: Studio, two_layers: Path, root: Path) -> None:
    studio("create", two_layers, "--project-root", root)
    result = studio("layers", "project:other", "--project-root", root)
    assert result.status == 1
    assert "No project named 'other'" in result.err


def test_two_projects_of_one_name_need_an_id(studio: Studio, two_layers: Path, root: Path) -> None:
    for _ in range(2):
        studio("create", two_layers, "--project-root", root)
    result = studio("layers", "project:two", "--project-root", root)
    assert result.status == 1
    assert "2 projects are named 'two'" in result.err


def test_a_damaged_project_is_listed_with_its_fault(
    studio: Studio, two_layers: Path, root: Path
) -> None:
    project = ProjectStore(root).create(two_layers, {})
    (project.folder / "project.json").write_text("{")
    listed = studio("projects", "--project-root", root, "--json").json["projects"]
    table = studio("projects", "--project-root", root)
    opened = studio("layers", f"project:{project.folder.name}", "--project-root", root)

    assert listed[0]["fault"]
    assert listed[0]["modelPath"] is None
    assert table.status == 0
    assert project.folder.name in table.out
    assert opened.status == 1
    assert "cannot be opened" in opened.err


def test_settings_are_kept_beside_the_facts(studio: Studio, two_layers: Path, root: Path) -> None:
    project = ProjectStore(root).create(two_layers, {"note": "mine", "folder": "elsewhere"})
    listed = studio("projects", "--project-root", root).out
    document = studio("projects", "--project-root", root, "--json").json["projects"][0]
    assert project.name in listed
    assert document["note"] == "mine"
    assert document["folder"] == str(project.folder)


def test_a_sample_can_be_kept_as_a_project(studio: Studio, root: Path) -> None:
    made = studio("create", "sample:digits_cnn", "--name", "digits", "--project-root", root)
    assert made.status == 0
    assert (
        json.loads(next(root.glob("digits-*/project.json")).read_text())["projectName"] == "digits"
    )


def test_a_file_that_is_no_model_makes_no_project(
    studio: Studio, tmp_path: Path, root: Path
) -> None:
    text = tmp_path / "text.onnx"
    text.write_text("hello")
    result = studio("create", text, "--project-root", root)
    assert result.status == 1
    assert "not a valid file" in result.err
    assert not root.exists()
