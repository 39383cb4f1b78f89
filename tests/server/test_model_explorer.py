"""Model Explorer's contract against the server: the seed's examples, runs, uploads, errors."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from studio_core.explorer.opened import open_file
from studio_core.graphs.model_explorer_json import graph_to_json
from studio_server import model_explorer_handlers

DATA = Path(__file__).parents[1] / "data" / "mlir"
OVERRIDES = {
    "loc(matmul_1)": {
        "named_location": "matmul_1",
        "full_location": "loc(matmul_1)",
        "attributes": [{"key": "data_type", "value": "bfp_bf8"}],
    }
}
SETTINGS = {
    "const_element_count_limit": 16,
    "edge_label_font_size": 7.5,
    "artificial_layer_node_count_threshold": 1000,
    "keep_layers_with_a_single_child": False,
    "show_welcome_card": False,
    "disallow_vertical_edge_labels": False,
    "show_op_node_out_of_layer_edges_without_selecting": False,
    "highlight_layer_node_inputs_outputs": False,
    "hide_empty_node_data_entries": False,
}
"""The settings of the seed's example request."""


@pytest.fixture
def module(jp_root_dir: Path) -> Path:
    return Path(shutil.copy(DATA / "run_mlp.mlir", jp_root_dir / "mnist_sharding.mlir"))


class Explorer:
    """Sends commands as a front end does."""

    def __init__(self, api: Any) -> None:
        self.api = api

    async def send(self, command: str, path: object = "", **fields: Any) -> Any:
        document = {
            "extensionId": "tt_adapter",
            "cmdId": command,
            "modelPath": str(path),
            "settings": {},
            "deleteAfterConversion": False,
            **fields,
        }
        answer = await self.api("POST", "/apipost/v1/send_command", document)
        assert answer.status == 200, answer.body
        return answer.json

    async def upload(self, path: Path) -> Any:
        body = (
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="'
            + path.name.encode()
            + b'"\r\nContent-Type: application/octet-stream\r\n\r\n'
            + path.read_bytes()
            + b"\r\n--b--\r\n"
        )
        headers = {
            "Authorization": "token " + self.token,
            "Content-Type": "multipart/form-data; boundary=b",
        }
        return await self.api("POST", "/apipost/v1/upload", body=body, headers=headers)

    async def finished(self, path: Path, command: str = "status_check") -> Any:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            [status] = (await self.send(command, path))["graphs"]
            if status["isDone"]:
                return status
            await asyncio.sleep(0.05)
        raise AssertionError(status)

    token = ""


@pytest.fixture
def explorer(api: Any, jp_auth_header: Any) -> Explorer:
    found = Explorer(api)
    found.token = jp_auth_header["Authorization"].removeprefix("token ")
    return found


async def test_the_seeds_examples_hold(
    explorer: Explorer, module: Path, project_root: Path
) -> None:
    request = {
        "extensionId": "tt_adapter",
        "cmdId": "convert",
        "modelPath": str(module),
        "settings": SETTINGS,
        "deleteAfterConversion": True,
    }
    answer = await explorer.api("POST", "/apipost/v1/send_command", request)
    assert answer.status == 200
    [graph] = answer.json["graphs"]
    assert answer.json == {"graphs": [graph]}
    [opened] = open_file(module)
    assert graph == graph_to_json(opened.graph)
    assert module.is_file(), "it was not uploaded, so it is not ours to delete"

    [system] = (await explorer.send("initialize"))["graphs"]
    assert list(system) == ["system_desc_path"]
    assert Path(system["system_desc_path"]).is_file()

    assert await explorer.send("execute", module) == {"graphs": []}
    [status] = (await explorer.send("status_check", module))["graphs"]
    assert status["total"] == 100
    assert 0 <= status["progress"] <= 100
    assert status["stdout"].startswith(f"Executing model...\nPath: {module}")
    assert Path(status["log_file"]).is_file()
    assert (await explorer.finished(module, "status-check"))["progress"] == 100


async def test_executing_with_overrides_as_the_original_tests_do(
    explorer: Explorer, module: Path
) -> None:
    wrong = await explorer.send("execute", module, settings={"optimizationPolicy": "Greedy"})
    assert wrong["graphs"] == []
    assert wrong["error"].startswith("InvalidRequestError: 'Greedy' is no optimization policy.")
    settings = {"optimizationPolicy": "Optimizer Enabled", "overrides": OVERRIDES}
    assert await explorer.send("execute", module, settings=settings) == {"graphs": []}
    busy = await explorer.send("execute", module, settings=settings)
    assert busy["error"].startswith("ConflictError: mnist_sharding.mlir is being executed.")
    statuses = await asyncio.gather(*(explorer.finished(module) for _ in range(3)))
    assert statuses[0] == statuses[1] == statuses[2], "nobody takes the log from another"
    assert "error" not in statuses[0]
    assert (statuses[0]["progress"], statuses[0]["backend"]) == (100, "cpu")
    assert statuses[0]["stdout"].rstrip().endswith("Done.")
    [applied] = statuses[0]["applied"]
    assert (applied["requested"], applied["outcome"]) == ("bfp_bf8", "applied")

    [graph] = (await explorer.send("convert", module))["graphs"]
    name, clock = graph["id"].split(" - Execution ")
    assert name == "mnist_sharding.mlir"
    assert len(clock) == 8
    results = graph["overlays"]["perf_data"][graph["id"]]["results"]
    assert results and all(result["value"] > 0 for result in results.values())
    assert set(results) <= {node["id"] for node in graph["nodes"]}
    assert graph["overrides"] == OVERRIDES
    memory = [a for n in graph["nodes"] for a in n["attrs"] if a.get("display_type") == "memory"]
    assert {a["key"] for a in memory} >= {"l1_memory", "dram_memory"}
    plain = await explorer.send("convert", module, settings={"showExecution": False})
    assert plain["graphs"][0]["id"] == "mnist_sharding.mlir"

    # The page opens with the overlays, which it reads as texts.
    answer = await explorer.api("GET", f"/studio/model-explorer/open?path={module.name}")
    assert answer.status == 302
    data = json.loads(_query(answer.headers["Location"]))
    assert data["models"] == [{"url": str(module), "adapterId": "tt_adapter"}]
    text = await explorer.api("GET", f"/api/v1/read_text_file?path={data['nodeData'][-1]}")
    assert json.loads(text.json["content"]) == graph["overlays"]["perf_data"]


def _query(url: str) -> str:
    from urllib.parse import parse_qs, urlsplit

    return parse_qs(urlsplit(url).query)["data"][0]


async def test_a_failed_run_and_a_cancelled_one(explorer: Explorer, jp_root_dir: Path) -> None:
    broken = jp_root_dir / "broken.mlir"
    broken.write_text("module { nonsense", encoding="utf-8")
    [idle] = (await explorer.send("status_check", broken))["graphs"]
    assert (idle["isDone"], idle["progress"]) == (True, 0)
    assert await explorer.send("execute", broken) == {"graphs": []}
    status = await explorer.finished(broken)
    assert status["error"].startswith("MlirSyntaxError: ")
    assert status["progress"] < 100
    assert await explorer.send("execute", broken) == {"graphs": []}
    assert await explorer.send("cancel", broken) == {"graphs": []}
    assert (await explorer.finished(broken))["state"] in ("cancelled", "failed")


async def test_a_folder_is_collections(explorer: Explorer, jp_root_dir: Path) -> None:
    folder = jp_root_dir / "models"
    (folder / "sub").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    for name in ("a.ttir", "sub/b.mlir", ".hidden/c.mlir"):
        shutil.copy(DATA / "ttir.mlir", folder / name)
    (folder / "broken.mlir").write_text("module {", encoding="utf-8")
    (folder / "out.mlir").symlink_to("/etc/passwd")
    found = (await explorer.send("convert", "models"))["graphCollections"]
    assert [c["label"] for c in found] == ["a.ttir", "broken.mlir", "sub/b.mlir"]
    assert found[0]["graphs"][0]["id"] == "a.ttir"
    [node] = found[1]["graphs"][0]["nodes"]
    assert node["attrs"][0]["value"].startswith("MlirSyntaxError: ")
    (empty := folder / "empty").mkdir()
    assert "holds no model" in (await explorer.send("convert", empty))["error"]
    [listed] = (await explorer.send("preload"))["graphs"]
    assert str(folder / "sub" / "b.mlir") in listed["graphPaths"]
    assert not [p for p in listed["graphPaths"] if "hidden" in p or "passwd" in p]


async def test_what_is_no_command_is_refused(explorer: Explorer, module: Path) -> None:
    good = {
        "cmdId": "convert",
        "extensionId": "tt_adapter",
        "modelPath": str(module),
        "settings": {},
        "deleteAfterConversion": False,
    }
    url = "/apipost/v1/send_command"
    for field in good:
        answer = await explorer.api("POST", url, {k: v for k, v in good.items() if k != field})
        assert answer.status == 400
        assert field in answer.message
    for field, wrong in (("settings", []), ("deleteAfterConversion", "yes"), ("cmdId", 1)):
        answer = await explorer.api("POST", url, {**good, field: wrong})
        assert (answer.status, field in answer.message) == (400, True)
    for body in ("", "nope", "[]", '{"cmdId": NaN}', "{" * 5000):
        answer = await explorer.api("POST", url, body=body)
        assert (answer.status, bool(answer.message)) == (400, True)
    for change, error in (
        ({"cmdId": "__init__"}, "InvalidRequestError: There is no command"),
        ({"cmdId": "answer"}, "InvalidRequestError: There is no command"),
        ({"extensionId": "other"}, "NotFoundError: There is no extension"),
        ({"modelPath": "/etc/passwd"}, "ForbiddenPathError: "),
        ({"modelPath": "../x.mlir"}, "ForbiddenPathError: "),
        ({"modelPath": "nothing.mlir"}, "NotFoundError: "),
        ({"modelPath": ""}, "InvalidRequestError: "),
    ):
        answer = await explorer.api("POST", url, {**good, **change})
        assert answer.status == 200
        assert answer.json["graphs"] == []
        assert answer.json["error"].startswith(error), answer.json
    (module.parent / "x.txt").write_text("x", encoding="utf-8")
    assert "cannot be run" in (await explorer.send("execute", "x.txt"))["error"]
    assert (await explorer.api("GET", url)).status == 405


async def test_only_an_upload_is_deleted(
    explorer: Explorer, module: Path, project_root: Path
) -> None:
    answer = await explorer.upload(module)
    assert answer.status == 200, answer.body
    path = Path(answer.json["path"])
    assert path.parent == project_root / ".explorer" / "uploads"
    assert path.name.startswith("upload-") and path.suffix == ".mlir"
    assert path.read_bytes() == module.read_bytes()
    beside = path.with_name("kept.mlir")
    beside.write_bytes(module.read_bytes())
    for each in (beside, module):
        answer = await explorer.send("convert", each, deleteAfterConversion=True)
        assert answer["graphs"] and each.is_file()
    converted = await explorer.send("convert", path, deleteAfterConversion=True)
    assert converted["graphs"][0]["id"] == path.name
    assert not path.exists() and path.parent.is_dir()

    # One that is being run is deleted once the run is over, and the status is known still.
    path = Path((await explorer.upload(module)).json["path"])
    assert await explorer.send("execute", path, deleteAfterConversion=True) == {"graphs": []}
    assert path.is_file()
    assert (await explorer.finished(path))["progress"] == 100
    deadline = time.monotonic() + 10
    while path.exists() and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert not path.exists()


async def test_uploads_are_models_and_named_by_us(
    explorer: Explorer, module: Path, project_root: Path
) -> None:
    for name in ("x.py", "x", "mlir", "evil.mlir.exe"):
        other = module.with_name(name)
        other.write_bytes(b"x")
        answer = await explorer.upload(other)
        assert (answer.status, "Files end in" in answer.message) == (400, True)
    answer = await explorer.api("POST", "/apipost/v1/upload", {})
    assert (answer.status, "part 'file'" in answer.message) == (400, True)
    assert not (project_root / ".explorer").exists()


class TestSmallUploads:
    @pytest.fixture
    def jp_server_config(self, project_root: Path) -> dict[str, Any]:
        return {
            "ServerApp": {"jpserver_extensions": {"studio_server": True}},
            "StudioApp": {"project_root": str(project_root), "max_upload_bytes": 1000},
        }

    async def test_a_larger_one_is_refused(self, explorer: Explorer, module: Path) -> None:
        assert (await explorer.upload(module)).status == 413


async def test_the_other_addresses(explorer: Explorer, module: Path) -> None:
    api = explorer.api
    health = await api("GET", "/check_health")
    assert (health.status, health.body) == (200, b"model_explorer_ok")
    studio, json_reader = (await api("GET", "/api/v1/get_extensions")).json
    assert studio["id"] == "tt_adapter" and studio["enableExecution"] is True
    assert studio["fileExts"] == ["mlir", "ttir", "ttnn", "onnx"]
    assert studio["settings"] == {
        "optimizationPolicies": ["Optimizer Disabled", "Optimizer Enabled"],
        "supportsPreload": True,
    }
    assert json_reader["id"] == "builtin_json"
    version = (await api("GET", "/api/v1/check_new_version")).json
    assert set(version) == {"version", "runningVersion", "releaseUrl", "desktopAppUrl"}
    assert version["version"] == version["releaseUrl"] == ""
    path = "/api/v1/notify_user_provided_model_path?path=x"
    assert (await api("GET", path)).json == {"status": "ok"}


async def test_texts_are_read_below_the_roots_only(explorer: Explorer, jp_root_dir: Path) -> None:
    (jp_root_dir / "graphs.json").write_text('{"é": 1}', encoding="utf-8")
    (jp_root_dir / ".secret").mkdir()
    (jp_root_dir / ".secret" / "key.json").write_text("{}", encoding="utf-8")
    (jp_root_dir / "binary.json").write_bytes(b"\xff\xfe\xff")
    url = "/api/v1/read_text_file?path="
    assert (await explorer.api("GET", url + "graphs.json")).json == {"content": '{"é": 1}'}
    for path, error in (
        ("/etc/passwd", "ForbiddenPathError"),
        ("../x", "ForbiddenPathError"),
        (".secret/key.json", "ForbiddenPathError"),
        ("nothing.json", "NotFoundError"),
        ("binary.json", "InvalidRequestError"),
        (".", "StorageError"),
        ("", "InvalidRequestError"),
    ):
        answer = (await explorer.api("GET", url + path)).json
        assert answer["error"].startswith(error), (path, answer)
    # Of Studio's own folder only uploads and overlays: no records, no logs.
    [system] = (await explorer.send("initialize"))["graphs"]
    answer = (await explorer.api("GET", url + system["system_desc_path"])).json
    assert answer["error"].startswith("ForbiddenPathError")


async def test_pages_are_told_what_to_show(
    explorer: Explorer, http_server_client: Any, jp_base_url: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(model_explorer_handlers, "HEARTBEAT_SECONDS", 0.05)
    api, heard = explorer.api, []
    assert (await api("GET", "/api/v1/load_graphs_json?graph_index=0")).json == {}
    listening = asyncio.ensure_future(
        http_server_client.fetch(
            jp_base_url.rstrip("/") + "/apistream/server_director",
            headers={"Authorization": f"token {explorer.token}"},
            streaming_callback=heard.append,
            request_timeout=20,
            raise_error=False,
        )
    )
    while b": heartbeat\n\n" not in b"".join(heard):
        await asyncio.sleep(0.02)
    graphs = {"graphs": [{"id": "g", "nodes": []}]}
    config = {
        "graphs_list": json.dumps([json.dumps(graphs)]),
        "model_sources": [{"url": "graphs://net/0"}],
        "node_data_sources": ["node_data://run/0"],
        "node_data_target_models": ["net"],
        "node_data_list": json.dumps(['{"g": {}}']),
    }
    assert (await api("POST", "/apipost/v1/update_config", config)).status == 200
    assert (await api("GET", "/api/v1/load_graphs_json?graph_index=0")).json == graphs
    assert (await api("GET", "/api/v1/load_graphs_json?graph_index=1")).json == {}
    assert (await api("GET", "/api/v1/load_graphs_json?graph_index=-1")).json == {}
    assert (await api("GET", "/api/v1/load_node_data?node_data_index=0")).json == {
        "content": '{"g": {}}'
    }
    while b"data: " not in b"".join(heard):
        await asyncio.sleep(0.02)
    event = b"".join(heard).split(b"data: ")[1].split(b"\n\n")[0]
    message = json.loads(event)
    assert message["name"] == "refreshPage"
    assert message["url"].startswith(f"{jp_base_url}studio/model-explorer/?data=")
    assert json.loads(_query(message["url"])) == {
        "models": config["model_sources"],
        "nodeData": config["node_data_sources"],
        "nodeDataTargets": ["net"],
    }
    listening.cancel()
    for wrong in ({}, {**config, "graphs_list": "[1]"}, {**config, "graphs_list": "["}):
        assert (await api("POST", "/apipost/v1/update_config", wrong)).status == 400


async def test_no_other_handler_of_the_server_has_these_addresses(jp_serverapp: Any) -> None:
    from .test_access import all_rules, studio_routes

    web_app = jp_serverapp.web_app
    base = web_app.settings["base_url"].rstrip("/")
    ours = {path for _, path in studio_routes(web_app) if not path.startswith("/api/projects")}
    others = [
        rule.matcher.regex
        for rule in all_rules(web_app.default_router)
        if not rule.target.__module__.startswith("studio_server") and hasattr(rule.matcher, "regex")
    ]
    catch_all = {"(.*)", "/(.*)", ".*"}
    met = {
        (path, regex.pattern)
        for path in ours
        for regex in others
        if regex.match(base + path) and regex.pattern.rstrip("$") not in catch_all
    }
    assert met == set()
