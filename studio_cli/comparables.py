"""What `compare` is given: what kind of thing each of the two is, and the thing itself."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio_cli.json_files import read_object
from studio_cli.models import PROJECT, SAMPLE, find_model, open_workbench
from studio_cli.subjects import is_module
from studio_core.errors import InvalidRequestError, NotFoundError

if TYPE_CHECKING:
    from studio_core.comparison import AnalysisComparison, PlanComparison
    from studio_core.graphs.records import Graph
    from studio_core.plans import PruningPlan
    from studio_core.sensitivity import Analysis
    from studio_core.session import Session
    from studio_core.workbench import Workbench

MODEL, MODULE, PLAN, ANALYSIS = "model", "module", "plan", "analysis"

_MADE_BY = "studio plan MODEL --sparsity 0.8"


def kind_of(text: str, args: argparse.Namespace) -> str:
    """Model, module, plan or analysis; raises `InvalidRequestError` for what is none."""
    if args.project is not None:
        return PLAN if text.partition("@")[0] in _plans(args) else ANALYSIS
    if text.startswith((SAMPLE, PROJECT)) or Path(text).suffix.lower() == ".onnx":
        return MODEL
    if is_module(text):
        return MODULE
    if Path(text).suffix.lower() == ".json":
        return ANALYSIS if "layerSensitivities" in _document(text) else PLAN
    raise InvalidRequestError(
        f"'{text}' is no model, module (.mlir, .ttir, .ttnn), plan or analysis (.json)."
    )


def session_of(text: str, args: argparse.Namespace) -> Session:
    from studio_core.session import Session

    named = argparse.Namespace(**{**vars(args), "model": text})
    return Session.open(find_model(named), dimensions=dict(args.dimension))


def graph_of(text: str) -> Graph:
    from studio_core.explorer.exploration import open_exploration

    if not Path(text).exists():
        raise NotFoundError(f"Path {text} does not exist.")
    return open_exploration(text).graph


def compared_plans(args: argparse.Namespace) -> PlanComparison:
    if args.project is not None:
        workbench, project_id = _project(args)
        return workbench.insight.compare_plans(project_id, args.left, args.right)
    from studio_core.comparison import compare_plans

    return compare_plans(_plan(args.left), _plan(args.right))


def compared_analyses(args: argparse.Namespace) -> AnalysisComparison:
    from studio_core.comparison import compare_analyses

    return compare_analyses(_analysis(args.left, args), _analysis(args.right, args))


def _plan(text: str) -> PruningPlan:
    from studio_core.plans import PruningPlan

    document = _document(text)
    plan = document.get("plan", document)
    return PruningPlan.from_document(plan)


def _analysis(text: str, args: argparse.Namespace) -> Analysis:
    from studio_core.sensitivity.documents import from_document

    if args.project is None:
        document = _document(text)
        return from_document(str(document.get("kind", "loss")), Path(text).stem, document)
    workbench, project_id = _project(args)
    for kind in ("loss", "perf"):
        if text in workbench.store.analyses(project_id, kind):
            return workbench.analysis(project_id, kind, text)
    raise NotFoundError(f"The project '{args.project}' has no plan and no analysis '{text}'.")


def _plans(args: argparse.Namespace) -> tuple[str, ...]:
    workbench, project_id = _project(args)
    return tuple(workbench.store.plans(project_id))


def _project(args: argparse.Namespace) -> tuple[Workbench, str]:
    workbench = open_workbench(args)
    return workbench, workbench.find_project(args.project.removeprefix(PROJECT)).id


def _document(text: str) -> dict[str, Any]:
    return read_object(Path(text), "a plan or an analysis", _MADE_BY)
