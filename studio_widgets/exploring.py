"""`studio.explore(path)` and `studio.explore_sample(name)`: open a file in the explorer."""

from __future__ import annotations

from pathlib import Path

from studio_core.errors import InvalidRequestError
from studio_core.explorer.exploration import Exploration, open_exploration
from studio_core.samples import module_path
from studio_widgets.explorer import ExplorerView


def explore(
    source: str | Path | Exploration,
    *,
    system_path: str | Path | None = None,
    arch: str | None = None,
) -> ExplorerView:
    """Explore an ``.mlir``, ``.ttir``, ``.ttnn`` or ``.onnx`` file.

    ``system_path`` is a system description, ``arch`` one of the chips that Studio knows; without
    them the module's own counts. Raises one of ``studio_core.errors`` where it cannot be read.
    """
    if isinstance(source, Exploration):
        return ExplorerView(source)
    if not isinstance(source, str | Path):
        raise InvalidRequestError(
            f"The path of an .mlir or .onnx file is wanted here, not {type(source).__name__}."
        )
    more = {"system_path": str(system_path) if system_path else None, "arch": arch}
    keywords = "".join(f", {k}={v!r}" for k, v in more.items() if v is not None)
    exploration = open_exploration(source, system_path=system_path, arch=arch)
    return ExplorerView(exploration, opened_by=f"studio.explore({str(source)!r}{keywords})")


def explore_sample(name: str) -> ExplorerView:
    """Explore a bundled module; `studio_core.samples.module_names` lists them."""
    path = module_path(name)
    return ExplorerView(open_exploration(path), opened_by=f"studio.explore_sample({name!r})")
