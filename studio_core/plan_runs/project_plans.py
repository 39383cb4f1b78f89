"""The plans of projects: made, saved with their history, run, applied and exported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from studio_core.analysis_runs import RunOptions
from studio_core.documents import Document
from studio_core.errors import (
    ChangedMeanwhileError,
    InvalidRequestError,
    NotFoundError,
    StorageError,
)
from studio_core.evaluation.data import Samples
from studio_core.exports import FORMATS, Exported, ExportFormat, ExportSource, export
from studio_core.plan_runs import documents
from studio_core.plan_runs.applying import apply_plan
from studio_core.plan_runs.fitting import fitted_plan
from studio_core.plan_runs.removal import Removal
from studio_core.plan_runs.request import ParetoRequest, PlanRequest, Sources
from studio_core.plan_runs.saved_plan import SavedPlan, check_note
from studio_core.plan_runs.searching import AccuracySearch, ProvenPlan
from studio_core.plan_runs.solving import Known, PlanRoom, ProvenLoss, SolvedPlan
from studio_core.plan_runs.verifying import PlanVerification, VerifyOptions
from studio_core.plans import Planner
from studio_core.plans.pareto import ParetoPoint
from studio_core.plans.verification import Verification
from studio_core.projects.names import check_name
from studio_core.projects.paths import inside
from studio_core.projects.project import now
from studio_core.projects.store import OnlyIf, ProjectStore
from studio_core.sensitivity import Analysis, AnalysisKind
from studio_core.session import Session

ESTIMATE = "approx"
"""The name of the estimates where the name of an analysis is asked for."""


class Projects(Protocol):
    """What the plans need of the projects; `Workbench` has it."""

    @property
    def store(self) -> ProjectStore: ...
    def session(self, project_id: str) -> Session: ...
    def samples(self, project_id: str, options: RunOptions) -> Samples: ...
    def analysis(
        self, project_id: str, kind: AnalysisKind | str, name: str | None = None
    ) -> Analysis: ...


@dataclass(frozen=True)
class PlanStep:
    """How far a verification, a search or an application is."""

    done: int
    total: int
    message: str


class ProjectPlans:
    """The plans below a project's folder, each with all its versions."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects
        self._store = projects.store

    # Made and saved

    def solve(self, project_id: str, wanted: PlanRequest) -> SolvedPlan:
        """The plan that is wanted, with what it should bring; nothing is saved."""
        room = self._room(project_id, wanted.removal, wanted.sources)
        if wanted.goal is None:
            plan = fitted_plan(room.session.layers, wanted.plan or {}, "The plan")
            return room.judge(plan)
        if wanted.goal.max_accuracy_loss is not None:
            raise InvalidRequestError(
                "A plan with 'maxAccuracyLoss' is found by running plans, and saved with its proof."
            )
        return room.solve(wanted.goal, time_limit_s=wanted.sources.time_limit_s)

    def save(self, project_id: str, wanted: PlanRequest) -> SavedPlan:
        """Solve and keep: a new plan, or the next version of the one that has this name."""
        self.name_for(project_id, wanted)  # what is wrong with the name is said first
        return self.keep(project_id, wanted, self.solve(project_id, wanted))

    def keep(self, project_id: str, wanted: PlanRequest, solved: SolvedPlan) -> SavedPlan:
        """Keep a plan that was solved already."""
        if wanted.name is not None:
            return self._add(project_id, wanted.name, wanted, solved, ())
        while True:  # somebody else may take the free name first
            with suppress(ChangedMeanwhileError):
                name = self.name_for(project_id, wanted)
                return self._add(project_id, name, wanted, solved, (), is_new=True)

    def search_iter(self, project_id: str, wanted: PlanRequest) -> Iterator[PlanStep]:
        """Find a plan by running plans (``maxAccuracyLoss``) and keep it with its proof."""
        assert wanted.goal is not None  # who has no goal searches nothing
        name = self.name_for(project_id, wanted)
        yield PlanStep(0, 0, "solving")
        room = self._room(project_id, wanted.removal, wanted.sources)
        search = AccuracySearch(room, wanted.goal, self.samples(project_id, wanted.data))
        for done, tried in enumerate(search, 1):
            yield PlanStep(min(done, search.num_steps - 1), search.num_steps, str(tried))
        assert search.best is not None  # or the search has raised
        proof = _proof(search.best, wanted.data)
        self._add(project_id, name, wanted, search.best.solved, (proof,))
        yield PlanStep(search.num_steps, search.num_steps, str(search.best))

    def name_for(self, project_id: str, wanted: PlanRequest) -> str:
        """The name that a plan is saved under: the one asked for, or the next free one."""
        if wanted.name is not None:
            return check_name(wanted.name, "a pruning plan")
        taken = {name.lower() for name in self._store.plans(project_id)}
        return next(n for i in range(1, len(taken) + 2) if (n := f"plan-{i}") not in taken)

    def _add(
        self,
        project_id: str,
        name: str,
        wanted: PlanRequest,
        solved: SolvedPlan,
        verifications: tuple[Document, ...],
        *,
        is_new: bool = False,
    ) -> SavedPlan:
        expected = documents.solved_document(solved)
        named = None if wanted.parent is None else self._latest(project_id, wanted.parent)

        def make(version: int) -> Document:
            before = {"name": name, "version": version - 1} if version > 1 else None
            return SavedPlan(
                name,
                version,
                solved.plan,
                solved.removal,
                wanted.note,
                now(),
                named or before,
                None if wanted.goal is None else wanted.goal.to_document(),
                wanted.sources.analysis,
                wanted.sources.perf_analysis,
                {key: expected[key] for key in expected if key not in ("plan", "granularity")},
                verifications,
            ).to_document()

        return SavedPlan.from_document(self._store.add_plan(project_id, name, make, is_new=is_new))

    def _latest(self, project_id: str, name: str) -> Document:
        """The latest version of a plan, as one that was made after it names it."""
        return {"name": name, "version": self._store.plan_versions(project_id, name)[-1]}

    # Read and changed

    def get(self, project_id: str, name: str, version: int | None = None) -> SavedPlan:
        """A version of a plan, the latest where none is named."""
        return SavedPlan.from_document(self._store.plan(project_id, name, version))

    def summaries(self, project_id: str) -> list[Document]:
        """All plans by their latest versions, the most recently changed first."""
        found = self._store.read_plans(project_id, only_latest=True)
        return [_summary(*entry) for entry in found]

    def history(self, project_id: str, name: str) -> list[Document]:
        """All versions of a plan, the oldest first."""
        self._store.plan_folder(project_id, name)  # or it says that there is none
        found = self._store.read_plans(project_id, name)
        return [_summary(*entry) for entry in found]

    def annotate(
        self,
        project_id: str,
        name: str,
        note: str,
        version: int | None = None,
        *,
        only_if: OnlyIf[SavedPlan] | None = None,
    ) -> SavedPlan:
        """Give a version another note.

        Raises `ChangedMeanwhileError` where it is not as ``only_if`` asks.
        """
        check_note(note)

        def asked(document: Document | None) -> bool:
            now = None if document is None else SavedPlan.from_document(document)
            return only_if is None or only_if(now)

        return self._change(project_id, name, version, lambda p: replace(p, note=note), asked)

    def delete(self, project_id: str, name: str) -> None:
        """Remove a plan with its history and the models made from it."""
        self._store.delete_plan(project_id, name)

    def _change(
        self,
        project_id: str,
        name: str,
        version: int | None,
        change: Callable[[SavedPlan], SavedPlan],
        only_if: OnlyIf[Document] | None = None,
    ) -> SavedPlan:
        number = self.get(project_id, name, version).version
        changed = self._store.change_plan(
            project_id,
            name,
            number,
            lambda d: change(SavedPlan.from_document(d)).to_document(),
            only_if=only_if,
        )
        return SavedPlan.from_document(changed)

    # What is known

    def pareto(self, project_id: str, wanted: ParetoRequest) -> list[ParetoPoint]:
        """The trade-off of loss against a quantity, the least loss first."""
        removal = Removal() if wanted.goal is None else wanted.goal.removal
        room = self._room(project_id, removal, wanted.sources)
        return list(room.pareto(wanted.goal, wanted.quantity, wanted.num_points))

    def _room(self, project_id: str, removal: Removal, sources: Sources) -> PlanRoom:
        session = self._projects.session(project_id)
        known = Known(
            self._analysis(project_id, AnalysisKind.LOSS, sources.analysis),
            self._analysis(project_id, AnalysisKind.PERF, sources.perf_analysis),
            self.proven(project_id, removal) if sources.calibrate else (),
        )
        return PlanRoom(session, removal, known)

    def _analysis(self, project_id: str, kind: AnalysisKind, name: str | None) -> Analysis | None:
        if name is None or name == ESTIMATE:
            return None
        return self._projects.analysis(project_id, kind, name)

    def proven(self, project_id: str, removal: Removal | None = None) -> tuple[ProvenLoss, ...]:
        """What the verified plans of a project lost, those that were pruned by ``removal``."""
        removal = removal or Removal()
        if removal.layers:
            removal = removal.for_layers(self._projects.session(project_id).layers)
        found = (document for _, _, document in self._store.read_plans(project_id))
        verified = (d for d in found if isinstance(d, dict) and d.get("verifications"))
        return tuple(
            proven
            for plan in map(SavedPlan.from_document, verified)
            if plan.removal == removal
            for proven in plan.proven()
        )

    def samples(self, project_id: str, options: VerifyOptions) -> Samples:
        """The samples that a plan is run on."""
        wanted = None if options.samples is None else options.samples + options.skip
        found = self._projects.samples(project_id, RunOptions(data=options.data, samples=wanted))
        if not options.skip:
            return found
        rest = found.after(options.skip)
        if not rest.num_samples:
            raise InvalidRequestError(
                f"There are {found.num_samples} samples; 'skip' must leave one at least."
            )
        return rest

    # Proven, applied, exported

    def verify_iter(
        self, project_id: str, name: str, options: VerifyOptions, version: int | None = None
    ) -> Iterator[PlanStep]:
        """Run a plan and keep what it gave beside what was predicted."""
        saved = self.get(project_id, name, version)
        yield PlanStep(0, 0, "preparing the model")
        samples = self.samples(project_id, options)
        session = self._projects.session(project_id)
        solver = self._room(project_id, saved.removal, self._sources(project_id, saved)).solver
        run = PlanVerification(session, saved.plan, saved.removal, samples, solver, options)
        total = samples.num_samples
        for done in run:
            yield PlanStep(min(done, total - 1), total, f"{done:,} of {total:,} samples")
        assert run.result is not None  # it was run to its end
        self.keep_verification(project_id, saved, run.result, options)
        yield PlanStep(total, total, "verified")

    def keep_verification(
        self, project_id: str, saved: SavedPlan, found: Verification, options: VerifyOptions
    ) -> SavedPlan:
        """Keep with a version what its run gave."""
        document = _run_document(found, options, saved.goal)
        return self._change(
            project_id, saved.name, saved.version, lambda plan: plan.with_verification(document)
        )

    def planner_of(self, project_id: str, saved: SavedPlan) -> Planner:
        """The planner over what a version was made from, as far as it is still there."""
        sources = replace(self._sources(project_id, saved), calibrate=False)
        return self._room(project_id, saved.removal, sources).solver.planner

    def _sources(self, project_id: str, saved: SavedPlan) -> Sources:
        """What the plan was made from, as far as it is still there."""
        loss, perf = (
            self._store.analyses(project_id, "loss"),
            self._store.analyses(project_id, "perf"),
        )
        return Sources(
            saved.analysis if saved.analysis in loss else None,
            saved.perf_analysis if saved.perf_analysis in perf else None,
        )

    def verification(self, project_id: str, name: str, version: int | None = None) -> Document:
        """The latest verification of a version."""
        saved = self.get(project_id, name, version)
        if not saved.verifications:
            raise NotFoundError(f"Version {saved.version} of plan '{name}' is not verified yet.")
        return saved.verifications[-1]

    def apply_iter(
        self, project_id: str, name: str, version: int | None = None
    ) -> Iterator[PlanStep]:
        """Write the pruned model into the plan's folder, in place of a former one of its own."""
        saved = self.get(project_id, name, version)
        session = self._projects.session(project_id)
        folder = self._store.plan_folder(project_id, name)
        yield PlanStep(0, 1, "pruning")
        target = folder / f"{name}-{saved.version}.onnx"
        applied = apply_plan(session, saved.plan, saved.removal, target, overwrite=True)
        document = {**documents.applied_document(applied), "createdAt": now()}
        self._change(project_id, name, saved.version, lambda plan: replace(plan, pruned=document))
        yield PlanStep(1, 1, "pruned")

    def pruned(self, project_id: str, name: str, version: int | None = None) -> Document:
        """What was made of a version: the files, with their place in the project's folder."""
        saved = self.get(project_id, name, version)
        if saved.pruned is None:
            raise NotFoundError(f"Version {saved.version} of plan '{name}' was not applied yet.")
        folder = self._store.plan_folder(project_id, name)
        place = folder.relative_to(folder.parents[1]).as_posix()
        return {"version": saved.version, "folder": place, **saved.pruned}

    def pruned_file(
        self, project_id: str, name: str, version: int | None = None, file: str | None = None
    ) -> Path:
        """A file of the pruned model, the model itself where none is named."""
        known = [entry["name"] for entry in self.pruned(project_id, name, version)["files"]]
        wanted = known[0] if file is None else file
        if wanted not in known:
            raise NotFoundError(f"There is no such file. The pruned model has: {', '.join(known)}.")
        path = inside(self._store.plan_folder(project_id, name), wanted)
        if not path.is_file():
            raise NotFoundError(
                f"{wanted} is gone from the project's folder. Apply the plan again."
            )
        return path

    def export(
        self,
        project_id: str,
        name: str,
        format_name: str,
        options: Mapping[str, Any],
        version: int | None = None,
    ) -> tuple[ExportFormat, Exported, str]:
        """The plan in another tool's format, with a name for its file."""
        if "state_dict" in options:
            raise InvalidRequestError("A state dict is matched by `studio export --state-dict`.")
        saved = self.get(project_id, name, version)
        session = self._projects.session(project_id)
        plan, notes = saved.removal.fitted(saved.plan)
        source = ExportSource(
            session.model,
            session.layers,
            plan,
            saved.removal.granularities(plan),
            saved.removal.group_size,
        )
        try:
            exported = export(format_name, source, **options)
        except (TypeError, ValueError) as error:
            raise InvalidRequestError(f"An option of the format cannot be used: {error}") from error
        found = replace(exported, notes=(*notes, *exported.notes))
        kind = FORMATS[format_name]
        # Two formats with one ending must not overwrite each other where they are kept.
        middle = "" if kind.suffix == f".{format_name}" else f".{format_name}"
        return kind, found, f"{name}-{saved.version}{middle}{kind.suffix}"


def _summary(name: str, version: int, document: Document | StorageError) -> Document:
    try:
        if isinstance(document, StorageError):
            raise document
        return {**SavedPlan.from_document(document).summary, "fault": None}
    except StorageError as error:  # the others are to be seen all the same
        return {"name": name, "version": version, "fault": str(error)}


def _proof(found: ProvenPlan, options: VerifyOptions) -> Document:
    return _run_document(found.verification, options, None, keeps=True)


def _run_document(
    found: Verification, options: VerifyOptions, goal: Document | None, keeps: bool | None = None
) -> Document:
    document = documents.verification_document(found)
    return {
        **document,
        "createdAt": now(),
        "data": options.data,
        "skip": options.skip,
        "keepsGoal": _keeps(goal, document) if keeps is None else keeps,
    }


def _keeps(goal: Document | None, found: Document) -> bool | None:
    """Whether the run kept the goal's bound on accuracy or loss; None where it has none."""
    bound = None if goal is None else goal.get("maxAccuracyLoss")
    if bound is not None and found["accuracy"] is not None:
        lost = found["accuracy"]["dense"] - found["accuracy"]["pruned"]
        return bool(lost <= bound + 1e-12)
    bound = None if goal is None else goal.get("maxLoss")
    if bound is None or not found["isComparable"] or found["loss"]["mean"] is None:
        return None
    return bool(found["loss"]["mean"] <= bound)
