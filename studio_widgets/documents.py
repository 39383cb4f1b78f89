"""Models and modules in tabs of their own: what JupyterLab's Studio extension runs in a kernel.

A tab asks for the `view` of its file, project or bundled model. The view is kept, so that a
page that is loaded again finds it as it was left. `write_notebook` writes the cells that
repeat what was done in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from studio_core.errors import InvalidRequestError
from studio_widgets.opening import open_sample, open_workbench

MODULE_SUFFIXES = frozenset({".mlir", ".ttir", ".ttnn"})
"""Files that hold a compiler's module; all others are taken for models."""

_views: dict[tuple[str, str], Any] = {}


def view(kind: str, name: str) -> Any:
    """The view of ``name``, made once: a ``path``, a ``project`` by its id, a bundled ``sample``
    or ``module``."""
    if kind not in _OPENERS:
        raise InvalidRequestError(f"'{kind}' is none of {', '.join(_OPENERS)}.")
    key = (kind, name)
    if key not in _views:
        _views[key] = _OPENERS[kind](name)
    return _views[key]


def write_notebook(kind: str, name: str) -> str:
    """Write a notebook that repeats the view of ``name`` beside it; answers its file name."""
    code = view(kind, name).copy_as_code()
    stem = Path(name).stem if kind == "path" else name
    notebook = {
        "cells": [_cell("markdown", f"# {_plain(stem)}"), _cell("code", code)],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = _unused(Path.cwd(), stem)
    path.write_text(json.dumps(notebook, indent=1), encoding="utf-8")
    return path.name


def _cell(kind: str, text: str) -> dict[str, Any]:
    cell = {"cell_type": kind, "id": f"studio-{kind}", "metadata": {}, "source": text}
    return {**cell, "outputs": [], "execution_count": None} if kind == "code" else cell


def _plain(name: str) -> str:
    """``name`` without what Markdown would read as more than text."""
    return "".join(c if c.isalnum() or c in " ._-" else " " for c in name)


def _unused(folder: Path, stem: str) -> Path:
    number, path = 1, folder / f"{stem}.ipynb"
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}.ipynb"
    return path


def _open_path(name: str) -> Any:
    path = Path(name)
    if path.suffix.lower() in MODULE_SUFFIXES:
        from studio_widgets.exploring import explore  # only who opens a module pays for it

        return explore(path)
    return open_workbench(path)


def _open_module(name: str) -> Any:
    from studio_widgets.exploring import explore_sample

    return explore_sample(name)


_OPENERS: Mapping[str, Callable[[str], Any]] = {
    "path": _open_path,
    "project": open_workbench,
    "sample": open_sample,
    "module": _open_module,
}
