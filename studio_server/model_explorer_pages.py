"""Model Explorer's own front end below Studio's address, where its package is installed.

The page is changed on its way in four points: its base address is ours, its styles load
without a script in an attribute, fonts of another host are left out, and a script of ours
(`static/model_explorer_bridge.js`) sends its calls below the base URL, with XSRF token.
"""

from __future__ import annotations

import html
import json
import mimetypes
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.extension.handler import ExtensionHandlerJinjaMixin, ExtensionHandlerMixin
from jupyter_server.utils import url_path_join
from tornado import web

from studio_core.documents import Document
from studio_server.base import AUTH_RESOURCE, in_thread

if TYPE_CHECKING:
    from studio_server.app import StudioApp

FRONT_END = "ai-edge-model-explorer"
INSTALL = "pip install 'studio-workbench[model-explorer]'"
PAGE = "studio/model-explorer"

_BRIDGE = "studio_bridge.js"
_INDEX = "index.html"
_PARTS = (
    "default-src 'none'", "script-src 'self'", "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:", "font-src 'self'", "connect-src 'self' blob: data:",
    "worker-src 'self' blob:", "base-uri 'self'", "form-action 'none'",
)  # fmt: skip
POLICY = "; ".join(_PARTS)
"""Nothing from another host, and no script that is not a file of this page."""

_HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)
_BASE = re.compile(r"<base\b[^>]*>", re.IGNORECASE)
_PRECONNECT = re.compile(r"<link\b[^>]*rel=\"preconnect\"[^>]*>", re.IGNORECASE)
_LATE_STYLE = re.compile(r"\s+media=\"print\"\s+onload=\"[^\"]*\"", re.IGNORECASE)
_FONT_ELSEWHERE = re.compile(r"@font-face\s*\{[^{}]*url\(\s*['\"]?https?://[^{}]*\}")
_ROOT_URL = re.compile(r"(url\(\s*['\"]?|(?:href|src)=[\"'])/(?!/)")


def is_installed() -> bool:
    """Whether the package with the front end is there."""
    return bool(_assets())


@cache
def _assets() -> Mapping[str, Path]:
    """The front end's files by their address; only what is listed here is ever served."""
    found = find_spec("model_explorer")
    if found is None or found.origin is None:
        return {}
    folder = Path(found.origin).parent / "web_app"
    if not (folder / _INDEX).is_file():
        return {}
    return {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}


@cache
def page_html(page_url: str, base_url: str) -> str:
    """The front end's page for ``page_url``, which ends in a slash."""
    text = _assets()[_INDEX].read_text(encoding="utf-8")
    text = _BASE.sub("", _PRECONNECT.sub("", text))
    text = _ROOT_URL.sub(r"\1", _FONT_ELSEWHERE.sub("", _LATE_STYLE.sub("", text)))
    bridge = (
        f'<base href="{html.escape(page_url)}">'
        f'<script src="{_BRIDGE}" data-base-url="{html.escape(base_url)}"></script>'
    )
    return _HEAD.sub(lambda head: head.group() + bridge, text, count=1)


@cache
def asset(name: str) -> bytes | None:
    """A file of the front end; None for what is none of its files."""
    if name == _BRIDGE:
        return (files("studio_server") / "static" / "model_explorer_bridge.js").read_bytes()
    path = _assets().get(name)
    if path is None:
        return None
    data = path.read_bytes()
    # Relative to the style sheet, which lies beside the folder of fonts.
    return _ROOT_URL.sub(r"\1", data.decode("utf-8")).encode() if name.endswith(".css") else data


def data_query(data: Document) -> str:
    """The query that has the front end show something: ``data=…``, as its own server writes it."""
    return f"data={quote(json.dumps(data), safe='')}"


class _PageHandler(ExtensionHandlerJinjaMixin, ExtensionHandlerMixin, JupyterHandler):
    auth_resource = AUTH_RESOURCE

    @property
    def page_url(self) -> str:
        return str(url_path_join(self.base_url, PAGE)) + "/"

    @property
    def content_security_policy(self) -> str:
        return f"{super().content_security_policy}; {POLICY}"


class ModelExplorerPageHandler(_PageHandler):
    """``/studio/model-explorer``; ``?data=…`` is the front end's own"""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        # Touched, so that the browser has the cookie which the bridge sends back.
        assert self.xsrf_token
        if not is_installed():
            self.set_status(404)
            self.finish(self.render_template("no_model_explorer.html", install=INSTALL))
            return
        self.set_header("Cache-Control", "no-cache")
        self.finish(page_html(self.page_url, self.base_url))


class OpenModelHandler(_PageHandler):
    """``/studio/model-explorer/open?path=…``: the page with this model open"""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        path = self.get_query_argument("path", "")
        app = cast("StudioApp", self.extensionapp)
        data = await in_thread(app, lambda: app.explorer.page_data(path))
        self.redirect(f"{self.page_url}?{data_query(data)}")


class ModelExplorerAssetHandler(_PageHandler):
    """``/studio/model-explorer/…``: scripts, styles and fonts of the front end"""

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        data = asset(name) if is_installed() else None
        if data is None:
            raise web.HTTPError(404, "Model Explorer has no such file.")
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        self.set_header("Content-Type", "text/javascript" if name.endswith(".js") else kind)
        self.set_header("Cache-Control", "private, max-age=3600")
        self.finish(data)
