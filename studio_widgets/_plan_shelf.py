"""Where the plans of a workbench are kept with their notes: on disk in a project, else in memory.

Both shelves hold the same records, so that the panels need not know which one it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from studio_core.errors import NotFoundError, StorageError
from studio_core.plan_runs import documents
from studio_core.plan_runs.removal import Removal
from studio_core.plan_runs.request import PlanRequest, Sources
from studio_core.plan_runs.saved_plan import SavedPlan, check_note
from studio_core.plan_runs.solving import ProvenLoss, SolvedPlan
from studio_core.plan_runs.verifying import VerifyOptions
from studio_core.plans.verification import Verification
from studio_core.projects import Project
from studio_core.projects.names import check_name
from studio_core.projects.project import now
from studio_core.workbench import Workbench


@dataclass(frozen=True)
class Fault:
    """A saved plan that cannot be read, and why."""

    name: str
    version: int
    reason: str


class PlanShelf(Protocol):
    """Plans by name and version, the newest first."""

    def plans(self) -> Sequence[SavedPlan | Fault]: ...
    def save(
        self, solved: SolvedPlan, name: str | None, note: str, sources: Sources
    ) -> SavedPlan: ...
    def put(self, saved: SavedPlan) -> None:
        """Keep a version from another shelf, under its own name."""

    def annotate(self, saved: SavedPlan, note: str) -> SavedPlan: ...
    def delete(self, name: str) -> None:
        """Remove a plan with all its versions."""

    def keep_verification(self, saved: SavedPlan, found: Verification) -> SavedPlan: ...
    def proven(self, removal: Removal) -> Sequence[ProvenLoss]: ...


class MemoryShelf:
    """Plans that last as long as the kernel."""

    def __init__(self) -> None:
        self._plans: list[SavedPlan] = []

    def plans(self) -> Sequence[SavedPlan]:
        return tuple(reversed(self._plans))

    def save(self, solved: SolvedPlan, name: str | None, note: str, sources: Sources) -> SavedPlan:
        chosen = self._free_name() if name is None else check_name(name, "a pruning plan")
        same = [plan.version for plan in self._plans if plan.name == chosen]
        expected = documents.solved_document(solved)
        saved = SavedPlan(
            chosen,
            max(same, default=0) + 1,
            solved.plan,
            solved.removal,
            check_note(note),
            now(),
            {"name": chosen, "version": max(same)} if same else None,
            None,
            sources.analysis,
            sources.perf_analysis,
            {key: expected[key] for key in expected if key not in ("plan", "granularity")},
        )
        self._plans.append(saved)
        return saved

    def put(self, saved: SavedPlan) -> None:
        self._plans.append(saved)

    def annotate(self, saved: SavedPlan, note: str) -> SavedPlan:
        return self._replace(saved, note=check_note(note))

    def delete(self, name: str) -> None:
        self._plans = [plan for plan in self._plans if plan.name != name]

    def keep_verification(self, saved: SavedPlan, found: Verification) -> SavedPlan:
        document = {**documents.verification_document(found), "createdAt": now()}
        at = self._index(saved)
        self._plans[at] = self._plans[at].with_verification(document)
        return self._plans[at]

    def proven(self, removal: Removal) -> Sequence[ProvenLoss]:
        same = [plan for plan in self._plans if plan.removal == removal]
        return tuple(proven for plan in same for proven in plan.proven())

    def _free_name(self) -> str:
        taken = {plan.name.lower() for plan in self._plans}
        return next(n for i in range(1, len(taken) + 2) if (n := f"plan-{i}") not in taken)

    def _replace(self, saved: SavedPlan, *, note: str) -> SavedPlan:
        at = self._index(saved)
        self._plans[at] = replace(self._plans[at], note=note)
        return self._plans[at]

    def _index(self, saved: SavedPlan) -> int:
        key = (saved.name, saved.version)
        for i, plan in enumerate(self._plans):
            if (plan.name, plan.version) == key:
                return i
        raise NotFoundError(f"Plan '{saved.name}' has no version {saved.version} any more.")


class ProjectShelf:
    """The plans of a project, on disk; what other doors save there appears here as well."""

    def __init__(self, workbench: Workbench, project: Project) -> None:
        self._plans, self._store, self._id = workbench.plans, workbench.store, project.id

    def plans(self) -> Sequence[SavedPlan | Fault]:
        found: list[SavedPlan | Fault] = []
        for name, version, document in self._store.read_plans(self._id):
            try:
                if isinstance(document, StorageError):
                    raise document
                found.append(SavedPlan.from_document(document))
            except StorageError as error:  # the others are to be seen all the same
                found.append(Fault(name, version, str(error)))
        return sorted(found, key=_created, reverse=True)

    def save(self, solved: SolvedPlan, name: str | None, note: str, sources: Sources) -> SavedPlan:
        wanted = PlanRequest(
            None, None, solved.removal, name=name, note=check_note(note), sources=sources
        )
        return self._plans.keep(self._id, wanted, solved)

    def put(self, saved: SavedPlan) -> None:
        self._store.add_plan(
            self._id, saved.name, lambda version: replace(saved, version=version).to_document()
        )

    def annotate(self, saved: SavedPlan, note: str) -> SavedPlan:
        return self._plans.annotate(self._id, saved.name, note, saved.version)

    def delete(self, name: str) -> None:
        self._plans.delete(self._id, name)

    def keep_verification(self, saved: SavedPlan, found: Verification) -> SavedPlan:
        return self._plans.keep_verification(self._id, saved, found, VerifyOptions())

    def proven(self, removal: Removal) -> Sequence[ProvenLoss]:
        return self._plans.proven(self._id, removal)


def _created(plan: SavedPlan | Fault) -> tuple[str, int]:
    return (plan.created_at, plan.version) if isinstance(plan, SavedPlan) else ("", plan.version)
