"""Requests that are wrong in every way: answered in JSON with a sentence, and nothing changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

NO_JSON = ["", "{", "nonsense", '{"a": NaN}', '{"a": Infinity}', "\xff", "[" * 100_000]
NO_OBJECT = ["[]", "3", "null", '"text"', "true"]


@pytest.mark.parametrize("body", NO_JSON + NO_OBJECT, ids=lambda body: repr(body[:12]))
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/projects"),
        ("PUT", ""),
        ("PUT", "/sparse-analysis/loss/x"),
        ("POST", "/config/export"),
        ("PUT", "/config/export"),
    ],
)
async def test_a_body_that_is_no_json_object(
    api: Any, project_url: str, method: str, path: str, body: str
) -> None:
    path = path if path.startswith("/api") else project_url + path
    answer = await api(method, path, body=body.encode("latin-1"))
    assert answer.status == 400, answer.body
    assert answer.message.startswith("The body of the request must be a JSON object")


@pytest.mark.parametrize("body", ["{", "[]", "3"])
async def test_run_takes_no_body_or_an_object(api: Any, project_url: str, body: str) -> None:
    answer = await api("POST", project_url + "/sparse-analysis/loss/x", body=body)
    assert answer.status == 400
    assert (await api("POST", project_url + "/sparse-analysis/loss/x", body="")).status == 200


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "Missing required field 'modelPath'"),
        ({"projectConfig": {}}, "Missing required field 'modelPath'"),
        ({"modelPath": "net.onnx"}, "Missing required field 'projectConfig'"),
        ({"modelPath": 3, "projectConfig": {}}, "Field 'modelPath' must be a text."),
        ({"modelPath": None, "projectConfig": {}}, "Field 'modelPath' must be a text."),
        ({"modelPath": "", "projectConfig": {}}, "The path is empty"),
        ({"modelPath": "net.onnx", "projectConfig": []}, "'projectConfig' must be an object."),
        ({"modelPath": "net.onnx", "projectConfig": {"projectName": 3}}, "'projectName' must be"),
        ({"modelPath": "net.onnx", "projectConfig": {"a": 1e999}}, "must be a JSON object"),
    ],
)
async def test_create_with_wrong_fields(
    api: Any, model_file: Path, body: dict[str, Any], said: str
) -> None:
    answer = await api("POST", "/api/projects", body)
    assert answer.status == 400, answer.body
    assert said in answer.message
    assert (await api("GET", "/api/projects")).json == {"projects": []}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "Missing required field 'projectConfig'"),
        ({"projectConfig": "x"}, "'projectConfig' must be an object"),
        ({"projectConfig": {"projectName": ""}}, "'projectName' must be"),
        ({"projectConfig": {"projectName": None}}, "'projectName' must be"),
    ],
)
async def test_put_with_wrong_fields(api: Any, project_url: str, body: Any, said: str) -> None:
    before = await api("GET", project_url)
    answer = await api("PUT", project_url, body)
    assert answer.status == 400
    assert said in answer.message
    assert (await api("GET", project_url)).json == before.json


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../secret.onnx", "{root}-private/net.onnx", "link/secret.onnx", "//host/x",
     "\\\\host\\x", "net.onnx\0", "/proc/self/environ"],
)  # fmt: skip
async def test_a_model_outside_the_roots_is_forbidden(
    api: Any, jp_root_dir: Path, path: str
) -> None:
    (jp_root_dir.parent / "secret.onnx").write_bytes(b"secret")
    (jp_root_dir / "link").symlink_to(jp_root_dir.parent)
    asked = path.format(root=jp_root_dir)
    answer = await api("POST", "/api/projects", {"modelPath": asked, "projectConfig": {}})
    assert answer.status == 403, answer.body
    assert "not one that Studio reads" in answer.message


async def test_a_percent_sign_in_a_message_stays_one(api: Any, model_file: Path) -> None:
    body = {"modelPath": "100%s.onnx", "projectConfig": {}}
    answer = await api("POST", "/api/projects", body)
    assert answer.message == "Path 100%s.onnx does not exist"


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/nothing/", "/sparse-analysis", "/sparse-analysis/other/approx", "/config",
     "/sparse-analysis/loss/a/b", "/prunable-layers/x", "//"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
async def test_unknown_addresses_are_404_in_json(
    api: Any, project_url: str, path: str, method: str
) -> None:
    answer = await api(method, project_url + path)
    assert answer.status == 404
    assert "There is nothing at" in answer.message


async def test_unknown_addresses_below_studio(api: Any) -> None:
    answer = await api("GET", "/api/studio/nothing")
    assert (answer.status, "There is nothing at" in answer.message) == (404, True)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/projects", {"GET", "POST", "OPTIONS"}),
        ("PUT", "/api/projects/", {"GET", "POST", "OPTIONS"}),
        ("POST", "", {"GET", "PUT", "DELETE", "OPTIONS"}),
        ("POST", "/prunable-layers", {"GET", "OPTIONS"}),
        ("PUT", "/sparse-analysis/loss", {"GET", "OPTIONS"}),
        ("GET", "/config/export", {"POST", "PUT", "OPTIONS"}),
        ("POST", "/api/studio", {"GET", "OPTIONS"}),
    ],
)
async def test_a_method_that_is_not_possible(
    api: Any, project_url: str, method: str, path: str, allowed: set[str]
) -> None:
    answer = await api(method, path if path.startswith("/api") else project_url + path)
    assert answer.status == 405
    assert set(answer.headers["Allow"].split(", ")) == allowed
    assert f"{method} is not possible here" in answer.message


class TestALargeBody:
    @pytest.fixture
    def jp_server_config(self, project_root: Path) -> dict[str, Any]:
        return {
            "ServerApp": {"jpserver_extensions": {"studio_server": True}},
            "StudioApp": {"project_root": str(project_root), "max_request_bytes": 1000},
        }

    async def test_is_413(self, api: Any, project_url: str) -> None:
        answer = await api("PUT", project_url, {"projectConfig": {"a": "x" * 1000}})
        assert answer.status == 413
        assert answer.message == "The request is larger than 1000 bytes."


async def test_a_defect_of_studio_is_told_as_one(
    api: Any, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = jp_serverapp.extension_manager.extension_points["studio"].app
    monkeypatch.setattr(app.workbench, "projects", lambda: 1 / 0)
    answer = await api("GET", "/api/projects")
    assert answer.status == 500
    assert "by a fault of its own" in answer.message
    assert "division" not in answer.message
