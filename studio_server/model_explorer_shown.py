"""What other programs ask Model Explorer's pages to show: graphs, node data, models by path."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

from studio_core.documents import Document
from studio_core.errors import InvalidRequestError
from studio_core.projects.files import parse_object
from studio_server.model_explorer_pages import data_query
from studio_server.requests import read_object, required


@dataclass(frozen=True)
class ShownData:
    """Body of ``update_config``, as Model Explorer's own client sends it.

    ``graphs`` and ``node_data`` are asked for by their numbers; ``page`` is what a page gets
    in its address.
    """

    graphs: tuple[str, ...] = ()
    node_data: tuple[str, ...] = ()
    page: Document = field(default_factory=dict)

    @classmethod
    def read(cls, body: bytes) -> ShownData:
        given = read_object(body)
        sources = required(given, "model_sources", list)
        page: Document = {"models": sources}
        for key, name in (("nodeData", "node_data_sources"), ("nodeDataTargets", _TARGETS)):
            if given.get(name):
                page[key] = required(given, name, list)
        graphs = _texts(required(given, "graphs_list", str), "graphs_list")
        for text in graphs:
            parse_object(text)
        return cls(graphs, _texts(given.get("node_data_list", "[]"), "node_data_list"), page)


_TARGETS = "node_data_target_models"


class ShownModels:
    """The data that was told last, and the pages that listen for it. For one event loop."""

    def __init__(self) -> None:
        self.data = ShownData()
        self._listening: set[asyncio.Queue[str]] = set()

    def tell(self, data: ShownData, page_url: str) -> None:
        """Have each open page go to the data."""
        self.data = data
        message = json.dumps({"name": "refreshPage", "url": f"{page_url}?{data_query(data.page)}"})
        for queue in self._listening:
            queue.put_nowait(message)

    def listen(self) -> asyncio.Queue[str]:
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._listening.add(queue)
        return queue

    def leave(self, queue: asyncio.Queue[str]) -> None:
        self._listening.discard(queue)


def _texts(text: object, name: str) -> tuple[str, ...]:
    """A JSON list of texts, itself sent as a text."""
    try:
        found = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise InvalidRequestError(f"Field '{name}' must be the JSON of a list of texts.")
    return tuple(found)


def numbered(texts: tuple[str, ...], number: str | None) -> str | None:
    """The text of a number that a client gives; None where there is none."""
    if number is None or not (number.isascii() and number.isdigit() and len(number) < 10):
        return None
    return texts[int(number)] if int(number) < len(texts) else None
