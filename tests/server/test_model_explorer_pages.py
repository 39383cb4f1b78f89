"""Model Explorer's own page below Studio's address: what is changed in it, and who may see it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from studio_server import model_explorer_pages as pages

from .test_access import cookies_of

PAGE = "/studio/model-explorer"


@pytest.fixture
def front_end() -> None:
    pytest.importorskip("model_explorer", reason="needs the extra model-explorer")


@pytest.mark.usefixtures("front_end")
async def test_the_page_asks_this_server_only(api: Any, jp_base_url: str) -> None:
    answer = await api("GET", PAGE + "/")
    text = answer.body.decode()
    assert answer.status == 200
    assert f'<base href="{jp_base_url}studio/model-explorer/">' in text
    assert text.count("<base ") == 1
    assert text.index("studio_bridge.js") < text.index("main-")
    rest = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    assert "https://" not in rest
    assert not re.search(r"""(?:href|src)=["']/(?!a%40b)""", rest)
    assert not re.search(r"url\(\s*/", rest)
    assert not re.search(r"\son[a-z]+=", rest), "a script in an attribute does not run here"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'self';" in policy
    assert "connect-src 'self'" in policy and "frame-ancestors 'self'" in policy


@pytest.mark.usefixtures("front_end")
async def test_its_files_are_served_and_no_others(api: Any) -> None:
    text = (await api("GET", PAGE)).body.decode()
    for name in re.findall(r'(?:href|src)="([^"/]+\.(?:js|css))"', text):
        answer = await api("GET", f"{PAGE}/{name}")
        assert (answer.status, len(answer.body) > 0) == (200, True), name
        kind = "text/css" if name.endswith(".css") else "text/javascript"
        assert answer.headers["Content-Type"].startswith(kind)
        if name.endswith(".css"):
            assert b"url(/" not in answer.body
    assert (await api("GET", f"{PAGE}/static_files/favicon.svg")).status == 200
    for name in ("nothing.js", "../server.py", "%2e%2e/server.py", "static_files", "..%2fx.py"):
        assert (await api("GET", f"{PAGE}/{name}")).status == 404, name


@pytest.mark.usefixtures("front_end")
async def test_its_cookie_alone_writes_nothing(api: Any) -> None:
    cookies = cookies_of(await api("GET", PAGE))
    assert "_xsrf" in cookies
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    command = {
        "cmdId": "preload",
        "extensionId": "tt_adapter",
        "modelPath": "",
        "settings": {},
        "deleteAfterConversion": False,
    }
    for path in ("send_command", "upload", "update_config"):
        answer = await api("POST", f"/apipost/v1/{path}", command, headers=headers)
        assert (answer.status, "_xsrf" in answer.message) == (403, True)
    allowed = {**headers, "X-XSRFToken": cookies["_xsrf"]}
    answer = await api("POST", "/apipost/v1/send_command", command, headers=allowed)
    assert answer.status == 200


async def test_a_model_outside_the_roots_is_not_opened(api: Any) -> None:
    for path, status in (("/etc/passwd", 403), ("nothing.mlir", 404), ("", 400)):
        assert (await api("GET", f"{PAGE}/open?path={path}")).status == status


async def test_without_the_package_it_says_how_to_install(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages._assets.cache_clear()
    monkeypatch.setattr(pages, "find_spec", lambda _: None)
    try:
        answer = await api("GET", PAGE)
        assert answer.status == 404
        assert "pip install &#39;studio-workbench[model-explorer]&#39;" in answer.body.decode()
        assert (await api("GET", f"{PAGE}/main.js")).status == 404
        assert b"Model Explorer" not in (await api("GET", "/studio")).body
        # The commands need no page.
        assert (await api("GET", "/check_health")).status == 200
    finally:
        pages._assets.cache_clear()
