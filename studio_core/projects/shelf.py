"""A shelf: the JSON documents of one sort in a project, each under a name."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.projects import files
from studio_core.projects.names import check_name, is_name
from studio_core.projects.paths import inside

MAX_DOCUMENT_BYTES = 256 << 20
TICK_NS = 1000
"""Between two saves at least, so that the order of saving can be read from the files."""


@dataclass(frozen=True)
class Shelf:
    """Documents of one sort, such as loss analyses, in ``project_folder / place``.

    ``sort`` is what one of them is called in messages: ``"loss analysis"``.
    """

    project_folder: Path
    place: str
    sort: str
    reserved: frozenset[str] = frozenset()

    def names(self) -> tuple[str, ...]:
        """Names of the documents, the most recently saved first."""
        paths = [p for p in self._folder.glob("*.json") if is_name(p.stem) and p.is_file()]
        return tuple(p.stem for p in sorted(paths, key=_saved_at, reverse=True))

    def load(self, name: str) -> dict[str, Any]:
        document = files.read_object(self._path(name), max_bytes=MAX_DOCUMENT_BYTES)
        if document is None:
            raise NotFoundError(f"No {self.sort} named '{name}' is saved in this project.")
        return document

    def latest(self) -> dict[str, Any]:
        """The document that was saved last."""
        names = self.names()
        if not names:
            raise NotFoundError(f"No {self.sort} is saved in this project yet.")
        return self.load(names[0])

    def save(self, name: str, document: Mapping[str, Any]) -> None:
        """Keep ``document`` under ``name``, in place of a former one of that name."""
        path = self._path(name)
        files.make_folder(path.parent)
        self._refuse_near_double(name)
        latest = max((_saved_at(p)[0] for p in path.parent.glob("*.json")), default=0)
        modified_ns = max(time.time_ns(), latest + TICK_NS)
        files.write_object(path, document, max_bytes=MAX_DOCUMENT_BYTES, modified_ns=modified_ns)

    @property
    def _folder(self) -> Path:
        return inside(self.project_folder, self.place)

    def _path(self, name: str) -> Path:
        checked = check_name(name, f"a {self.sort}", self.reserved)
        return inside(self.project_folder, Path(self.place, f"{checked}.json"))

    def _refuse_near_double(self, name: str) -> None:
        """``A`` and ``a`` are one file on many disks: the project could not be moved there."""
        for other in self.names():
            if other != name and other.lower() == name.lower():
                raise InvalidRequestError(
                    f"A {self.sort} named '{other}' exists, and '{name}' differs only in case. "
                    "Choose another name."
                )


def _saved_at(path: Path) -> tuple[int, str]:
    try:
        return path.stat().st_mtime_ns, path.name
    except OSError:
        return 0, path.name  # removed since it was listed
