"""What Studio does for anyone who asks: the use cases that REST, widgets and scripts share.

A `Workbench` joins the projects on disk with the sessions of their models. Every method
is one thing a person does; errors are of the family in ``errors.py``.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from studio_core.analysis_runs import (
    DEFAULT_SAMPLES,
    RunOptions,
    RunProgress,
    run_loss,
    run_loss_estimate,
    run_perf,
)
from studio_core.errors import InvalidRequestError, NotFoundError, StorageError
from studio_core.evaluation.data import Samples, generate_samples, samples_from
from studio_core.guarded import Guard
from studio_core.layers import Layer
from studio_core.limits import DEFAULT_LIMITS, Limits
from studio_core.models.model import open_model
from studio_core.plan_runs.project_plans import ProjectPlans
from studio_core.plans import PlanEstimate, PruningPlan
from studio_core.plans.profiles import ExportSettings, sparsities_by_weight
from studio_core.plans.recipe import recipe_text
from studio_core.projects.names import check_analysis_name
from studio_core.projects.paths import resolve_under
from studio_core.projects.project import Project
from studio_core.projects.store import OnlyIf, ProjectStore
from studio_core.samples.bundled import bundled_samples, sample_path
from studio_core.sensitivity import Analysis, AnalysisKind, Source, estimate_loss, estimate_perf
from studio_core.sensitivity.documents import Document, from_document, to_document
from studio_core.sensitivity.levels import DEFAULT_LEVELS, Resolution
from studio_core.sensitivity.magnitude import MagnitudeMetric
from studio_core.session import Session

if TYPE_CHECKING:
    from studio_core.insight import ProjectInsight

APPROX = "approx"
"""The name under which the estimates are known; no saved analysis may take it."""

SAMPLE = "sample:"
"""Before the name of a bundled model, where the path of a model or of data is asked for."""

RANDOM = "random:"
"""In place of the path of data: generated samples, even where the project has its own."""

_SESSIONS_KEPT = 8

SAVE_SECONDS = 1.0
"""How often a running analysis is saved as far as it is."""

Choice = TypeVar("Choice", bound=StrEnum)


class Workbench:
    """The projects below ``project_root`` and the models in them.

    ``model_roots`` are the folders from which `create_project` may take a model, the first
    being that of relative paths; None allows any path (a notebook runs as the user anyway).
    ``limits`` are what a model may ask for; a ``guard`` tries each file before it is opened here.
    """

    def __init__(
        self,
        project_root: str | Path,
        model_roots: Sequence[str | Path] | None = None,
        *,
        limits: Limits = DEFAULT_LIMITS,
        guard: Guard | None = None,
    ) -> None:
        self._limits, self._guard = limits, guard
        self.store = ProjectStore(Path(project_root).expanduser())
        self._model_roots = None if model_roots is None else [Path(r) for r in model_roots]
        self._sessions: OrderedDict[tuple[str, int, int], Session] = OrderedDict()
        self._lock = threading.Lock()
        self.plans = ProjectPlans(self)
        """The saved plans of the projects: solved, proven, applied, exported."""

    @cached_property
    def insight(self) -> ProjectInsight:
        """What is known of the projects' models: findings, reports, comparisons."""
        # It brings the rooms of modules with it, half of a start, which most commands do without.
        from studio_core.insight import ProjectInsight

        return ProjectInsight(self)

    # Projects

    def projects(self) -> tuple[Project, ...]:
        """All projects, unreadable ones with their fault."""
        return self.store.projects()

    def create_project(self, model_path: str | Path, config: Mapping[str, Any]) -> Project:
        """A new project with a copy of the model; the name defaults to the file's.

        ``sample:NAME`` is a model that comes with Studio.
        """
        path = self._resolve(model_path)
        self._try(path)
        model = open_model(path, limits=self._limits)
        named = {**config} if config.get("projectName") else {**config, "projectName": path.stem}
        project = self.store.create(path, named, model.data_files)
        if self._guard is not None and project.model_path is not None:
            self._guard.trust(project.model_path)
        return project

    def project(self, project_id: str) -> Project:
        return self.store.get(project_id)

    def find_project(self, name_or_id: str) -> Project:
        """The project with this id or, if only one bears it, this name."""
        found = [p for p in self.projects() if name_or_id in (p.id, p.name)]
        if len(found) > 1:
            ids = ", ".join(p.id for p in found)
            raise InvalidRequestError(f"{len(found)} projects are named '{name_or_id}': {ids}.")
        if not found:
            raise NotFoundError(
                f"No project named '{name_or_id}'. `studio projects` lists them; "
                "`studio create MODEL` makes one."
            )
        return found[0]

    def update_project(
        self,
        project_id: str,
        config: Mapping[str, Any],
        *,
        revision: int | None = None,
        only_if: OnlyIf[Project] | None = None,
    ) -> Project:
        """Merge ``config`` into the settings; the id stays what it is.

        Raises `ChangedMeanwhileError` where the project has not the ``revision`` that was read,
        or is not as ``only_if`` asks.
        """
        return self.store.update(project_id, config, revision=revision, only_if=only_if)

    def delete_project(self, project_id: str) -> None:
        self.store.delete(project_id)

    def _resolve(self, model_path: str | Path) -> Path:
        if isinstance(model_path, str) and model_path.startswith(SAMPLE):
            return sample_path(model_path.removeprefix(SAMPLE))
        if self._model_roots is None:
            return Path(model_path).expanduser()
        return resolve_under(self._model_roots, str(model_path))

    # Models

    def session(self, project_id: str) -> Session:
        """The opened model of a project, kept while its file does not change."""
        project = self.project(project_id)
        if project.model_path is None:
            raise StorageError(f"Project {project_id} cannot be opened: {project.fault}")
        return self._open(project.model_path)

    def _open(self, path: Path) -> Session:
        stat = path.stat()
        key = (str(path), stat.st_mtime_ns, stat.st_size)
        with self._lock:
            if key in self._sessions:
                self._sessions.move_to_end(key)
                return self._sessions[key]
        self._try(path)
        session = Session.open(path, limits=self._limits)
        with self._lock:
            session = self._sessions.setdefault(key, session)
            while len(self._sessions) > _SESSIONS_KEPT:
                self._sessions.popitem(last=False)
        return session

    def _try(self, path: Path) -> None:
        if self._guard is not None:
            self._guard.check(path)

    def layers(self, project_id: str) -> tuple[Layer, ...]:
        """All layers of the project's model, prunable or not, each with its status."""
        return self.session(project_id).layers

    # Sensitivities

    def estimate(
        self,
        project_id: str,
        kind: AnalysisKind | str,
        *,
        resolution: Resolution | str = Resolution.DEFAULT,
        metric: MagnitudeMetric | str = MagnitudeMetric.MAGNITUDE,
        levels: Sequence[float] = DEFAULT_LEVELS,
    ) -> Analysis:
        """The estimate of a kind: loss by weight magnitude, perf by FLOPs."""
        kind = _choice(AnalysisKind, kind, "kind")
        layers = self.layers(project_id)
        resolution = _choice(Resolution, resolution, "resolution")
        if kind is AnalysisKind.PERF:
            return estimate_perf(layers, levels=levels, resolution=resolution)
        metric = _choice(MagnitudeMetric, metric, "metric")
        return estimate_loss(layers, levels=levels, resolution=resolution, metric=metric)

    def run_analysis_iter(
        self, project_id: str, kind: AnalysisKind | str, name: str, options: RunOptions
    ) -> Iterator[RunProgress]:
        """Measure an analysis and save it as ``name``, as far as it is, while it runs.

        With ``options.source`` DATA_AWARE a loss is estimated from the data instead.

        Stop asking to stop the run; ``options.resume`` goes on from what is saved.
        """
        kind = _choice(AnalysisKind, kind, "kind")
        check_analysis_name(name)
        saved_at = -SAVE_SECONDS
        progress: RunProgress | None = None
        try:
            for progress in self._run(project_id, kind, name, options):
                if time.monotonic() - saved_at >= SAVE_SECONDS and progress.done:
                    self.keep_progress(project_id, kind, name, progress)
                    saved_at = time.monotonic()
                yield progress
        finally:  # also where the caller stops asking
            if progress is not None:
                self.keep_progress(project_id, kind, name, progress)

    def _run(
        self, project_id: str, kind: AnalysisKind, name: str, options: RunOptions
    ) -> Iterator[RunProgress]:
        session = self.session(project_id)
        if options.source is Source.DATA_AWARE:
            if kind is not AnalysisKind.LOSS:
                raise InvalidRequestError("Only a loss can be estimated from data.")
            samples = self.samples(project_id, options)
            return run_loss_estimate(session.model, session.layers, samples, options, name)
        earlier = self._earlier(project_id, kind, name) if options.resume else None
        if kind is AnalysisKind.PERF:
            given = self._given_samples(project_id, options)
            return run_perf(session.model, session.layers, given, options, name, earlier)
        samples = self.samples(project_id, options)
        return run_loss(session.model, session.layers, samples, options, name, earlier)

    def _earlier(self, project_id: str, kind: AnalysisKind, name: str) -> Analysis | None:
        if name not in self.store.analyses(project_id, str(kind)):
            return None
        return from_document(kind, name, self.store.analysis(project_id, str(kind), name))

    def keep_progress(
        self, project_id: str, kind: AnalysisKind, name: str, progress: RunProgress
    ) -> None:
        """Save a run's analysis as far as it is; ``complete`` says whether that is all."""
        document = to_document(progress.analysis())
        document["complete"] = progress.done >= progress.total
        self.store.save_analysis(project_id, str(kind), name, document)

    def samples(self, project_id: str, options: RunOptions) -> Samples:
        """What a run measures with: the data named, or the project's own, or generated."""
        found = self._given_samples(project_id, options)
        if found is None:
            model = self.session(project_id).model
            return generate_samples(model, options.samples or DEFAULT_SAMPLES)
        return found if options.samples is None else found.first(options.samples)

    def _given_samples(self, project_id: str, options: RunOptions) -> Samples | None:
        """The data named, or the project's own; None where there is neither."""
        if options.data == RANDOM:
            return None
        model = self.session(project_id).model
        folder = self.project(project_id).data_folder
        if options.data is not None and options.data.startswith(SAMPLE):
            return bundled_samples(options.data.removeprefix(SAMPLE), model)
        if options.data is not None:
            return samples_from(self._resolve(options.data), model)
        return samples_from(folder, model) if any(folder.glob("*.npz")) else None

    def run_estimate(
        self,
        project_id: str,
        kind: AnalysisKind | str,
        name: str,
        *,
        levels: Sequence[float] | None = None,
    ) -> Document:
        """Compute the estimate of a kind and save it as ``name``."""
        document = to_document(self.estimate(project_id, kind, levels=levels or DEFAULT_LEVELS))
        return self.store.save_analysis(project_id, str(kind), name, document)

    def save_analysis(
        self,
        project_id: str,
        kind: AnalysisKind | str,
        name: str,
        document: Document,
        *,
        only_if: OnlyIf[Document] | None = None,
    ) -> Document:
        """Keep an analysis of the caller's, word for word, once it has been checked.

        Raises `ChangedMeanwhileError` where the one it replaces is not as ``only_if`` asks.
        """
        kind = _choice(AnalysisKind, kind, "kind")
        from_document(kind, name, document)
        return self.store.save_analysis(project_id, str(kind), name, document, only_if=only_if)

    def analysis_document(
        self, project_id: str, kind: AnalysisKind | str, name: str | None = None
    ) -> Document:
        """A saved analysis as it was saved; without a name, the most recent of its kind."""
        kind = str(_choice(AnalysisKind, kind, "kind"))
        if name is None:
            return self.store.latest_analysis(project_id, kind)
        return self.store.analysis(project_id, kind, name)

    def analysis(
        self, project_id: str, kind: AnalysisKind | str, name: str | None = None
    ) -> Analysis:
        """A saved analysis, or the estimate for ``approx`` or no name."""
        if name in (None, APPROX):
            return self.estimate(project_id, kind, metric=MagnitudeMetric.L2_SHARE)
        return from_document(kind, str(name), self.analysis_document(project_id, kind, name))

    # Plans

    def plan(
        self,
        project_id: str,
        target: float,
        *,
        balance: float = 1.0,
        locked: Mapping[str, float] | None = None,
        max_sparsity: float = 0.95,
    ) -> tuple[PruningPlan, PlanEstimate]:
        """A plan for an average sparsity, and what it brings; nothing is saved."""
        planner = self.session(project_id).planner
        plan = planner.distribute(target, balance=balance, locked=locked, max_sparsity=max_sparsity)
        return plan, planner.estimate(plan)

    def export_recipe(self, project_id: str, fields: Mapping[str, Any]) -> str:
        """The recipe that ``config_fields`` describe, as YAML text."""
        settings = ExportSettings.from_fields(fields)
        layers = self.layers(project_id)
        loss = self.analysis(project_id, AnalysisKind.LOSS, settings.loss_analysis)
        perf = self.analysis(project_id, AnalysisKind.PERF, settings.perf_analysis)
        return recipe_text(sparsities_by_weight(settings, layers, loss, perf), settings.schedule)

    def save_recipe(self, project_id: str, fields: Mapping[str, Any], file_name: str) -> str:
        """`export_recipe`, also written into the project's folder under ``file_name``."""
        text = self.export_recipe(project_id, fields)
        self.store.save_export(project_id, file_name, text)
        return text


def _choice(kind: type[Choice], value: str, name: str) -> Choice:
    try:
        return kind(value)
    except ValueError:
        choices = ", ".join(kind)
        raise InvalidRequestError(f"'{name}' must be one of {choices}; it is '{value}'.") from None
