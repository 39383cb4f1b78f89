"""What all of Studio's handlers share: JSON both ways, threads, and errors as sentences."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar, cast

from jupyter_server.base.handlers import APIHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from tornado import web

from studio_core.errors import StudioError
from studio_core.jobs import JobQueue
from studio_core.workbench import Workbench
from studio_server import wire
from studio_server.errors import http_error

if TYPE_CHECKING:
    from studio_server.app import StudioApp

T = TypeVar("T")

AUTH_RESOURCE = "studio"
"""What an authorizer is asked about: may this user read, or write, ``studio``?"""


MOST_HASHED_BYTES = 1 << 20


async def in_thread(app: StudioApp, work: Callable[[], T], *, only_waits: bool = False) -> T:
    """`StudioHandler.in_thread`, for handlers of pages as well."""

    def in_turn() -> T:
        with app.turns.taken():
            return work()

    loop = asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(app.threads, work if only_waits else in_turn)
    except StudioError as error:
        raise http_error(error) from error


class StudioHandler(ExtensionHandlerMixin, APIHandler):
    """Answers JSON, made in a thread: the event loop serves everybody's kernels."""

    auth_resource = AUTH_RESOURCE

    @property
    def app(self) -> StudioApp:
        return cast("StudioApp", self.extensionapp)

    @property
    def workbench(self) -> Workbench:
        return self.app.workbench

    @property
    def jobs(self) -> JobQueue:
        return self.app.jobs

    @property
    def body(self) -> bytes:
        return self.request.body

    @property
    def max_body_bytes(self) -> int:
        return self.app.max_request_bytes

    async def prepare(self) -> None:  # type: ignore[override]
        await super().prepare()
        limit = self.max_body_bytes
        if len(self.body) > limit:
            raise web.HTTPError(413, f"The request is larger than {limit} bytes.")

    async def answer(self, make: Callable[[], wire.Document]) -> None:
        """Finish with the JSON of what ``make`` returns."""
        self.finish(await self.in_thread(lambda: wire.to_text(make())))

    async def answer_change(self, make: Callable[[], wire.Document]) -> None:
        """`answer` with what is now there, and its ETag, for the change that follows."""
        text = await self.in_thread(lambda: wire.to_text(make()))
        self.set_header("ETag", wire.etag(text))
        self.finish(text)

    def only_if(self, shown: Callable[[T], wire.Document]) -> Callable[[T | None], bool] | None:
        """Whether a thing is still what the request's If-Match names; None without one.

        ``shown`` makes the answer to a GET of it (RFC 9110, 13.1.1).
        """
        given = self.request.headers.get("If-Match")
        if given is None:
            return None
        tags = {tag.strip() for tag in given.split(",")}
        return lambda now: (
            now is not None and ("*" in tags or wire.etag(wire.to_text(shown(now))) in tags)
        )

    async def in_thread(self, work: Callable[[], T], *, only_waits: bool = False) -> T:
        """What ``work`` returns, done in a thread once it is its turn.

        Work that ``only_waits`` for other processes takes no turn from those who compute.
        """
        return await in_thread(self.app, work, only_waits=only_waits)

    def compute_etag(self) -> str | None:
        """None for a large answer, whose hash would keep the event loop from everybody else."""
        size = sum(map(len, self._write_buffer))
        return super().compute_etag() if size <= MOST_HASHED_BYTES else None

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Every error is JSON with a ``message``, those that Tornado raises included."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        phrase = HTTPStatus(status_code).phrase
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", ", ".join(self._methods()))
        message = self._message(status_code, error) or f"{phrase}."
        self.finish(json.dumps({"message": message, "reason": phrase}))

    def _message(self, status_code: int, error: BaseException | None) -> str:
        if isinstance(error, web.HTTPError) and error.log_message:
            return str(error.log_message) % error.args  # Tornado doubles each % without args
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return f"{self.request.method} is not possible here, only {', '.join(self._methods())}."
        if status_code == HTTPStatus.FORBIDDEN:
            return "You are not logged in. Send the server's token, or log in first."
        if status_code == HTTPStatus.INTERNAL_SERVER_ERROR:
            return "Studio failed at this, by a fault of its own. The server's log says more."
        return ""

    def _methods(self) -> list[str]:
        """The methods that this handler implements."""
        return [
            method
            for method in web.RequestHandler.SUPPORTED_METHODS
            if getattr(type(self), method.lower()) is not web.RequestHandler._unimplemented_method
        ]
