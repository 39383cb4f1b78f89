from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest


async def test_an_empty_root_has_no_projects(api: Any, project_root: Path) -> None:
    answer = await api("GET", "/api/projects")
    assert (answer.status, answer.json) == (200, {"projects": []})
    assert project_root.is_dir()


async def test_a_root_that_is_gone_is_said(api: Any, project_root: Path) -> None:
    project_root.rmdir()
    answer = await api("GET", "/api/projects")
    assert answer.status == 404
    assert answer.message == f"Path {project_root} does not exist"
    assert not project_root.exists()


async def test_create_answers_bare_and_wrapped(api: Any, model_file: Path) -> None:
    config = {"projectName": "test project", "epochs": 3, "nested": {"a": [1, None]}}
    answer = await api(
        "POST", "/api/projects", {"modelPath": str(model_file), "projectConfig": config}
    )
    assert answer.status == 200
    created = answer.json
    assert UUID(created["projectId"]).version == 4
    assert created["projectName"] == "test project"
    assert created["project"].items() >= {**config, "projectId": created["projectId"]}.items()
    assert created["project"]["model"]["size"] == model_file.stat().st_size
    assert (await api("GET", "/api/projects")).json == {"projects": [created["project"]]}


@pytest.mark.parametrize("slash", ["", "/"])
async def test_get_with_and_without_a_slash(api: Any, project_url: str, slash: str) -> None:
    answer = await api("GET", project_url + slash)
    assert answer.status == 200
    assert answer.json["project"]["projectName"] == "test project"
    assert (await api("GET", "/api/projects" + slash)).status == 200


async def test_put_merges_settings_and_never_changes_the_id(
    api: Any, project_url: str, project_id: str
) -> None:
    await api("PUT", project_url, {"projectConfig": {"a": 1, "b": 2}})
    sent = {"projectId": "other", "projectName": "test project new name", "b": 3}
    answer = await api("PUT", project_url + "/", {"projectConfig": sent})
    assert answer.status == 200
    project = answer.json["project"]
    assert project["projectId"] == project_id
    assert project["projectName"] == "test project new name"
    assert (project["a"], project["b"], project["revision"]) == (1, 3, 3)
    assert (await api("GET", project_url)).json == answer.json


async def test_what_was_got_can_be_put_back(api: Any, project_url: str) -> None:
    before = (await api("GET", project_url)).json["project"]
    after = (await api("PUT", project_url, {"projectConfig": before})).json["project"]
    changing = ("revision", "updatedAt")
    assert {k: v for k, v in after.items() if k not in changing} == {
        k: v for k, v in before.items() if k not in changing
    }


async def test_delete(api: Any, project_url: str, project_id: str, model_file: Path) -> None:
    answer = await api("DELETE", project_url)
    assert (answer.status, answer.body) == (204, b"")
    assert (await api("GET", "/api/projects")).json == {"projects": []}
    again = await api("DELETE", project_url)
    assert (again.status, again.message) == (404, f"Project {project_id} does not exist")
    assert model_file.exists()


SUB_RESOURCES = [
    ("GET", "", None),
    ("PUT", "", {"projectConfig": {}}),
    ("DELETE", "", None),
    ("GET", "/prunable-layers", None),
    ("GET", "/sparse-analysis/loss/approx", None),
    ("GET", "/sparse-analysis/perf/approx", None),
    ("GET", "/sparse-analysis/loss", None),
    ("GET", "/sparse-analysis/perf", None),
    ("GET", "/sparse-analysis/loss/x", None),
    ("POST", "/sparse-analysis/loss/x", None),
    ("PUT", "/sparse-analysis/loss/x", {"loss": []}),
    ("GET", "/sparse-analysis/perf/x", None),
    ("POST", "/sparse-analysis/perf/x", None),
    ("PUT", "/sparse-analysis/perf/x", {"perf": []}),
    (
        "POST",
        "/config/export",
        {"config_fields": {"sparsities": [0.5], "pruning_profile": "uniform"}},
    ),
]


async def test_an_unknown_project_is_named_everywhere(api: Any) -> None:
    unknown = "7bb1c15a-3386-4a12-8e36-37e9691bea6f"
    for method, path, document in SUB_RESOURCES:
        for slash in ("", "/"):
            answer = await api(method, f"/api/projects/{unknown}{path}{slash}", document)
            assert (answer.status, answer.message) == (
                404,
                f"Project {unknown} does not exist",
            ), (method, path)


async def test_a_missing_model_is_said_in_the_callers_words(api: Any) -> None:
    for path in ("none.onnx", "folder/../none.onnx"):
        answer = await api("POST", "/api/projects", {"modelPath": path, "projectConfig": {}})
        assert (answer.status, answer.message) == (404, f"Path {path} does not exist")


async def test_what_is_not_a_model_is_said_and_why(api: Any, jp_root_dir: Path) -> None:
    (jp_root_dir / "text.onnx").write_text("this is a text\n" * 100)
    (jp_root_dir / "empty.onnx").write_bytes(b"")
    (jp_root_dir / "folder.onnx").mkdir()
    for name in ("text.onnx", "empty.onnx", "folder.onnx"):
        answer = await api("POST", "/api/projects", {"modelPath": name, "projectConfig": {}})
        assert answer.status == 400, name
        assert answer.message.startswith("Path "), answer.message
        assert f"{name} is not a valid file" in answer.message
        assert len(answer.message.split("is not a valid file")[1]) > 10, "it says why"
    assert (await api("GET", "/api/projects")).json == {"projects": []}


async def test_a_truncated_model_is_refused(api: Any, model_file: Path) -> None:
    model_file.write_bytes(model_file.read_bytes()[:-1000])
    answer = await api("POST", "/api/projects", {"modelPath": "net.onnx", "projectConfig": {}})
    assert answer.status == 400
    assert "net.onnx is not a valid file" in answer.message


async def test_a_damaged_project_hides_no_other(
    api: Any, project_id: str, project_root: Path
) -> None:
    (project_root / "broken").mkdir()
    (project_root / "broken" / "project.json").write_text("{")
    listed = {p["projectId"]: p for p in (await api("GET", "/api/projects")).json["projects"]}
    assert listed.keys() == {project_id, "broken"}
    assert "is damaged" in listed["broken"]["fault"]
    answer = await api("GET", "/api/projects/broken")
    assert answer.status == 507
    assert "is damaged" in answer.message
    assert (await api("DELETE", "/api/projects/broken")).status == 204


async def test_a_project_whose_model_is_gone_still_answers(
    api: Any, project_url: str, project_root: Path
) -> None:
    (folder,) = (p for p in project_root.iterdir() if not p.name.startswith("."))
    shutil.rmtree(folder / "model")
    project = (await api("GET", project_url)).json["project"]
    assert "is missing" in project["fault"]
    layers = await api("GET", project_url + "/prunable-layers")
    assert layers.status == 507
    assert "is missing" in layers.message
