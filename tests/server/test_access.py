"""Who may do what: every route of the running application, found by walking its own table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.auth import Authorizer
from jupyter_server.utils import JupyterServerAuthWarning
from tornado.web import RequestHandler

VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def all_rules(router: Any) -> Iterator[Any]:
    for rule in router.rules:
        yield from all_rules(rule.target) if hasattr(rule.target, "rules") else [rule]


def studio_routes(web_app: Any) -> Iterator[tuple[str, str]]:
    """(verb, path) of all that Studio's handlers implement, below the base URL."""
    base = web_app.settings["base_url"]
    for rule in all_rules(web_app.default_router):
        if not rule.target.__module__.startswith("studio_server"):
            continue
        path = rule.matcher.regex.pattern.removesuffix("$").removesuffix("/?")
        for pattern, sample in (
            (re.escape(base), "/"), ("([^/]+)", "some-id"), ("(loss|perf)", "loss"),
            ("(approx)", "approx"), ("[.]", "."), ("(?:projects|jobs|studio)/.*", "studio/x"),
            ("(.+?)", "index.html"),
        ):  # fmt: skip
            path = path.replace(pattern, sample)
        path = path.replace(base, "/")
        for verb in VERBS:
            if getattr(rule.target, verb.lower()) is not RequestHandler._unimplemented_method:
                yield verb, path


@pytest.fixture
def routes(jp_serverapp: Any) -> list[tuple[str, str]]:
    return list(studio_routes(jp_serverapp.web_app))


def test_the_walk_finds_the_routes(routes: list[tuple[str, str]]) -> None:
    assert len(routes) >= 20
    assert ("DELETE", "/api/projects/some-id") in routes
    assert ("POST", "/api/projects/some-id/sparse-analysis/loss/some-id") in routes
    assert ("GET", "/studio") in routes


async def test_no_route_answers_without_credentials(
    api: Any, routes: list[tuple[str, str]], project_root: Path
) -> None:
    for verb, path in routes:
        answer = await api(verb, path, body="{}" if verb != "GET" else None, headers={})
        is_page = path.startswith("/studio") and not path.startswith("/studio/plotly/")
        if is_page:
            assert (answer.status, "login" in answer.headers["Location"]) == (302, True)
            continue
        assert answer.status == 403, (verb, path, answer.body)
        assert verb == "HEAD" or answer.message
    assert list(project_root.iterdir()) == []


class DenyAll(Authorizer):
    asked: list[tuple[str, str]] = []  # noqa: RUF012

    def is_authorized(self, _handler: Any, _user: Any, action: str, resource: str) -> bool:
        self.asked.append((action, resource))
        return False


class TestADenyingAuthorizer:
    @pytest.fixture
    def jp_server_config(self, project_root: Path) -> dict[str, Any]:
        return {
            "ServerApp": {
                "jpserver_extensions": {"studio_server": True},
                "authorizer_class": DenyAll,
            },
            "StudioApp": {"project_root": str(project_root)},
        }

    async def test_is_obeyed_on_every_route(self, api: Any, routes: list[tuple[str, str]]) -> None:
        DenyAll.asked.clear()
        for verb, path in routes:
            answer = await api(verb, path, body="{}" if verb != "GET" else None)
            assert answer.status == 403, (verb, path)
        assert {resource for _, resource in DenyAll.asked} == {"studio"}
        assert {action for action, _ in DenyAll.asked} == {"read", "write"}


class TestJupytersOwnAudit:
    @pytest.fixture
    def jp_server_config(self, project_root: Path) -> dict[str, Any]:
        return {
            "ServerApp": {
                "jpserver_extensions": {"studio_server": True},
                "allow_unauthenticated_access": False,
                "reraise_server_extension_failures": True,
            },
            "StudioApp": {"project_root": str(project_root)},
        }

    def test_finds_no_verb_without_a_guard(
        self, jp_configurable_serverapp: Any, recwarn: pytest.WarningsRecorder
    ) -> None:
        jp_configurable_serverapp()
        audit = [str(w.message) for w in recwarn if w.category is JupyterServerAuthWarning]
        assert [text for text in audit if "studio" in text] == []

    async def test_and_studio_works_under_it(self, api: Any) -> None:
        assert (await api("GET", "/api/projects")).status == 200
        assert (await api("GET", "/api/projects", headers={})).status == 403


def cookies_of(answer: Any) -> dict[str, str]:
    jar = SimpleCookie()
    for line in answer.headers.get_list("Set-Cookie"):
        jar.load(line)
    return {name: morsel.value for name, morsel in jar.items()}


async def test_writes_with_a_cookie_need_the_xsrf_header(api: Any, project_url: str) -> None:
    cookies = cookies_of(await api("GET", "/studio"))  # by token; it logs the browser in
    assert "_xsrf" in cookies and len(cookies) == 2
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    assert (await api("GET", project_url, headers=headers)).status == 200
    change = {"projectConfig": {"a": 1}}
    for verb, path, document in (
        ("PUT", project_url, change),
        ("DELETE", project_url, None),
        ("POST", "/api/projects", {"modelPath": "net.onnx", "projectConfig": {}}),
        ("POST", project_url + "/sparse-analysis/loss/x", {}),
    ):
        answer = await api(verb, path, document, headers=headers)
        assert answer.status == 403, (verb, path)
        assert "_xsrf" in answer.message
    allowed = {**headers, "X-XSRFToken": cookies["_xsrf"]}
    assert (await api("PUT", project_url, change, headers=allowed)).status == 200


async def test_nothing_answers_outside_the_base_url(http_server_client: Any, api: Any) -> None:
    for path in ("/api/projects", "/studio"):
        answer = await http_server_client.fetch(path, raise_error=False, follow_redirects=False)
        assert answer.code in (302, 404)
        assert answer.code == 404 or "/a%40b" in answer.headers["Location"]
    assert (await api("GET", "/api/projects")).status == 200


async def test_get_changes_nothing_on_disk(
    api: Any, routes: list[tuple[str, str]], project_id: str, project_root: Path
) -> None:
    before = {p: p.lstat().st_mtime_ns for p in [project_root, *project_root.rglob("*")]}
    for verb, path in routes:
        if verb == "GET" and path != "/apistream/server_director":  # that one never ends
            await api("GET", path.replace("some-id", project_id, 1))
    assert {p: p.lstat().st_mtime_ns for p in [project_root, *project_root.rglob("*")]} == before
