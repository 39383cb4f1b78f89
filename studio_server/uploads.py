"""`Uploads`: files that a browser sent, under names of ours, so many and so long and no more."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from studio_core.errors import InvalidRequestError, StorageError
from studio_core.explorer.conversion import SUFFIXES
from studio_core.projects import files

SUFFIXES_KEPT = (*SUFFIXES, ".json")
DAY_SECONDS = 24 * 3600.0

_OWN = re.compile(r"upload-[0-9a-f]{16}\.[a-z]+")
_HALF_WRITTEN = re.compile(r"\.upload-[0-9a-f]{16}\.[a-z]+\.tmp")


class Uploads:
    """The uploads in ``folder``, which is made with the first of them.

    Together they take at most ``max_bytes`` and are at most ``max_number``; `remove_old` removes
    those of more than ``days`` days. Files that others put there are never touched.
    """

    def __init__(self, folder: Path, *, max_bytes: int, max_number: int, days: float) -> None:
        self.folder = folder
        self._max_bytes, self._max_number, self._days = max_bytes, max_number, days
        self._lock = threading.Lock()

    def keep(self, name: str, data: bytes) -> Path:
        """Write an uploaded file; of ``name`` only the ending is looked at.

        Raises `InvalidRequestError` for another ending than that of a model or of graphs,
        `StorageError` where there is no room for it.
        """
        suffix = Path(name).suffix.lower()
        if suffix not in SUFFIXES_KEPT:
            known = ", ".join(SUFFIXES_KEPT)
            raise InvalidRequestError(f"This file cannot be explored. Files end in {known}.")
        path = self.folder / f"upload-{token_hex(8)}{suffix}"
        with self._lock:  # so that two at one time do not both take the last room
            self.remove_old()
            self._check_room(len(data))
            files.make_folder(self.folder)
            files.write_atomically(path, data)
        return path

    def is_own(self, path: Path) -> bool:
        """Whether the file at ``path`` was named here, and so is ours to remove."""
        return path.parent == self.folder.resolve() and bool(_OWN.fullmatch(path.name))

    def remove_old(self) -> None:
        """Remove uploads that nobody deleted, and what a crash left of one."""
        latest = time.time() - self._days * DAY_SECONDS
        for path in self._files():
            with suppress(OSError):
                if path.lstat().st_mtime < latest:
                    path.unlink()

    def _check_room(self, num_bytes: int) -> None:
        sizes = []
        for path in self._files():
            with suppress(OSError):  # deleted meanwhile
                sizes.append(path.lstat().st_size)
        if len(sizes) >= self._max_number:
            what, setting, most = f"{len(sizes)} uploads", "max_uploads", self._max_number
        elif sum(sizes) + num_bytes > self._max_bytes:
            what, setting = f"{sum(sizes):,} bytes of uploads", "max_uploads_bytes"
            most = self._max_bytes
        else:
            return
        raise StorageError(
            f"There are {what} already, and this server keeps at most {most:,} "
            f"(StudioApp.{setting}). Ask for a file's deletion when it is converted "
            "(deleteAfterConversion), or put it below the server's root instead."
        )

    def _files(self) -> Iterator[Path]:
        try:
            entries = sorted(self.folder.iterdir())
        except OSError:
            return  # nothing was uploaded yet
        for path in entries:
            if _OWN.fullmatch(path.name) or _HALF_WRITTEN.fullmatch(path.name):
                yield path
