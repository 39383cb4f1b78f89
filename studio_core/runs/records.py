"""What a run is asked (`RunRequest`), what is kept of it (`RunRecord`), how far it is
(`RunStatus`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from studio_core.errors import InvalidRequestError, StorageError
from studio_core.execution.toolchain import AUTO, BACKENDS
from studio_core.explorer.exploration import OPTIMIZER_DISABLED, checked_policy
from studio_core.overrides.documents import from_json, to_json
from studio_core.overrides.records import Overrides

Document = dict[str, Any]


class RunState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        return self not in (RunState.WAITING, RunState.RUNNING)


@dataclass(frozen=True)
class RunRequest:
    """What a run is asked.

    ``graph_id`` names one of several graphs of a file, None the first. ``backend`` is ``auto``
    (the compiler where there is one), ``cpu`` or ``toolchain``.
    """

    policy: str = OPTIMIZER_DISABLED
    overrides: Overrides = field(default_factory=Overrides)
    generate_cpp_code: bool = False
    graph_id: str | None = None
    backend: str = AUTO

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> RunRequest:
        """The request in the settings of the command ``execute``; other keys are a front end's.

        Raises `InvalidRequestError` for a policy, overrides or a backend that cannot be.
        """
        policy = settings.get("optimizationPolicy", OPTIMIZER_DISABLED)
        backend = settings.get("backend", AUTO)
        graph_id = settings.get("graphId")
        if not isinstance(policy, str):
            raise InvalidRequestError("'optimizationPolicy' must be a text.")
        if backend not in BACKENDS:
            known = ", ".join(BACKENDS)
            raise InvalidRequestError(f"'backend' must be one of {known}.")
        if graph_id is not None and not isinstance(graph_id, str):
            raise InvalidRequestError("'graphId' must be the id of a graph.")
        return cls(
            checked_policy(policy),
            from_json(settings.get("overrides")),
            settings.get("generateCppCode") is True,
            graph_id,
            backend,
        )

    def to_document(self) -> Document:
        """As the settings of ``execute`` have it."""
        return {
            "optimizationPolicy": self.policy,
            "overrides": to_json(self.overrides),
            "generateCppCode": self.generate_cpp_code,
            "graphId": self.graph_id,
            "backend": self.backend,
        }


@dataclass(frozen=True)
class FileMark:
    """Which content of a file was run; ``sha256`` counts, the others spare the reading."""

    size: int
    modified_ns: int
    sha256: str


@dataclass(frozen=True)
class RunRecord:
    """A run as it is kept. Times are seconds since the epoch, None where it is not so far.

    ``owner`` is the process id and start time of the server that follows it.
    """

    id: str
    model_path: str
    model: FileMark
    request: Document
    state: RunState
    created: float
    owner: tuple[int, float]
    started: float | None = None
    finished: float | None = None
    error: str | None = None
    error_kind: str | None = None

    def to_document(self) -> Document:
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> RunRecord:
        """Raises `StorageError` for what is none."""
        try:
            known = {f.name: document[f.name] for f in fields(cls)}
            pid, since = known["owner"]
            changed = {
                "model": FileMark(**known["model"]),
                "state": RunState(known["state"]),
                "owner": (int(pid), float(since)),
            }
            return cls(**{**known, **changed})
        except (KeyError, TypeError, ValueError) as error:
            raise StorageError(f"The record of a run is damaged ({error}).") from error


@dataclass(frozen=True)
class RunProgress:
    """How far a run's worker is; ``fraction`` from 0 to 1 stays where it was on failure."""

    fraction: float = 0.0
    message: str = ""
    backend: str | None = None
    error: str | None = None
    error_kind: str | None = None
    is_done: bool = False


@dataclass(frozen=True)
class RunStatus:
    """All there is to know of a run, the same for everybody who asks, however often.

    ``progress`` is percent, 100 only when all went well; ``findings`` were told before the
    run, ``applied`` after it; ``log`` is the text of the log, its end where it is long.
    """

    id: str
    model_path: str
    state: RunState
    progress: int
    message: str
    elapsed_seconds: float
    error: str | None
    error_kind: str | None
    log: str
    log_path: Path
    backend: str | None
    findings: tuple[Document, ...] = ()
    applied: tuple[Document, ...] = ()
