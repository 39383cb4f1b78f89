"""What must hold for every route, found by walking the application's own table.

XSRF on each write with a cookie, nothing outside the configured folders by any path, no port but
Jupyter's, no websocket without a guard.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_server.base.websocket import WebSocketMixin
from tornado.websocket import WebSocketHandler

from studio_server.routes import ROUTES

from .conftest import write_model
from .live import TOKEN, live_server
from .test_access import all_rules, cookies_of, studio_routes

SECRET = b"a secret outside of every root"

# As a client may write them into an address; Tornado decodes them once.
OUTSIDE = (
    "..", "%2e%2e", "..%2f..%2fsecret.txt", "%2e%2e%2fsecret.txt", "..%5c..%5csecret.txt",
    "%2fetc%2fpasswd", "%2F%2Fhost%2Fshare", "%5C%5Chost%5Cshare", "C%3A%5Cwindows",
    "secret%00.txt", "..%252fsecret.txt", "link", "link%2fsecret.txt", "~", "%7eroot", ".locks",
    "a%0d%0aSet-Cookie%3A%20x%3D1", "%ff%fe", "a" * 3000,
)  # fmt: skip


@pytest.fixture
def routes(jp_serverapp: Any) -> list[tuple[str, str]]:
    return list(studio_routes(jp_serverapp.web_app))


def test_every_handler_is_found_by_the_walk(jp_serverapp: Any) -> None:
    found = {rule.target for rule in all_rules(jp_serverapp.web_app.default_router)}
    assert {handler for _, handler in ROUTES} <= found


async def test_each_write_with_a_cookie_needs_the_xsrf_header(
    api: Any, routes: list[tuple[str, str]], project_root: Path
) -> None:
    cookies = cookies_of(await api("GET", "/studio"))
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    writes = [(verb, path) for verb, path in routes if verb not in ("GET", "HEAD")]
    assert len(writes) >= 15
    for verb, path in writes:
        for xsrf in ({}, {"X-XSRFToken": "2|a|b|1"}):
            answer = await api(verb, path, body="{}", headers={**headers, **xsrf})
            assert answer.status == 403, (verb, path, answer.body)
            assert "xsrf" in answer.message.lower(), (verb, path)
    assert [p for p in project_root.iterdir() if not p.name.startswith(".")] == []


async def test_no_websocket_answers_without_credentials(
    api: Any, jp_serverapp: Any, jp_base_url: str
) -> None:
    """Ours, should there be one; and Jupyter's own, through which our jobs are told."""
    targets = [rule.target for rule in all_rules(jp_serverapp.web_app.default_router)]
    own = [t for t in targets if t.__module__.startswith("studio_server")]
    sockets = [t for t in own if isinstance(t, type) and issubclass(t, WebSocketHandler)]
    assert [t for t in sockets if not issubclass(t, WebSocketMixin)] == []
    upgrade = {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }  # fmt: skip
    paths = [p for v, p in studio_routes(jp_serverapp.web_app) if v == "GET" and "stream" in p]
    for path in ["/api/events/subscribe", *paths]:
        assert (await api("GET", path, headers=upgrade)).status == 403, path


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file() and not p.is_symlink()}


async def test_no_address_leads_out_of_the_folders(
    api: Any, routes: list[tuple[str, str]], project_id: str, project_root: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for folder in (outside, project_root.parent):
        (folder / "secret.txt").write_bytes(SECRET)
    (project_root / "link").symlink_to(outside)
    before = snapshot(outside), (project_root.parent / "secret.txt").read_bytes()
    templates = {(verb, path) for verb, path in routes if "some-id" in path}
    for verb, path in sorted(templates):
        for text in OUTSIDE[:: 1 if verb == "GET" else 3]:
            for url in {
                path.replace("some-id", text),
                path.replace("some-id", project_id, 1).replace("some-id", text),
            } - {path.replace("some-id", project_id, 1)}:
                answer = await api(verb, url, body=None if verb in ("GET", "HEAD") else "{}")
                assert answer.status in (400, 403, 404, 405, 409), (verb, url, answer.status)
                assert SECRET not in answer.body
                assert "Set-Cookie" not in answer.headers or "x=1" not in str(answer.headers)
    assert (snapshot(outside), (project_root.parent / "secret.txt").read_bytes()) == before
    assert (await api("GET", f"/api/projects/{project_id}")).status == 200


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../outside.npz", "link/x.npz", "//host/x", "a\0b"]
)
async def test_data_of_a_run_comes_from_the_roots_only(
    api: Any, project_url: str, jp_root_dir: Path, path: str
) -> None:
    (jp_root_dir.parent / "outside.npz").write_bytes(SECRET)
    (jp_root_dir / "link").symlink_to(jp_root_dir.parent)
    answer = await api("POST", project_url + "/sparse-analysis/loss/x", {"data": path})
    assert answer.status == 403, answer.body
    assert SECRET not in answer.body


def ask(url: str, document: Any = None) -> Any:
    data = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(url, data, {"Authorization": f"token {TOKEN}"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def test_one_port_on_jupyters_address_and_no_connection_out(tmp_path: Path) -> None:
    with live_server(tmp_path) as server:
        write_model(server.root_dir / "net.onnx")
        project = ask(server.url + "/api/projects", {"modelPath": "net.onnx", "projectConfig": {}})[
            "projectId"
        ]
        url = f"{server.url}/api/projects/{project}"
        ask(url + "/sparse-analysis/loss/x", {"async": True})
        own = psutil.Process(os.getpid())
        family = [p for p in own.children(recursive=True) if str(tmp_path) in " ".join(p.cmdline())]
        assert family
        family += [c for p in family for c in p.children(recursive=True)]
        sockets = {s for p in set(family) for s in p.net_connections(kind="inet")}
        listening = {s.laddr for s in sockets if s.status == psutil.CONN_LISTEN}
        port = int(server.url.split(":")[2].split("/")[0])
        assert {(a.ip, a.port) for a in listening} <= {("127.0.0.1", port), ("::1", port)}
        assert len(listening) >= 1
        assert [s for s in sockets if s.raddr and s.raddr.ip not in ("127.0.0.1", "::1")] == []
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(url, timeout=10)
