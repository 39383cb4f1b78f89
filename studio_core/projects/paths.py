"""Paths that people give, kept inside the folders that Studio may read.

A path is compared by component after all links are followed. A comparison of text would
take ``/models-private`` for a folder inside ``/models`` (CVE-2026-35397), and one before
following links would let a link lead out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from studio_core.errors import ForbiddenPathError, InvalidRequestError, NotFoundError


def default_project_root() -> Path:
    """``~/studio-projects``: in sight of the person whose work it is, and the same one
    wherever a server or a notebook was started."""
    return Path.home() / "studio-projects"


def resolve_under(roots: Sequence[Path], text: str) -> Path:
    """The existing path that ``text`` names, links followed, inside one of ``roots``.

    A relative path is relative to the first root; ``~`` is the home folder. Raises
    `ForbiddenPathError` outside the roots, whether or not something is there, so that the
    answer tells nothing about it; `NotFoundError` where nothing is there.
    """
    if not text.strip():
        raise InvalidRequestError("The path is empty. Give the path of a file.")
    if "\0" in text or text.startswith(("\\\\", "//")):
        raise ForbiddenPathError(f"Path {text!r} is not one that Studio reads: {_allowed(roots)}")
    try:
        resolved = (Path(*roots[:1]) / Path(text).expanduser()).resolve()
        inside = any(resolved.is_relative_to(root.expanduser().resolve()) for root in roots)
        exists = inside and resolved.exists()
    except (OSError, RuntimeError, ValueError):  # too long, a loop of links, an unknown ~user
        raise NotFoundError(f"Path {text} does not exist") from None
    if not inside:
        raise ForbiddenPathError(f"Path {text} is not one that Studio reads: {_allowed(roots)}")
    if not exists:
        raise NotFoundError(f"Path {text} does not exist")
    return resolved


def inside(folder: Path, relative: str | PurePath) -> Path:
    """``folder / relative``; raises `ForbiddenPathError` if that leaves ``folder``."""
    path = folder / relative
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ForbiddenPathError(
            f"{path} leads out of {folder}. Replace the link by a copy of what it points to."
        )
    return path


def _allowed(roots: Sequence[Path]) -> str:
    listed = ", ".join(str(root) for root in roots)
    return f"give one inside {listed}, or add its folder to the model roots in the settings."
