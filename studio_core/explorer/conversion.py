"""Files and folders as Model Explorer's JSON, as `convert` answers; and which models there are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from studio_core.errors import ForbiddenPathError, InvalidRequestError, StudioError
from studio_core.explorer.opened import MLIR_SUFFIXES, ONNX_SUFFIX, open_file
from studio_core.graphs.model_explorer_json import Json, graph_to_json
from studio_core.projects.paths import resolve_under

SUFFIXES = (*MLIR_SUFFIXES, ONNX_SUFFIX)
MOST_CONVERTED = 200
"""Files of a folder that are converted at one time."""

_MOST_LOOKED_AT = 50_000
_MOST_LISTED = 2_000

GraphsOf = Callable[[Path], list[Json]]


def file_graphs(path: Path) -> list[Json]:
    """The graphs of one file; errors as in `open_file`."""
    return [graph_to_json(opened.graph) for opened in open_file(path)]


def converted(path: Path, graphs_of: GraphsOf = file_graphs) -> Json:
    """``{"graphs"}`` of a file, ``{"graphCollections"}`` of all models below a folder.

    A file of a folder that cannot be read is a graph of one node that says why, so that the
    others can be seen. Raises `InvalidRequestError` for a folder with no model or too many.
    """
    if not path.is_dir():
        return {"graphs": graphs_of(path)}
    found = models_below([path], most=MOST_CONVERTED + 1)
    if not found:
        known = ", ".join(SUFFIXES)
        raise InvalidRequestError(f"Folder {path.name} holds no model. Models end in {known}.")
    if len(found) > MOST_CONVERTED:
        raise InvalidRequestError(
            f"Folder {path.name} holds more than {MOST_CONVERTED} models. Choose one inside it."
        )
    return {"graphCollections": [_collection(path, model, graphs_of) for model in found]}


def _collection(folder: Path, model: Path, graphs_of: GraphsOf) -> Json:
    label = model.relative_to(folder.resolve()).as_posix()
    try:
        return {"label": label, "graphs": graphs_of(model)}
    except StudioError as error:
        return {"label": label, "graphs": [_unreadable(label, error)]}


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
