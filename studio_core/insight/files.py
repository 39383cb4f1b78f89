"""Findings, reports and comparisons of files that are in no project."""

from __future__ import annotations

from pathlib import Path

from studio_core.comparison import compare_graphs, compare_models
from studio_core.comparison.documents import graph_comparison_document, model_comparison_document
from studio_core.documents import Document
from studio_core.errors import InvalidRequestError
from studio_core.explorer.exploration import Exploration
from studio_core.explorer.opened import MLIR_SUFFIXES, ONNX_SUFFIX, open_file
from studio_core.guarded import Guard
from studio_core.insight.subjects import ModelSubject, ModuleSubject
from studio_core.limits import DEFAULT_LIMITS
from studio_core.session import Session


def open_subject(path: Path, guard: Guard | None = None) -> ModelSubject | ModuleSubject:
    """The model or module in a file, which a ``guard`` tries first.

    Raises `InvalidRequestError` for another suffix than theirs, and what `Session.open` and
    `open_file` raise.
    """
    suffix = path.suffix.lower()
    if suffix not in (*MLIR_SUFFIXES, ONNX_SUFFIX):
        known = ", ".join((*MLIR_SUFFIXES, ONNX_SUFFIX))
        raise InvalidRequestError(f"'{path.name}' is no model and no module. They end in {known}.")
    limits = DEFAULT_LIMITS
    if guard is not None:
        guard.check(path)
        limits = guard.limits
    if suffix == ONNX_SUFFIX:
        return ModelSubject(Session.open(path, limits=limits))
    return ModuleSubject(Exploration(path, open_file(path, limits=limits)))


def comparison_document(
    left: ModelSubject | ModuleSubject, right: ModelSubject | ModuleSubject
) -> Document:
    """Two models, or the graphs of two modules, side by side.

    Raises `InvalidRequestError` for one of each.
    """
    if isinstance(left, ModelSubject) and isinstance(right, ModelSubject):
        return model_comparison_document(compare_models(left.session, right.session))
    if isinstance(left, ModuleSubject) and isinstance(right, ModuleSubject):
        graphs = left.exploration.graph, right.exploration.graph
        return graph_comparison_document(compare_graphs(*graphs))
    raise InvalidRequestError(
        f"'{left.name}' and '{right.name}' are a model and a module. Give two of a kind."
    )
