"""Every change Studio makes to the disk: atomic, synced, and told in words when it fails.

Changes are plain ``os`` calls in this file and nowhere else in the core, so that a test
can stop the program at any one of them and show that a reader then sees the old state or
the new one. What a crash leaves behind has a name that readers skip.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import filelock

from studio_core.errors import ConflictError, InvalidRequestError, StorageError

CHUNK_BYTES = 1 << 20
LOCK_SECONDS = 30.0
LOCK_POLL_SECONDS = 0.005
"""Short, because an update takes milliseconds; filelock's own 50 ms would be the cost."""

MAX_NESTING = 64
"""Of JSON that is kept: far below what exhausts the stack of any reader."""

_ADVICE = {
    errno.ENOSPC: "The disk is full. Free some space and try again.",
    errno.EDQUOT: "Your disk quota is used up. Free some space and try again.",
    errno.EACCES: "Permission denied. Give yourself the right to read and write it.",
    errno.EPERM: "The operation is not permitted. Give yourself the right to read and write it.",
    errno.EROFS: "The disk is read-only. Choose a project root on a disk that can be written.",
    errno.ENOENT: "It is no longer there; another program may have moved it. Try again.",
    errno.ENAMETOOLONG: "The name is too long for this disk. Choose a shorter one.",
}


@dataclass(frozen=True)
class CopiedFile:
    """What was copied: the number of bytes and their hash, in hexadecimal digits."""

    size: int
    sha256: str


def write_atomically(path: Path, data: bytes, *, modified_ns: int | None = None) -> None:
    """Put ``data`` at ``path``; a reader finds the former file or this one, never half.

    Two may not write one path at once: hold the lock of its project. ``modified_ns`` sets
    the modification time (nanoseconds since the epoch) in the same step.
    """
    # One fixed name, since writers of a project take turns: what a crash left under it is
    # cleared by the next write, and nothing piles up.
    temporary = path.with_name(f".{path.name}.tmp")
    with _explained(path):
        try:
            _remove_quietly(temporary)
            _write_synced(temporary, [data])
            if modified_ns is not None:
                os.utime(temporary, ns=(modified_ns, modified_ns))
            os.replace(temporary, path)
        except BaseException:
            _remove_quietly(temporary)
            raise
        _sync_folder(path.parent)


def write_object(
    path: Path,
    document: Mapping[str, Any],
    *,
    max_bytes: int,
    indent: int | None = None,
    modified_ns: int | None = None,
) -> None:
    """`write_atomically` a JSON object of at most ``max_bytes``, so that it can be read back."""
    data = to_json(document, indent=indent).encode()
    if len(data) > max_bytes:
        raise InvalidRequestError(
            f"It takes {len(data)} bytes as JSON, and Studio keeps at most {max_bytes}."
        )
    write_atomically(path, data, modified_ns=modified_ns)


def copy_file(source: Path, target: Path) -> CopiedFile:
    """Copy the bytes of ``source`` to ``target``, which must not exist yet.

    Never a hard link: nothing that is written to the copy can reach the source. Raises
    `ConflictError` if the source changes meanwhile.
    """
    with _explained(source):
        if not stat.S_ISREG(os.stat(source).st_mode):
            raise StorageError(f"{source} is not a regular file, so it cannot be copied.")
        with source.open("rb") as file:
            before = os.fstat(file.fileno())
            digest = hashlib.sha256()
            _write_synced(target, _hashed_chunks(source, file, digest))
            after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise ConflictError(f"{source} changed while it was copied. Try again once it is whole.")
    return CopiedFile(before.st_size, digest.hexdigest())


def make_folder(path: Path) -> None:
    """Create ``path`` and the folders above it, where they do not exist."""
    with _explained(path):
        if not path.is_dir():
            os.makedirs(path, exist_ok=True)
            _sync_folder(path.parent)


def sync_folders(path: Path) -> None:
    """Make the names below ``path`` survive a power cut."""
    with _explained(path):
        for folder, _, _ in os.walk(path):
            _sync_folder(Path(folder))


def rename_folder(source: Path, target: Path) -> None:
    """Give a folder another name in one step; ``target`` must not exist."""
    with _explained(source):
        if target.exists():
            raise ConflictError(f"{target} exists already. Move it away and try again.")
        os.rename(source, target)
        _sync_folder(target.parent)


def remove_folder(path: Path) -> None:
    """Remove what readers no longer see; what cannot be removed now is left to a later sweep."""
    if path.is_symlink():
        _remove_quietly(path)
    else:
        shutil.rmtree(path, ignore_errors=True)


def remove_leftovers(folder: Path, prefix: str, *, older_than_seconds: float) -> None:
    """Remove what a crash left in ``folder`` under names with ``prefix``, once it is old."""
    limit = time.time() - older_than_seconds
    for entry in folder.glob(f"{prefix}*"):
        if _modified_seconds(entry) <= limit:
            remove_folder(entry)


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file ``path`` against all other threads and processes.

    ``what`` names the locked thing in the `ConflictError` of one who waits too long.
    """
    make_folder(path.parent)
    lock = filelock.FileLock(path, timeout=LOCK_SECONDS, poll_interval=LOCK_POLL_SECONDS)
    with _explained(path):
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise ConflictError(
                f"{what} is being changed by another program. Try again in a moment."
            ) from error
    try:
        yield
    finally:
        lock.release()


def forget_lock(path: Path) -> None:
    """Remove the lock file of something deleted; filelock sees this and waiters start anew."""
    _remove_quietly(path)


def read_object(path: Path, *, max_bytes: int) -> dict[str, Any] | None:
    """The JSON object in a file, or None where there is no such file.

    Raises `StorageError` for what is larger, not JSON, or not an object.
    """
    try:
        with _explained(path):
            size = path.stat().st_size
            text = path.read_bytes() if size <= max_bytes else b""
    except StorageError as error:
        if isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
            return None
        raise
    if size > max_bytes:
        raise StorageError(f"{path} has {size} bytes; Studio reads at most {max_bytes} of it.")
    try:
        return parse_object(text)
    except InvalidRequestError as error:
        raise StorageError(
            f"{path} is damaged: {error} Put back a copy of it, or delete it."
        ) from error


def parse_object(text: bytes | str) -> dict[str, Any]:
    """A JSON object; raises `InvalidRequestError` for all else, NaN and Infinity included."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f"It is not valid JSON ({error}).") from error
    if not isinstance(value, dict):
        raise InvalidRequestError("It is not a JSON object.")
    return value


def to_json(document: Mapping[str, Any], *, indent: int | None = None) -> str:
    """JSON text of an object; raises `InvalidRequestError` for what JSON cannot hold."""
    _check_nesting(document)
    try:
        text = json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False)
        return text if _is_encodable(text) else json.dumps(document, indent=indent)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequestError(
            f"It cannot be kept as JSON ({error}); give text, finite numbers, lists and objects."
        ) from error


def _check_nesting(document: Mapping[str, Any]) -> None:
    level: list[Any] = [document]
    for _ in range(MAX_NESTING):
        level = [child for value in level for child in _children(value)]
        if not level:
            return
    raise InvalidRequestError(f"It is nested more than {MAX_NESTING} levels deep; flatten it.")


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, (list, tuple)) else ()


def _is_encodable(text: str) -> bool:
    """False for half a surrogate pair, which JSON can escape but UTF-8 cannot hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn the operating system's errors about ``path`` into sentences with advice."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        advice = _ADVICE.get(error.errno or 0, f"{reason}. Check the disk and try again.")
        raise StorageError(f"{path} cannot be used. {advice}") from error


def _hashed_chunks(source: Path, file: BinaryIO, digest: hashlib._Hash) -> Iterator[bytes]:
    with _explained(source):
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            yield chunk


def _write_synced(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a new file and wait until the disk has it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with _explained(path):
        descriptor = os.open(path, flags, 0o666)
        try:
            for chunk in chunks:
                _write_whole(descriptor, chunk)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write_whole(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_folder(path: Path) -> None:
    if os.name == "nt":  # Windows has no handle of a folder to sync
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_quietly(path: Path) -> None:
    with suppress(OSError):  # readers skip what stays, and a later write clears it
        os.unlink(path)


def _modified_seconds(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return float("inf")  # gone, or not ours to look at: leave it
