"""A saved version of a plan: the decision, why and from what it was made, and its proofs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from studio_core.documents import Document
from studio_core.errors import InvalidRequestError, StorageError
from studio_core.plan_runs.removal import Removal
from studio_core.plan_runs.solving import ProvenLoss
from studio_core.plans import PruningPlan

MAX_NOTE = 4000
FORMAT_VERSION = 1


@dataclass(frozen=True)
class SavedPlan:
    """One version of the plan ``name``.

    ``parent`` is the version that it was made after, as ``{"name", "version"}``. ``goal`` is
    None for a plan made by hand. ``expected`` holds what it should bring (estimate, predicted
    loss, calibration, solution, notes), ``verifications`` what its runs gave, the oldest
    first, ``pruned`` the model made from it; all as the documents that were made then.
    """

    name: str
    version: int
    plan: PruningPlan
    removal: Removal = field(default_factory=Removal)
    note: str = ""
    created_at: str = ""
    parent: Document | None = None
    goal: Document | None = None
    analysis: str | None = None
    perf_analysis: str | None = None
    expected: Mapping[str, Any] = field(default_factory=dict)
    verifications: tuple[Document, ...] = ()
    pruned: Document | None = None

    def to_document(self) -> Document:
        """The version as JSON-ready values; `from_document` reads it back equal."""
        return {
            **self.expected,
            "formatVersion": FORMAT_VERSION,
            "name": self.name,
            "version": self.version,
            "note": self.note,
            "createdAt": self.created_at,
            "parent": self.parent,
            "goal": self.goal,
            "analysis": self.analysis,
            "perfAnalysis": self.perf_analysis,
            "plan": self.plan.to_document(),
            "granularity": self.removal.to_document(),
            "verifications": list(self.verifications),
            "pruned": self.pruned,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> SavedPlan:
        """Raises `StorageError` where the document is none."""
        own = set(_OWN_KEYS)
        try:
            return cls(
                str(document["name"]),
                int(document["version"]),
                PruningPlan.from_document(document["plan"]),
                Removal.from_document(document["granularity"]),
                str(document["note"]),
                str(document["createdAt"]),
                document["parent"],
                document["goal"],
                document["analysis"],
                document["perfAnalysis"],
                {key: value for key, value in document.items() if key not in own},
                tuple(document["verifications"]),
                document["pruned"],
            )
        except (KeyError, TypeError, ValueError, InvalidRequestError) as error:
            raise StorageError(
                f"A saved plan is damaged ({error}). Put back a copy of its file, or delete it."
            ) from error

    @property
    def summary(self) -> Document:
        """What a list shows of it: no layers, no reasons, the latest verification only."""
        document = self.to_document()
        for key in ("plan", "solution", "verifications", "formatVersion", "calibration"):
            document.pop(key, None)
        latest = self.verifications[-1] if self.verifications else None
        return {**document, "numVerifications": len(self.verifications), "verified": latest}

    def with_verification(self, found: Document) -> SavedPlan:
        return replace(self, verifications=(*self.verifications, found))

    def proven(self) -> Iterator[ProvenLoss]:
        """What its runs lost, as far as that corrects predictions."""
        for found in self.verifications:
            loss = found["loss"]
            error = loss["standardError"]
            yield ProvenLoss(
                self.plan, loss["metric"], float(loss["mean"]), error, bool(found["onRandomData"])
            )


_OWN_KEYS = (
    "formatVersion", "name", "version", "note", "createdAt", "parent", "goal", "analysis",
    "perfAnalysis", "plan", "granularity", "verifications", "pruned",
)  # fmt: skip


def check_note(note: str) -> str:
    """``note`` where it is short enough to be one."""
    if len(note) > MAX_NOTE:
        raise InvalidRequestError(f"A note has at most {MAX_NOTE} characters.")
    return note
