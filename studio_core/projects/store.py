"""The projects of one root folder: made, listed, changed and deleted, by several at once.

Reads take no lock and write nothing: every file is replaced in one step, so a reader finds
it whole. Writers of one project take turns by a lock file in ``.locks``, which stands
outside the project folder so that the folder can be renamed while it is held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from studio_core.errors import (
    ChangedMeanwhileError,
    InvalidRequestError,
    NotFoundError,
    StorageError,
)
from studio_core.projects import files, plan_shelves
from studio_core.projects.names import RESERVED_ANALYSES, check_name, slug
from studio_core.projects.paths import inside
from studio_core.projects.project import (
    ModelFile,
    Project,
    Settings,
    faulty,
    now,
    read_project,
    write_project,
)
from studio_core.projects.shelf import Shelf

T = TypeVar("T")

OnlyIf = Callable[[T | None], bool]
"""Whether a thing, as it is when nobody else can change it, is still the one to be changed."""

BUILDING, DELETING, LOCKS = ".creating-", ".deleting-", ".locks"
DAY_SECONDS = 24 * 3600
ANALYSIS_KINDS = ("loss", "perf")
SUBFOLDERS = ("analyses/loss", "analyses/perf", plan_shelves.PLANS, "data", "exports")


class ProjectStore:
    """Projects in the sub-folders of ``root``, made by `make_root` or with the first of them."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()

    def make_root(self) -> None:
        """Create the root where it does not exist."""
        files.make_folder(self.root)

    def projects(self) -> tuple[Project, ...]:
        """All projects, by the names of their folders; damaged ones with their `fault`."""
        found = filter(None, map(read_project, self._folders()))
        return tuple(_without_doubles(sorted(found, key=_originality)))

    def get(self, project_id: str) -> Project:
        """The project; raises `StorageError` with its fault where it cannot be read."""
        project = self._find(project_id)
        if not project.is_readable:
            raise StorageError(f"Project {project_id} cannot be opened: {project.fault}")
        return project

    def create(
        self,
        model_path: Path,
        config: Mapping[str, Any],
        external_files: Sequence[Path] = (),
    ) -> Project:
        """A new project with a copy of the model and of its external data.

        ``external_files`` lie below the model's folder and keep their places relative to
        the model. Without a ``projectName`` in ``config`` it is named after the model.
        """
        settings = Settings.from_config(config)
        self.make_root()
        self._sweep()
        project_id = str(uuid4())
        building = self.root / f"{BUILDING}{project_id}"
        name = settings.name or model_path.stem
        folder = self.root / f"{slug(name)}-{project_id[:8]}"
        try:
            model = _build(building, model_path, external_files)
            created = now()
            project = Project(
                project_id, name, settings.values, building, model, building / model.file,
                revision=1, created_at=created, updated_at=created,
            )  # fmt: skip
            write_project(project, building)
            files.sync_folders(building)
            files.rename_folder(building, folder)
        except BaseException:
            files.remove_folder(building)
            raise
        return replace(project, folder=folder, model_path=folder / model.file)

    def update(
        self,
        project_id: str,
        config: Mapping[str, Any],
        *,
        revision: int | None = None,
        only_if: OnlyIf[Project] | None = None,
    ) -> Project:
        """Merge ``config`` into the settings, key by key; the id never changes.

        With ``revision`` or ``only_if``, raises `ChangedMeanwhileError` if the project has
        another revision by now, or is no longer what is asked for.
        """
        settings = Settings.from_config(config)
        with self._changing(project_id) as project:
            if revision is not None and revision != project.revision:
                raise ChangedMeanwhileError(
                    f"Project {project_id} was changed by somebody else (revision "
                    f"{project.revision}, not {revision}). Read it again and repeat the change."
                )
            _check(only_if, project, f"Project {project_id}")
            changed = project.with_settings(settings)
            write_project(changed, project.folder)
            return changed

    def delete(self, project_id: str) -> None:
        """Remove the project, a damaged one too; it is gone from the lists in one step."""
        lock = self._lock_path(self._find(project_id))
        with files.locked(lock, f"Project {project_id}"):
            away = self.root / f"{DELETING}{uuid4()}"
            files.rename_folder(self._find(project_id).folder, away)
            files.forget_lock(lock)
        files.remove_folder(away)

    def analyses(self, project_id: str, kind: str) -> tuple[str, ...]:
        """Names of the saved analyses of a kind, the most recently saved first."""
        return _analyses(self.get(project_id), kind).names()

    def analysis(self, project_id: str, kind: str, name: str) -> dict[str, Any]:
        return _analyses(self.get(project_id), kind).load(name)

    def latest_analysis(self, project_id: str, kind: str) -> dict[str, Any]:
        return _analyses(self.get(project_id), kind).latest()

    def save_analysis(
        self,
        project_id: str,
        kind: str,
        name: str,
        document: dict[str, Any],
        *,
        only_if: OnlyIf[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """Keep ``document``, in place of a former one of that name, and return it.

        With ``only_if``, raises `ChangedMeanwhileError` if that former one, None where there
        is none, is no longer what is asked for.
        """
        with self._changing(project_id) as project:
            shelf = _analyses(project, kind)
            if only_if is not None:
                former = shelf.load(name) if name in shelf.names() else None
                _check(only_if, former, f"The {kind} analysis '{name}'")
            shelf.save(name, document)
            return document

    def plans(self, project_id: str) -> tuple[str, ...]:
        """Names of the saved plans, the most recently changed first."""
        return plan_shelves.names(self.get(project_id).folder)

    def plan_versions(self, project_id: str, name: str) -> tuple[int, ...]:
        """The numbers of the versions of a plan, the oldest first."""
        return plan_shelves.versions(self.get(project_id).folder, name)

    def plan(self, project_id: str, name: str, version: int | None = None) -> dict[str, Any]:
        """A version of a plan; without a number the latest."""
        return plan_shelves.load(self.get(project_id).folder, name, version)

    def read_plans(
        self, project_id: str, name: str | None = None, *, only_latest: bool = False
    ) -> Iterator[tuple[str, int, dict[str, Any] | StorageError]]:
        """Name, number and document of each version, or why it cannot be read.

        Of the plan ``name``, or of all plans, the most recently changed first.
        """
        folder = self.get(project_id).folder
        names = plan_shelves.names(folder) if name is None else (name,)
        return plan_shelves.read_all(folder, names, only_latest=only_latest)

    def add_plan(
        self,
        project_id: str,
        name: str,
        make: Callable[[int], dict[str, Any]],
        *,
        is_new: bool = False,
    ) -> dict[str, Any]:
        """Keep what ``make`` answers for the number of the next version; no former one goes.

        A plan that ``is_new`` has no former one: where it has, raises `ChangedMeanwhileError`.
        """

        def made(version: int) -> dict[str, Any]:
            if is_new and version > 1:
                raise ChangedMeanwhileError(
                    f"A plan named '{name}' was saved by somebody else. Choose another name."
                )
            return make(version)

        with self._changing(project_id) as project:
            return plan_shelves.add(project.folder, name, made)

    def change_plan(
        self,
        project_id: str,
        name: str,
        version: int,
        change: Callable[[dict[str, Any]], dict[str, Any]],
        *,
        only_if: OnlyIf[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """Replace a version by what ``change`` makes of it as it stands, and return that.

        With ``only_if``, raises `ChangedMeanwhileError` if it is no longer what is asked for.
        """

        def made(document: dict[str, Any]) -> dict[str, Any]:
            _check(only_if, document, f"Version {version} of plan '{name}'")
            return change(document)

        with self._changing(project_id) as project:
            return plan_shelves.change(project.folder, name, version, made)

    def delete_plan(self, project_id: str, name: str) -> None:
        """Remove a plan with all its versions and the models made from it."""
        with self._changing(project_id) as project:
            plan_shelves.remove(project.folder, name)

    def plan_folder(self, project_id: str, name: str) -> Path:
        """Where the models made from a plan lie; the plan must exist."""
        return plan_shelves.existing_folder(self.get(project_id).folder, name)

    def save_export(self, project_id: str, file_name: str, text: str) -> Path:
        """Write ``text`` as ``exports/<file_name>`` of the project and return its path."""
        checked = check_name(file_name, "an exported file")
        with self._changing(project_id) as project:
            path = inside(project.folder, Path("exports", checked))
            files.make_folder(path.parent)
            files.write_atomically(path, text.encode())
            return path

    def _folders(self) -> list[Path]:
        try:
            entries = sorted(self.root.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            raise NotFoundError(f"Path {self.root} does not exist") from None
        except OSError as error:
            raise StorageError(f"{self.root} cannot be read: {error.strerror}.") from error
        return [e for e in entries if e.is_dir() and not e.name.startswith(".")]

    def _find(self, project_id: str) -> Project:
        # Nearly always the folder still ends as it was made; then no other needs reading.
        likely = [f for f in self._folders() if f.name.endswith(f"-{project_id[:8]}")]
        found = [p for p in map(read_project, likely) if p and p.id == project_id]
        if len(found) != 1:
            found = [p for p in self.projects() if p.id == project_id]
        if not found:
            raise NotFoundError(f"Project {project_id} does not exist")
        return found[0]

    @contextmanager
    def _changing(self, project_id: str) -> Iterator[Project]:
        """The project as it is once nobody else can change it."""
        lock = self._lock_path(self.get(project_id))
        with files.locked(lock, f"Project {project_id}"):
            yield self.get(project_id)

    def _lock_path(self, project: Project) -> Path:
        # The id of an unreadable project is any text at all: those share one lock.
        name = project.id if project.is_readable else "unreadable"
        return self.root / LOCKS / f"{name}.lock"

    def _sweep(self) -> None:
        """Clear away what crashes left behind; half-made projects may still be at work."""
        files.remove_leftovers(self.root, DELETING, older_than_seconds=0)
        files.remove_leftovers(self.root, BUILDING, older_than_seconds=DAY_SECONDS)


def _check(only_if: OnlyIf[T] | None, now: T | None, what: str) -> None:
    if only_if is not None and not only_if(now):
        raise ChangedMeanwhileError(
            f"{what} is not what you have read: somebody else changed or removed it. Read it "
            "again and repeat the change."
        )


def _build(folder: Path, model_path: Path, external_files: Sequence[Path]) -> ModelFile:
    """Make the inside of a project in ``folder``, all but ``project.json``."""
    for subfolder in ("model", *SUBFOLDERS):
        files.make_folder(folder / subfolder)
    copied = files.copy_file(model_path, folder / "model" / model_path.name)
    places = [Path("model", _beside(model_path, file)) for file in external_files]
    for file, place in zip(external_files, places, strict=True):
        files.make_folder((folder / place).parent)
        files.copy_file(model_path.parent / file, folder / place)
    return ModelFile(
        file=f"model/{model_path.name}",
        sha256=copied.sha256,
        size=copied.size,
        source_path=str(model_path),
        external_files=tuple(place.as_posix() for place in places),
    )


def _beside(model_path: Path, file: Path) -> Path:
    """The place of an external data file, relative to the model's folder."""
    try:
        place = (model_path.parent / file).relative_to(model_path.parent)
    except ValueError:
        place = Path("..")
    if ".." in place.parts:
        raise InvalidRequestError(
            f"External data {file} lies outside the model's folder {model_path.parent}. "
            "Put it beside the model."
        )
    return place


def _analyses(project: Project, kind: str) -> Shelf:
    if kind not in ANALYSIS_KINDS:
        raise InvalidRequestError(f"There is no analysis of kind '{kind}'; say 'loss' or 'perf'.")
    return Shelf(project.folder, f"analyses/{kind}", f"{kind} analysis", RESERVED_ANALYSES)


def _originality(project: Project) -> tuple[bool, int, str]:
    """Sorts the folder Studio made before a person's copies of it, whose names grow."""
    name = project.folder.name
    return not name.endswith(f"-{project.id[:8]}"), len(name), name


def _without_doubles(projects: list[Project]) -> list[Project]:
    """Projects by folder; a copied folder, which holds the same id, told as a fault."""
    first: dict[str, Project] = {}
    for project in projects:
        first.setdefault(project.id, project)
    listed = [
        p if first[p.id] is p else faulty(p.folder, _double(p, first[p.id])) for p in projects
    ]
    return sorted(listed, key=lambda project: project.folder.name)


def _double(copy: Project, original: Project) -> str:
    return (
        f"It is a copy of the folder {original.folder.name} with the same project id. Create "
        f"a project from {copy.folder / 'model'} instead, or move the copy away."
    )
