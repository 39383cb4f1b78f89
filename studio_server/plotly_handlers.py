"""Plotly's own script at an address of ours, so that a page loads it once and not with each figure.

The version is in the address, hence a browser may keep what it got for good. Another version
than the installed one is not found: the figure then takes the script of its own kernel.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from jupyter_server.auth.decorator import authorized
from tornado import web

from studio_server.base import StudioHandler

ONE_YEAR_S = 31_536_000
_BUNDLE = Path("package_data", "widgetbundle.js")


@cache
def bundle() -> tuple[str, Path] | None:
    """Version and file of the installed Plotly's widget script; None where there is none.

    Plotly itself is not imported: that takes seconds, and the server has no use for it.
    """
    found = find_spec("plotly")
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / _BUNDLE
    try:
        return (version("plotly"), path) if path.is_file() else None
    except PackageNotFoundError:
        return None


@cache
def packed(path: Path) -> tuple[bytes, str]:
    """The file compressed by gzip, the same bytes each time, and its ETag."""
    data = path.read_bytes()
    return gzip.compress(data, 6, mtime=0), f'"{hashlib.sha256(data).hexdigest()[:32]}"'


class PlotlyBundleHandler(StudioHandler):
    """``/studio/plotly/{version}/widgetbundle.js``"""

    @web.authenticated
    @authorized
    async def get(self, wanted: str) -> None:
        found = bundle()
        if found is None or found[0] != wanted:
            raise web.HTTPError(404, "This server has no Plotly of this version.")
        data, self._etag = await self.in_thread(lambda: packed(found[1]))
        self.set_header("Cache-Control", f"private, max-age={ONE_YEAR_S}, immutable")
        self.set_header("Vary", "Accept-Encoding")
        self.set_etag_header()
        if self.check_etag_header():
            self.set_status(304)
            self.finish(set_content_type="text/javascript")
            return
        if "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
        else:
            data = await self.in_thread(lambda: gzip.decompress(data))
        self.finish(data, set_content_type="text/javascript; charset=utf-8")

    def compute_etag(self) -> str | None:
        return getattr(self, "_etag", None)
