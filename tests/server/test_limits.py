"""Limits of the server's configuration, and models that mean harm, sent by a client."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from traitlets import TraitError
from traitlets.config import Config

from studio_core.guarded import Guard
from studio_core.limits import DEFAULT_LIMITS, Limits
from studio_server.app import StudioApp
from studio_server.limits import limits_from

sys.path.insert(0, str(Path(__file__).parents[1] / "core" / "hostile"))
import attacks

sys.path.pop(0)


def test_the_configuration_names_limits_of_core() -> None:
    assert limits_from({}) == DEFAULT_LIMITS
    assert limits_from({"max_nodes": 5, "allow_hard_links": True}) == Limits(
        max_nodes=5, allow_hard_links=True
    )
    app = StudioApp(config=Config({"StudioApp": {"limits": {"max_open_seconds": 2.5}}}))
    assert app.limits == {"max_open_seconds": 2.5}


@pytest.mark.parametrize(
    "given",
    [{"max_of_all": 1}, {"max_nodes": 0}, {"max_nodes": -1}, {"max_nodes": "many"},
     {"max_nodes": True}, {"max_nodes": None}, {"allow_hard_links": "no"},
     {"max_open_seconds": float("nan")}],
)  # fmt: skip
def test_a_limit_that_is_none_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(TraitError, match=next(iter(given))):
        StudioApp(limits=given)


def test_limits_on_the_command_line() -> None:
    app = StudioApp()
    app.parse_command_line(
        ["--StudioApp.limits=max_nodes=7", "--StudioApp.limits=allow_hard_links=true"]
    )
    assert limits_from(app.limits) == Limits(max_nodes=7, allow_hard_links=True)


class TestASmallerLimit:
    @pytest.fixture
    def jp_server_config(
        self, project_root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> dict[str, Any]:
        monkeypatch.setattr(StudioApp, "shared_guard", None)
        return {
            "ServerApp": {"jpserver_extensions": {"studio_server": True}},
            "StudioApp": {"project_root": str(project_root), "limits": {"max_nodes": 3}},
        }

    async def test_is_told_by_its_name(self, api: Any, model_file: Path, jp_serverapp: Any) -> None:
        wanted = {"modelPath": model_file.name, "projectConfig": {}}
        answer = await api("POST", "/api/projects", wanted)
        assert (answer.status, "max_nodes = 3 " in answer.message) == (400, True)
        app = jp_serverapp.extension_manager.extension_points["studio"].app
        assert app.guard.limits == app.jobs._limits == Limits(max_nodes=3)

    @pytest.mark.parametrize("runs", [True, False])
    async def test_holds_for_what_the_explorer_converts(
        self, api: Any, model_file: Path, runs: bool
    ) -> None:
        command = {
            "extensionId": "tt_adapter", "cmdId": "convert", "modelPath": model_file.name,
            "settings": {"showExecution": runs}, "deleteAfterConversion": False,
        }  # fmt: skip
        answer = (await api("POST", "/apipost/v1/send_command", command)).json
        assert answer["graphs"] == []
        assert answer["error"].startswith("LimitError: ") and "max_nodes = 3 " in answer["error"]


async def test_models_that_mean_harm_leave_the_server_as_it_was(
    api: Any, jp_root_dir: Path, project_url: str
) -> None:
    before = (await api("GET", project_url + "/prunable-layers")).json
    for attack in (attacks.deep_subgraphs, attacks.huge_input, attacks.external_hard_link):
        folder = jp_root_dir / attack.__name__
        folder.mkdir()
        path = attack(folder).relative_to(jp_root_dir)
        answer = await api("POST", "/api/projects", {"modelPath": str(path), "projectConfig": {}})
        assert answer.status == 400, answer.body
        assert attacks.REFUSED[attack] in answer.message
    assert len((await api("GET", "/api/projects")).json["projects"]) == 1
    assert (await api("GET", project_url + "/prunable-layers")).json == before


async def test_a_model_that_kills_its_reader_leaves_the_server_alive(
    api: Any, model_file: Path, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = jp_serverapp.extension_manager.extension_points["studio"].app
    small = Guard(Limits(max_open_memory_bytes=60 << 20))
    monkeypatch.setattr(app.workbench, "_guard", small)
    wanted = {"modelPath": "many/m.onnx", "projectConfig": {}}
    (model_file.parent / "many").mkdir()
    attacks.many_nodes(model_file.parent / "many", 900_000)
    answer = await api("POST", "/api/projects", wanted)
    small.close()
    assert (answer.status, "max_open_memory_bytes" in answer.message) == (400, True)
    assert (await api("GET", "/api/projects")).json == {"projects": []}


async def test_every_name_comes_back_as_it_is_in_ascii(api: Any, jp_root_dir: Path) -> None:
    """JSON escapes what could upset a reader; the names themselves are unchanged."""
    path = attacks.named(jp_root_dir)
    answer = await api("POST", "/api/projects", {"modelPath": path.name, "projectConfig": {}})
    url = f"/api/projects/{answer.json['projectId']}"
    answer = await api("GET", url + "/prunable-layers")
    assert answer.body.isascii() and answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"].startswith("application/json")
    got = [layer["name"] for layer in answer.json["prunableLayers"]]
    assert [name for name in attacks.NAMES.values() if name not in got] == []
