"""Model Explorer's own addresses, which its front ends call: commands, uploads, what to show."""

from __future__ import annotations

import asyncio
import json
from importlib.metadata import PackageNotFoundError, version

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.iostream import StreamClosedError

from studio_core.documents import Document
from studio_core.errors import InvalidRequestError, StudioError
from studio_server.base import StudioHandler
from studio_server.model_explorer_commands import Command
from studio_server.model_explorer_pages import FRONT_END, PAGE
from studio_server.model_explorer_shown import ShownData, numbered

HEARTBEAT_SECONDS = 1.0


class SendCommandHandler(StudioHandler):
    """``/apipost/v1/send_command``"""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        self.finish(await self.in_thread(lambda: self.app.explorer.answer(Command.read(self.body))))


class UploadHandler(StudioHandler):
    """``/apipost/v1/upload``"""

    @property
    def max_body_bytes(self) -> int:
        return self.app.max_upload_bytes

    @web.authenticated
    @authorized
    async def post(self) -> None:
        await self.answer(self._keep)

    def _keep(self) -> Document:
        files = self.request.files.get("file", [])
        if len(files) != 1:
            raise InvalidRequestError("Send one file, in the part 'file' of multipart/form-data.")
        return {"path": str(self.app.explorer.upload(files[0].filename, files[0].body))}


class UpdateConfigHandler(StudioHandler):
    """``/apipost/v1/update_config``"""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        data = await self.in_thread(lambda: ShownData.read(self.body))
        self.app.shown_models.tell(data, url_path_join(self.base_url, PAGE) + "/")
        self.finish("{}")


class HealthHandler(StudioHandler):
    """``/check_health``"""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.finish("model_explorer_ok", set_content_type="text/plain; charset=utf-8")


class ExtensionsHandler(StudioHandler):
    """``/api/v1/get_extensions``"""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        found = await self.in_thread(self.app.explorer.extensions)
        self.finish(json.dumps(found))


class NewVersionHandler(StudioHandler):
    """``/api/v1/check_new_version``: never asks anybody"""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        await self.answer(
            lambda: {
                "version": "",
                "runningVersion": _front_end_version(),
                "releaseUrl": "",
                "desktopAppUrl": "",
            }
        )


class NotifyPathHandler(StudioHandler):
    """``/api/v1/notify_user_provided_model_path``: files are not watched"""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.finish('{"status": "ok"}')


class GraphsJsonHandler(StudioHandler):
    """``/api/v1/load_graphs_json``"""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        number = self.get_query_argument("graph_index", None)
        self.finish(numbered(self.app.shown_models.data.graphs, number) or "{}")


class NodeDataHandler(StudioHandler):
    """``/api/v1/load_node_data``"""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        number = self.get_query_argument("node_data_index", None)
        content = numbered(self.app.shown_models.data.node_data, number)
        self.finish(json.dumps({} if content is None else {"content": content}))


class ReadTextFileHandler(StudioHandler):
    """``/api/v1/read_text_file``"""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        path = self.get_query_argument("path", "")
        await self.answer(lambda: self._content(path))

    def _content(self, path: str) -> Document:
        try:
            return {"content": self.app.explorer.read_text(path)}
        except StudioError as error:
            return {"error": f"{type(error).__name__}: {error.message}"}


class ServerDirectorHandler(StudioHandler):
    """``/apistream/server_director``: server-sent events as long as the page listens"""

    is_gone = False

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-cache")
        queue = self.app.shown_models.listen()
        try:
            while not self.is_gone:
                self.write(": heartbeat\n\n")
                await self.flush()
                await self._pass_on(queue)
        except StreamClosedError:
            return
        finally:
            self.app.shown_models.leave(queue)

    async def _pass_on(self, queue: asyncio.Queue[str]) -> None:
        try:
            message = await asyncio.wait_for(queue.get(), HEARTBEAT_SECONDS)
        except TimeoutError:
            return
        self.write(f"data: {message}\n\n")

    def on_connection_close(self) -> None:
        self.is_gone = True
        super().on_connection_close()


def _front_end_version() -> str:
    try:
        return version(FRONT_END)
    except PackageNotFoundError:
        return ""
