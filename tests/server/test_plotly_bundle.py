"""Plotly's script: for those who are logged in, kept by the browser, of the installed version."""

from __future__ import annotations

import gzip
from importlib.metadata import version
from typing import Any

import pytest

from studio_server import plotly_handlers

URL = f"/studio/plotly/{version('plotly')}/widgetbundle.js"


async def test_it_needs_a_login(api: Any) -> None:
    answer = await api("GET", URL, headers={})
    assert answer.status in (302, 403)
    assert b"FigureView" not in answer.body


async def test_it_is_the_script_of_plotly_and_kept_for_good(api: Any) -> None:
    answer = await api("GET", URL)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert answer.body == plotly_handlers.bundle()[1].read_bytes()  # type: ignore[index]
    assert b"FigureView" in answer.body[-200_000:]  # what figure.js makes its views of


async def test_what_the_browser_has_is_not_sent_again(api: Any, jp_auth_header: Any) -> None:
    first = await api("GET", URL)
    headers = {**jp_auth_header, "If-None-Match": first.headers["Etag"]}
    again = await api("GET", URL, headers=headers)
    assert (again.status, again.body) == (304, b"")
    other = await api("GET", URL, headers={**jp_auth_header, "If-None-Match": '"another"'})
    assert other.status == 200


async def test_it_is_sent_compressed_to_who_reads_that(
    api: Any, http_server_client: Any, jp_base_url: str, jp_auth_header: Any
) -> None:
    answer = await http_server_client.fetch(
        jp_base_url.rstrip("/") + URL,
        headers={**jp_auth_header, "Accept-Encoding": "gzip"},
        decompress_response=False,
    )
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.body) < 2_500_000
    assert b"FigureView" in gzip.decompress(answer.body)


@pytest.mark.parametrize("wanted", ["0.0.1", "..", "%2e%2e", "x%00", "a" * 400])
async def test_another_version_is_not_found(api: Any, wanted: str) -> None:
    answer = await api("GET", f"/studio/plotly/{wanted}/widgetbundle.js")
    assert answer.status == 404
    assert "Traceback" not in answer.message


async def test_without_plotly_nothing_is_found(api: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(plotly_handlers, "bundle", lambda: None)
    assert (await api("GET", URL)).status == 404
