"""Files and folders as Model Explorer's JSON, as `convert` answers; and which models there are."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from studio_core.errors import (
    ForbiddenPathError,
    InvalidRequestError,
    NotFoundError,
    StorageError,
    StudioError,
)
from studio_core.explorer.opened import MLIR_SUFFIXES, ONNX_SUFFIX, open_file
from studio_core.graphs.model_explorer_json import Json, graph_to_json
from studio_core.limits import DEFAULT_LIMITS, Limits
from studio_core.projects.paths import resolve_under

SUFFIXES = (*MLIR_SUFFIXES, ONNX_SUFFIX)
MOST_CONVERTED = 200
"""Files of a folder that are converted at one time."""

MAX_EXECUTED_BYTES = 1 << 30
"""Of an executed graph that a run kept."""

_MOST_LOOKED_AT = 50_000
_MOST_LISTED = 2_000

GraphT = TypeVar("GraphT")
Named = tuple[str, bytes]
"""A graph's id, and the graph as JSON text."""


def file_graphs(path: Path, limits: Limits = DEFAULT_LIMITS) -> list[Json]:
    """The graphs of one file; errors as in `open_file`."""
    return [graph_to_json(opened.graph) for opened in open_file(path, limits=limits)]


def file_texts(path: Path, limits: Limits = DEFAULT_LIMITS) -> list[Named]:
    """The graphs of one file, each as JSON text in ASCII; errors as in `open_file`.

    `LimitError` where they are larger than ``limits.max_graph_bytes`` together.
    """
    texts: list[Named] = []
    num_bytes = 0
    for opened in open_file(path, limits=limits):
        texts.append((opened.graph.id, as_text(graph_to_json(opened.graph))))
        num_bytes += len(texts[-1][1])
        what = f"The graphs of {path.name} take {num_bytes:,} bytes as JSON"
        limits.check("max_graph_bytes", num_bytes, what)
    return texts


def executed_text(path: Path) -> bytes:
    """The JSON text of a graph that a run kept at ``path``, whole and an object.

    Raises `NotFoundError` where it was taken away, `StorageError` where it is damaged.
    """
    run = path.parent.name
    try:
        if path.stat().st_size > MAX_EXECUTED_BYTES:
            raise StorageError(f"The graph of the run {run} is too large to be read.")
        text = path.read_bytes()
        graph = json.loads(text)
    except FileNotFoundError:
        raise NotFoundError(f"The graph of the run {run} is gone. Run it again.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise StorageError(f"The graph of the run {run} cannot be read ({error}).") from error
    if not isinstance(graph, dict):
        raise StorageError(f"The graph of the run {run} is damaged. Run it again.")
    return text


def converted(path: Path, graphs_of: Callable[[Path], list[Json]] = file_graphs) -> Json:
    """``{"graphs"}`` of a file, ``{"graphCollections"}`` of all models below a folder.

    A file of a folder that cannot be read is a graph of one node that says why, so that the
    others can be seen. Raises `InvalidRequestError` for a folder with no model or too many.
    """
    if not path.is_dir():
        return {"graphs": graphs_of(path)}
    collections = _collections(path, graphs_of, lambda graph: graph)
    return {"graphCollections": [{"label": n, "graphs": graphs} for n, graphs in collections]}


def converted_text(path: Path, texts_of: Callable[[Path], list[bytes]]) -> bytes:
    """What `converted` answers as JSON text, put together of the texts of its graphs."""
    if not path.is_dir():
        return b'{"graphs": ' + _listed(texts_of(path)) + b"}"
    collections = _collections(path, texts_of, as_text)
    return b'{"graphCollections": ' + _listed(
        [
            b'{"label": ' + json.dumps(label).encode("ascii") + b', "graphs": ' + _listed(t) + b"}"
            for label, t in collections
        ]
    ) + b"}"  # fmt: skip


def as_text(document: Json) -> bytes:
    """JSON text; ASCII only, so that no name in a model can upset a reader."""
    return json.dumps(document, allow_nan=False).encode("ascii")


def _listed(texts: Sequence[bytes]) -> bytes:
    return b"[" + b", ".join(texts) + b"]"


def _collections(
    folder: Path, graphs_of: Callable[[Path], list[GraphT]], made: Callable[[Json], GraphT]
) -> Iterator[tuple[str, list[GraphT]]]:
    """Each model below a folder by its label, with its graphs or one ``made`` of its error."""
    found = models_below([folder], most=MOST_CONVERTED + 1)
    if not found:
        known = ", ".join(SUFFIXES)
        raise InvalidRequestError(f"Folder {folder.name} holds no model. Models end in {known}.")
    if len(found) > MOST_CONVERTED:
        raise InvalidRequestError(
            f"Folder {folder.name} holds more than {MOST_CONVERTED} models. Choose one inside it."
        )
    for model in found:
        label = model.relative_to(folder.resolve()).as_posix()
        try:
            yield label, graphs_of(model)
        except StudioError as error:
            yield label, [made(_unreadable(label, error))]


def _unreadable(label: str, error: StudioError) -> Json:
    node = {
        "id": "error",
        "label": "This file cannot be read",
        "namespace": "",
        "attrs": [{"key": "error", "value": f"{type(error).__name__}: {error.message}"}],
        "incomingEdges": [],
        "outputsMetadata": [],
        "inputsMetadata": [],
    }
    return {"id": label, "nodes": [node], "groupNodeAttributes": {}, "groupNodeConfigs": []}


def models_below(roots: Sequence[Path], most: int = _MOST_LISTED) -> list[Path]:
    """The models below the folders, in order of their paths; links out of them do not count.

    Hidden folders and files are passed over, and in a vast tree what lies beyond the first
    fifty thousand entries.
    """
    found: list[Path] = []
    for path in _candidates(roots):
        try:
            found.append(resolve_under(roots, str(path)))
        except StudioError:
            continue
        if len(found) >= most:
            break
    return sorted(set(found))


def _candidates(roots: Sequence[Path]) -> Iterator[Path]:
    looked_at = 0
    for root in roots:
        for folder, folders, names in os.walk(root.expanduser().resolve()):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                    yield Path(folder, name)
            looked_at += len(folders) + len(names)
            if looked_at > _MOST_LOOKED_AT:
                return


def refuse_hidden(roots: Sequence[Path], path: Path) -> Path:
    """``path`` unless it or a folder above it, inside its root, is hidden (`ForbiddenPathError`).

    A server's root may be somebody's home, where keys and tokens lie in hidden files.
    """
    for root in roots:
        resolved = root.expanduser().resolve()
        if path.is_relative_to(resolved):
            parts = path.relative_to(resolved).parts
            if not any(part.startswith(".") for part in parts):
                return path
    raise ForbiddenPathError(f"{path.name} is hidden, or in a hidden folder, and is not read.")
