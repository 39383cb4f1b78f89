"""A project: one folder with a model, its settings, and what was found out about it.

    my-resnet-1a2b3c4d/
    ├── project.json      id, name, settings, and where the model came from
    ├── model/            a copy of the model and of its external data
    ├── analyses/loss/    saved sensitivity analyses by name; analyses/perf/ likewise
    ├── plans/NAME/       a pruning plan: its versions 1.json, 2.json …, models pruned by it
    ├── data/             sample data, one .npz a sample
    └── exports/          recipes

A person may rename the folder, move it away and back, or copy files out of it. What they
break is told as the `fault` of that project and hides no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from studio_core.errors import InvalidRequestError, StorageError, StudioError
from studio_core.projects import files
from studio_core.projects.paths import inside

T = TypeVar("T")

MANIFEST = "project.json"
FORMAT_VERSION = 1
MAX_MANIFEST_BYTES = 4 << 20
MAX_PROJECT_NAME_LENGTH = 200

OWN_KEYS = frozenset({"projectId", "createdAt", "updatedAt", "revision", "model", "fault"})
"""Facts that Studio keeps about a project. A client may send them back with its settings,
as it got them; they are not settings and are passed over."""


@dataclass(frozen=True)
class ModelFile:
    """The copy of the model in a project, and where it came from.

    ``file`` and ``external_files`` are relative to the project folder, with ``/``;
    ``size`` in bytes and ``sha256`` (hexadecimal) are those of ``file``.
    """

    file: str
    sha256: str
    size: int
    source_path: str
    external_files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Project:
    """One project as it stands on disk.

    ``config`` holds the settings a person gave, word for word, without the name.
    ``model_path`` is None where the model is missing. ``fault`` says what is wrong with
    the project, in a sentence; one whose `is_readable` is False can only be deleted, and
    goes by the name of its folder.
    """

    id: str
    name: str
    config: Mapping[str, Any]
    folder: Path
    model: ModelFile | None = None
    model_path: Path | None = None
    revision: int = 0
    created_at: str = ""
    updated_at: str = ""
    fault: str | None = None

    @property
    def is_readable(self) -> bool:
        return self.revision > 0

    @property
    def data_folder(self) -> Path:
        """Where sample data lies: one ``.npz`` a sample, arrays in input order."""
        return self.folder / "data"

    def with_settings(self, settings: Settings) -> Project:
        """The next revision of the project, with ``settings`` merged key by key."""
        return replace(
            self,
            name=self.name if settings.name is None else settings.name,
            config={**self.config, **settings.values},
            revision=self.revision + 1,
            updated_at=now(),
        )


@dataclass(frozen=True)
class Settings:
    """Settings as a caller gave them, sorted out; ``name`` is None where it was not given."""

    name: str | None
    values: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Settings:
        # Once through JSON, so that what is answered now is what is read back later.
        values = files.parse_object(files.to_json(config))
        name = values.pop("projectName", None)
        if "projectName" in config and not _is_project_name(name):
            raise InvalidRequestError(
                f"'projectName' must be a text of 1 to {MAX_PROJECT_NAME_LENGTH} characters."
            )
        return cls(name, {key: v for key, v in values.items() if key not in OWN_KEYS})


def now() -> str:
    """The time as ``2026-11-22T18:04:05.123456Z``, which sorts as text."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def write_project(project: Project, folder: Path) -> None:
    """Write ``project.json`` into ``folder``."""
    manifest = _to_manifest(project)
    files.write_object(folder / MANIFEST, manifest, max_bytes=MAX_MANIFEST_BYTES, indent=1)


def read_project(folder: Path) -> Project | None:
    """The project in ``folder``, with its fault if it has one; None where there is none."""
    try:
        if not (folder / MANIFEST).exists():
            return None
        # From the root down: neither the folder nor the file may be a link that leads out.
        path = inside(folder.parent, Path(folder.name, MANIFEST))
        manifest = files.read_object(path, max_bytes=MAX_MANIFEST_BYTES)
        return None if manifest is None else _from_manifest(manifest, folder)
    except (StudioError, OSError) as error:
        return faulty(folder, str(error))


def faulty(folder: Path, fault: str) -> Project:
    """A project of which nothing is known but the folder's name and what is wrong."""
    return Project(id=folder.name, name=folder.name, config={}, folder=folder, fault=fault)


def _to_manifest(project: Project) -> dict[str, Any]:
    model = project.model
    return {
        "formatVersion": FORMAT_VERSION,
        "projectId": project.id,
        "projectName": project.name,
        "createdAt": project.created_at,
        "updatedAt": project.updated_at,
        "revision": project.revision,
        "model": model
        and {
            "file": model.file,
            "sha256": model.sha256,
            "size": model.size,
            "sourcePath": model.source_path,
            "externalFiles": list(model.external_files),
        },
        "config": dict(project.config),
    }


def _from_manifest(manifest: Mapping[str, Any], folder: Path) -> Project:
    version = _field(manifest, "formatVersion", int)
    if version > FORMAT_VERSION:
        raise StorageError(
            f"{folder / MANIFEST} was written by a newer Studio (format {version}; this one "
            f"knows {FORMAT_VERSION}). Upgrade Studio to open it."
        )
    model = _model_from(_field(manifest, "model", dict))
    path = inside(folder, model.file)
    fault = _model_fault(model, path)
    return Project(
        id=_project_id(manifest),
        name=_field(manifest, "projectName", str),
        config=_field(manifest, "config", dict),
        folder=folder,
        model=model,
        model_path=path if path.is_file() else None,
        revision=max(1, _field(manifest, "revision", int)),
        created_at=_field(manifest, "createdAt", str),
        updated_at=_field(manifest, "updatedAt", str),
        fault=fault,
    )


def _model_from(entry: Mapping[str, Any]) -> ModelFile:
    external = _field(entry, "externalFiles", list)
    if not all(isinstance(name, str) for name in external):
        raise StorageError(f"{MANIFEST} is damaged: 'externalFiles' must list file names.")
    return ModelFile(
        file=_field(entry, "file", str),
        sha256=_field(entry, "sha256", str),
        size=_field(entry, "size", int),
        source_path=_field(entry, "sourcePath", str),
        external_files=tuple(external),
    )


def _model_fault(model: ModelFile, path: Path) -> str | None:
    if not path.is_file():
        return f"The model {model.file} is missing. Put it back into {path.parent}."
    if path.stat().st_size != model.size:
        return (
            f"The model {model.file} changed after the project was made: it has "
            f"{path.stat().st_size} bytes and had {model.size}. Put the former file back, or "
            "create a new project from this one."
        )
    return None


def _project_id(manifest: Mapping[str, Any]) -> str:
    text = _field(manifest, "projectId", str)
    try:
        if str(UUID(text)) == text:
            return text
    except ValueError:
        pass
    raise StorageError(f"{MANIFEST} is damaged: 'projectId' must be a UUID in lower case.")


def _field(entry: Mapping[str, Any], key: str, kind: type[T]) -> T:
    value = entry.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise StorageError(
            f"{MANIFEST} is damaged: '{key}' is missing or is not of type {kind.__name__}. "
            "Put back a copy of the file, or delete the project."
        )
    return value


def _is_project_name(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name.strip()) <= len(name) <= MAX_PROJECT_NAME_LENGTH
