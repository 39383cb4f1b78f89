"""What the compare panel offers: plans, analyses and models, each read when it is chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.plan_runs.saved_plan import SavedPlan
from studio_core.plans import PruningPlan
from studio_core.projects import Project
from studio_core.sensitivity import Analysis, AnalysisKind
from studio_core.session import Session
from studio_core.workbench import Workbench
from studio_widgets._curves import source_in_words
from studio_widgets.project_bar import known_projects

PLANS, ANALYSES, MODELS = "plans", "analyses", "models"

PRESENT = "present"
"""The plan of the sliders, among the plans."""

OTHER_FILE = ""
"""A model by its path, among the models."""


@dataclass(frozen=True)
class AnalysisChoice:
    """An analysis in the list; it is read when it is asked for."""

    kind: str
    read: Callable[[], Analysis]


Analyses = Mapping[str, AnalysisChoice]
"""Analyses by what they are called in the list."""

Models = Mapping[str, Callable[[], Session]]
"""Models by what they are called in the list; each is opened when it is asked for."""


@dataclass(frozen=True)
class Choices:
    """The lists of the panel, and what stands behind their entries."""

    plans: Callable[[], Sequence[SavedPlan]]
    analyses: Callable[[], Analyses]
    models: Callable[[], Models]

    def options(self, what: str, present: PruningPlan | None) -> list[tuple[str, str]]:
        """Titles and keys of what can be chosen."""
        if what == ANALYSES:
            return [(title, title) for title in self.analyses()]
        if what == MODELS:
            return [*((title, title) for title in self.models()), ("another file …", OTHER_FILE)]
        own = [("present plan", PRESENT)] if present is not None else []
        return own + [(f"{p.name} v{p.version}", _key(p)) for p in self.plans()]

    def usual(self, what: str, options: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
        """What is compared before anything was chosen: what was, beside what is now.

        None where there are not two of a kind.
        """
        keys = [key for _, key in options]
        if what == PLANS:
            return (keys[1], keys[0]) if len(keys) > 1 else None
        known = self.analyses()
        pairs = pairwise(keys)
        return next(((a, b) for a, b in pairs if known[a].kind == known[b].kind), None)

    def plan(self, wanted: Any, present: PruningPlan | None) -> tuple[str, PruningPlan]:
        """What a plan is called, and the plan; raises `NotFoundError`."""
        if isinstance(wanted, PruningPlan):
            return "a plan", wanted
        if isinstance(wanted, SavedPlan):
            return f"{wanted.name} v{wanted.version}", wanted.plan
        if wanted == PRESENT and present is not None:
            return "present plan", present
        kept = self.plans()  # the newest first
        for saved in kept:
            if wanted in (saved.name, _key(saved)):
                return f"{saved.name} v{saved.version}", saved.plan
        there = ", ".join(_key(saved) for saved in kept) or "none yet"
        raise NotFoundError(f"No plan {wanted!r} is kept. There are: {there}.")

    def analysis(self, wanted: Any) -> tuple[str, Analysis]:
        """What an analysis is called, and the analysis; raises `NotFoundError`."""
        if isinstance(wanted, Analysis):
            return wanted.name, wanted
        known = self.analyses()
        if wanted not in known:
            raise NotFoundError(f"No analysis {wanted!r}. There are: {', '.join(known)}.")
        return str(wanted), known[wanted].read()

    def model(self, wanted: Any) -> tuple[str, Callable[[], Session]]:
        """What a model is called, and how it is opened; raises `InvalidRequestError`."""
        if isinstance(wanted, Session):
            return wanted.model.path.name, lambda: wanted
        known = self.models()
        if isinstance(wanted, str) and wanted in known:
            return wanted, known[wanted]
        if isinstance(wanted, str | Path) and str(wanted).strip():
            path = Path(str(wanted).strip().strip("\"'")).expanduser()
            return path.name, lambda: Session.open(path)
        raise InvalidRequestError("Choose another model, or write the path of an ONNX file.")


def _key(saved: SavedPlan) -> str:
    return f"{saved.name}@{saved.version}"


def analysis_choices(
    session: Session,
    shown: Mapping[str, Analysis | None],
    project: Project | None = None,
    workbench: Workbench | None = None,
) -> dict[str, AnalysisChoice]:
    """The estimates, what is ``shown`` by its words (None left out), what the project keeps."""
    found = {"estimated loss": AnalysisChoice("loss", lambda: session.loss)}
    here = set()
    for words, analysis in shown.items():
        if analysis is not None:
            here.add((str(analysis.kind), analysis.name))
            title = f"{words} ({source_in_words(analysis)})"
            found[title] = AnalysisChoice(str(analysis.kind), _given(analysis))
    if project is not None and workbench is not None:
        for kind in AnalysisKind:
            for name in workbench.store.analyses(project.id, str(kind)):
                if (str(kind), name) not in here:
                    read = _saved(workbench, project.id, kind, name)
                    found[f"{name} ({kind}, saved)"] = AnalysisChoice(str(kind), read)
    found["estimated work"] = AnalysisChoice("perf", lambda: session.perf)
    return found


def model_choices(
    workbench: Workbench, present: Project | None = None
) -> dict[str, Callable[[], Session]]:
    """The models of other projects, and those that were pruned by plans of the present one."""
    found: dict[str, Callable[[], Session]] = {}
    if present is not None:
        for name in workbench.store.plans(present.id):
            try:
                path = workbench.plans.pruned_file(present.id, name)
            except NotFoundError:
                continue  # it was not applied, or the file is gone
            found[f"pruned by {name}"] = _opened(path)
    for project in known_projects(workbench):
        if project.model_path is not None and (present is None or project.id != present.id):
            title = f"project {project.name}"
            title = f"{title} ({project.id[:8]})" if title in found else title
            found[title] = _session(workbench, project.id)
    return found


# Made by functions of their own: a lambda in a loop would see the loop's last value.


def _given(analysis: Analysis) -> Callable[[], Analysis]:
    return lambda: analysis


def _saved(
    workbench: Workbench, project_id: str, kind: AnalysisKind, name: str
) -> Callable[[], Analysis]:
    return lambda: workbench.analysis(project_id, kind, name)


def _opened(path: Path) -> Callable[[], Session]:
    return lambda: Session.open(path)


def _session(workbench: Workbench, project_id: str) -> Callable[[], Session]:
    return lambda: workbench.session(project_id)
