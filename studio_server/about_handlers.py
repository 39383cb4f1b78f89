"""What Studio is and where to go: the start page, the API document, and all that is nowhere."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.extension.handler import ExtensionHandlerJinjaMixin, ExtensionHandlerMixin
from tornado import web

from studio_server import openapi
from studio_server.base import AUTH_RESOURCE, StudioHandler


class AboutHandler(StudioHandler):
    """``/api/studio``"""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        await self.answer(self.app.about)


class OpenApiYamlHandler(StudioHandler):
    """``/api/studio/openapi.yaml``"""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        text = await self.in_thread(openapi.as_yaml)
        self.finish(text, set_content_type="application/yaml")


class OpenApiJsonHandler(StudioHandler):
    """``/api/studio/openapi.json``"""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        await self.answer(openapi.as_document)


class NowhereHandler(StudioHandler):
    """Every other address of Studio below ``/api``: a 404 in JSON"""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        raise web.HTTPError(
            404,
            f"There is nothing at {self.request.path}. "
            f"{self.base_url}api/studio/openapi.yaml lists what there is.",
        )

    head = post = put = patch = delete = get


class StartPageHandler(ExtensionHandlerJinjaMixin, ExtensionHandlerMixin, JupyterHandler):
    """``/studio``"""

    auth_resource = AUTH_RESOURCE

    @web.authenticated
    @authorized
    async def get(self) -> None:
        # Rendering touches xsrf_token, and so sets the cookie that a later write needs.
        app = self.extensionapp
        self.finish(self.render_template("start.html", **app.start_page_facts()))  # type: ignore[attr-defined]

    @property
    def content_security_policy(self) -> str:
        own = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'"
        return f"{super().content_security_policy}; {own}"
