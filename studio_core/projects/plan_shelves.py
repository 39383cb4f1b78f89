"""Saved pruning plans of a project: a folder a plan, a file a version, nothing overwritten.

    plans/one-point/
    ├── 1.json           the first version
    ├── 2.json           what was saved later under the same name
    └── net-one-point-2.onnx   a model that was pruned by it

Whoever writes holds the lock of the project (store.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from studio_core.errors import InvalidRequestError, NotFoundError, StorageError
from studio_core.projects import files
from studio_core.projects.names import check_name, is_name
from studio_core.projects.paths import inside
from studio_core.projects.shelf import Shelf

PLANS = "plans"
_DELETING = ".deleting-"


def names(project_folder: Path) -> tuple[str, ...]:
    """Names of the plans, the most recently changed first."""
    root = inside(project_folder, PLANS)
    folders = [f for f in root.glob("*") if is_name(f.name) and not f.is_symlink()]
    changed = [(at, f.name) for f in folders if (at := _changed_at(f))]
    return tuple(name for _, name in sorted(changed, reverse=True))


def read_all(
    project_folder: Path, plan_names: Iterable[str], *, only_latest: bool = False
) -> Iterator[tuple[str, int, dict[str, Any] | StorageError]]:
    """Name, number and document of each version of the named plans, or why it cannot be read.

    What is removed meanwhile is left out.
    """
    for name in plan_names:
        shelf = _shelf(_folder(project_folder, name))
        for number in _numbers(shelf)[-1 if only_latest else 0 :]:
            try:
                yield name, number, shelf.load(str(number))
            except StorageError as error:
                yield name, number, error
            except NotFoundError:
                continue


def versions(project_folder: Path, name: str) -> tuple[int, ...]:
    """The numbers of a plan's versions, rising; raises `NotFoundError` where there is no plan."""
    return _numbers(_shelf(existing_folder(project_folder, name)))


def load(project_folder: Path, name: str, version: int | None) -> dict[str, Any]:
    """A version of a plan, None for the latest."""
    numbers = versions(project_folder, name)
    number = numbers[-1] if version is None else version
    if number not in numbers:
        raise NotFoundError(
            f"Plan '{name}' has no version {number}. It has {numbers[0]} to {numbers[-1]}."
        )
    return _shelf(_folder(project_folder, name)).load(str(number))


def add(project_folder: Path, name: str, make: Callable[[int], dict[str, Any]]) -> dict[str, Any]:
    """Save the next version of a plan, which may be new."""
    folder = _folder(project_folder, name)
    for other in names(project_folder):
        if other != name and other.lower() == name.lower():
            raise InvalidRequestError(
                f"A pruning plan named '{other}' exists, and '{name}' differs only in case. "
                "Choose another name."
            )
    files.remove_leftovers(folder.parent, _DELETING, older_than_seconds=0)
    shelf = _shelf(folder)
    number = max(_numbers(shelf), default=0) + 1
    document = make(number)
    shelf.save(str(number), document)
    return document


def change(
    project_folder: Path,
    name: str,
    version: int,
    make: Callable[[dict[str, Any]], dict[str, Any]],
) -> dict[str, Any]:
    """Replace a version by what ``make`` makes of it."""
    document = make(load(project_folder, name, version))
    _shelf(_folder(project_folder, name)).save(str(version), document)
    return document


def remove(project_folder: Path, name: str) -> None:
    """Remove a plan with all that is in its folder; it is gone from the lists in one step."""
    folder = existing_folder(project_folder, name)
    away = folder.with_name(f"{_DELETING}{uuid4()}")
    files.rename_folder(folder, away)
    files.remove_folder(away)


def existing_folder(project_folder: Path, name: str) -> Path:
    """The folder of a plan; raises `NotFoundError` where no version of it was saved."""
    folder = _folder(project_folder, name)
    if not _numbers(_shelf(folder)):
        raise NotFoundError(f"No pruning plan named '{name}' is saved in this project.")
    return folder


def _folder(project_folder: Path, name: str) -> Path:
    return inside(project_folder, Path(PLANS, check_name(name, "a pruning plan")))


def _shelf(folder: Path) -> Shelf:
    return Shelf(folder, ".", "version of the plan")


def _numbers(shelf: Shelf) -> tuple[int, ...]:
    found = (path.stem for path in _files(shelf.project_folder))
    return tuple(sorted(map(int, found)))


def _files(folder: Path) -> Iterator[Path]:
    """The files of a plan's versions."""
    for path in folder.glob("*.json"):
        if path.stem.isascii() and path.stem.isdigit() and str(int(path.stem)) == path.stem:
            yield path


def _changed_at(folder: Path) -> int:
    """When a version was written last, in nanoseconds; 0 where there is none."""
    latest = 0
    for path in _files(folder):
        with suppress(OSError):  # removed since it was listed
            latest = max(latest, path.stat().st_mtime_ns)
    return latest
