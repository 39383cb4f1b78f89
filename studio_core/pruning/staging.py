"""A new model appears whole or not at all, and never in the place of its source."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from studio_core.errors import (
    ConflictError,
    InvalidModelError,
    InvalidRequestError,
    NotFoundError,
    StorageError,
)
from studio_core.models.model import Model, open_model

_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EXDEV, errno.EMLINK, errno.ENOSYS})


def check_target(model: Model, target: Path, *, overwrite: bool) -> None:
    """Refuse a target that is the source or its data, that is there already, or has no folder."""
    if not target.parent.is_dir():
        raise NotFoundError(f"Folder {target.parent} does not exist. Make it first.")
    for file in (model.path, *model.data_files):
        if target.exists() and target.samefile(file):
            raise InvalidRequestError(
                f"{target} belongs to the model that is pruned, which stays as it is. Give "
                "another file name."
            )
    if target.is_dir():
        raise InvalidRequestError(f"{target} is a folder; give a file name in it.")
    if target.exists() and not overwrite:
        raise ConflictError(f"{target} exists already. Give another name, or overwrite=True.")


def free_data_name(target: Path) -> str:
    """A name for the data file of ``target`` that no file beside it has yet."""
    name, number = f"{target.name}.data", 1
    while os.path.lexists(target.with_name(name)):
        number += 1
        name = f"{target.name}.{number}.data"
    return name


@contextmanager
def staging_folder(target: Path) -> Iterator[Path]:
    """A folder beside ``target`` to write in; gone afterwards, with whatever is left in it."""
    with told_in_words(target):
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name[:64]}.", dir=target.parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def publish(
    staged: Path, target: Path, data_names: Iterable[str], source: Model, *, overwrite: bool
) -> None:
    """Move a staged model to ``target``, its data first, so that a reader finds both or neither.

    Data of a model that is overwritten goes last, once nothing refers to it.
    """
    former = _former_data(target, source) if overwrite else []
    moved: list[Path] = []
    try:
        for name in data_names:
            moved.append(staged.with_name(name).replace(target.with_name(name)))
        if overwrite:
            staged.replace(target)
        else:
            _move_to_free_name(staged, target)
    except BaseException:
        for path in moved:
            path.unlink(missing_ok=True)
        raise
    for path in former:
        path.unlink(missing_ok=True)


def _former_data(target: Path, source: Model) -> list[Path]:
    """Data files that Studio wrote for the model at ``target`` and that nothing else needs."""
    if not target.exists():
        return []
    with suppress(InvalidModelError, NotFoundError):
        kept = {file.resolve() for file in source.data_files}
        return [
            file
            for file in open_model(target, limits=source.limits).data_files
            if file.parent == target.parent
            and file.name.startswith(f"{target.name}.")
            and file.name.endswith(".data")
            and file.resolve() not in kept
        ]
    return []


def _move_to_free_name(staged: Path, target: Path) -> None:
    """Rename without replacing what somebody else put there meanwhile."""
    try:
        target.hardlink_to(staged)  # fails where a rename would replace
    except FileExistsError:
        raise ConflictError(f"{target} was written by somebody else meanwhile.") from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        staged.replace(target)


@contextmanager
def told_in_words(target: Path) -> Iterator[None]:
    """Turn an error of the disk into a `StorageError`."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{target} cannot be written: {error.strerror or error}. Nothing was changed."
        ) from error
