from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml


async def test_about(api: Any, project_root: Path, jp_root_dir: Path) -> None:
    about = (await api("GET", "/api/studio")).json
    assert about["name"] == "Studio"
    assert about["projectRoot"] == str(project_root)
    assert about["modelRoots"] == [str(jp_root_dir)]
    assert about["openapi"] == "/a%40b/api/studio/openapi.yaml"


async def test_the_api_document_in_both_forms(api: Any) -> None:
    text = await api("GET", "/api/studio/openapi.yaml")
    assert text.headers["Content-Type"].startswith("application/yaml")
    assert yaml.safe_load(text.body) == (await api("GET", "/api/studio/openapi.json/")).json


async def test_the_start_page_says_where_to_go(
    api: Any, jp_root_dir: Path, project_root: Path
) -> None:
    answer = await api("GET", "/studio/")
    assert answer.status == 200
    page = answer.body.decode()
    assert str(project_root) in page and str(jp_root_dir) in page
    assert 'href="/a%40b/api/studio/openapi.json"' in page
    assert "prefers-color-scheme: dark" in page


async def test_the_start_page_asks_nothing_of_others(api: Any) -> None:
    answer = await api("GET", "/studio")
    page = answer.body.decode()
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    assert "@import" not in page and "url(" not in page and "<script" not in page
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors" in policy


class TestWithALabAndTheNotebooks:
    @pytest.fixture
    def jp_server_config(self, project_root: Path) -> dict[str, Any]:
        return {
            "ServerApp": {"jpserver_extensions": {"studio_server": True, "jupyterlab": True}},
            "StudioApp": {"project_root": str(project_root)},
        }

    async def test_the_start_page_leads_there(self, api: Any, jp_root_dir: Path) -> None:
        (jp_root_dir / "notebooks").mkdir()
        (jp_root_dir / "notebooks" / "01_open_a_model.ipynb").write_text("{}")
        page = (await api("GET", "/studio")).body.decode()
        assert 'href="/a%40b/lab"' in page
        assert 'href="/a%40b/lab/tree/notebooks/01_open_a_model.ipynb"' in page


class TestHostileNames:
    @pytest.fixture
    def project_root(self, tmp_path: Path) -> Path:
        return tmp_path / "<script>alert(1)</script>"

    async def test_are_text_on_the_start_page(self, api: Any) -> None:
        page = (await api("GET", "/studio")).body.decode()
        assert "<script" not in page and "&lt;script&gt;" in page


async def test_the_event_loop_is_free_while_studio_works(
    api: Any, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio
    import time

    app = jp_serverapp.extension_manager.extension_points["studio"].app
    monkeypatch.setattr(app.workbench, "projects", lambda: time.sleep(0.5) or ())
    longest, asked = 0.0, asyncio.ensure_future(api("GET", "/api/projects"))
    while not asked.done():
        start = time.perf_counter()
        await asyncio.sleep(0.005)
        longest = max(longest, time.perf_counter() - start)
    assert asked.result().status == 200
    assert longest < 0.25


class TestARootThatCannotBeMade:
    @pytest.fixture
    def project_root(self, tmp_path: Path) -> Path:
        (tmp_path / "file").write_text("in the way")
        return tmp_path / "file" / "projects"

    async def test_leaves_the_server_to_its_other_users(self, api: Any, project_root: Path) -> None:
        answer = await api("GET", "/api/projects")
        assert (answer.status, answer.message) == (404, f"Path {project_root} does not exist")
        assert (await api("GET", "/api/status")).status == 200
