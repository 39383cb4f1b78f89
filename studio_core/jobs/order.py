"""What a worker is told to do, and what the work it does looks like."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from studio_core.limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True)
class Order:
    """The order for one attempt at a job; ``work`` names a `Work` as ``module:function``.

    ``model_roots`` are those of the workbench, None for any path.
    """

    project_root: str
    model_roots: tuple[str, ...] | None
    job_id: str
    attempt: int
    work: str
    project_id: str
    kind: str
    name: str
    options: Mapping[str, Any]
    limits: Limits = DEFAULT_LIMITS

    def to_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Order:
        values = json.loads(text)
        roots = values["model_roots"]
        made = {
            "model_roots": None if roots is None else tuple(roots),
            "limits": Limits(**values["limits"]),
        }
        return cls(**{**values, **made})


class Step(Protocol):
    """What work yields: ``done`` of ``total``, and in words."""

    @property
    def done(self) -> int: ...
    @property
    def total(self) -> int: ...
    @property
    def message(self) -> str: ...


class Work(Protocol):
    """The work of a job: a function at the top of a module, that yields as it goes.

    It saves what it has as it goes, too, and goes on from there where ``options`` say
    ``resume``: its process may be killed at any time.
    """

    def __call__(self, order: Order, /) -> Iterable[Step]: ...
