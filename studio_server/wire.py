"""Core documents as the answers that go over the wire, wrapped as the seed has them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from studio_core.documents import Document as Document
from studio_core.documents import (
    estimate_document,
    layer_document,
    project_document,
)
from studio_core.jobs import Job, job_document
from studio_core.layers import Layer
from studio_core.plans import PlanEstimate, PruningPlan
from studio_core.projects import Project
from studio_core.sensitivity import Analysis
from studio_core.sensitivity.documents import to_document

_PART = 100


def to_text(document: Document) -> str:
    """JSON text; ASCII only, so that no name in a model can upset a reader.

    Long lists are written in parts: to write one at once would keep the whole interpreter.
    """
    fields = (
        f"{json.dumps(key)}: {_long_list(value)}"
        if isinstance(key, str) and isinstance(value, list) and len(value) > _PART
        else json.dumps({key: value}, allow_nan=False)[1:-1]
        for key, value in document.items()
    )
    return "{" + ", ".join(fields) + "}"


def _long_list(items: list[Any]) -> str:
    parts = (items[at : at + _PART] for at in range(0, len(items), _PART))
    return "[" + ", ".join(json.dumps(part, allow_nan=False)[1:-1] for part in parts) + "]"


def etag(text: str) -> str:
    """The ETag of an answer: what Tornado gives to each GET by itself."""
    return f'"{hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()}"'


def project(project: Project) -> Document:
    return {"project": project_document(project)}


def projects(projects: Iterable[Project]) -> Document:
    return {"projects": [project_document(p) for p in projects]}


def created(project: Project) -> Document:
    """The answer to a new project: bare, as the seed has it here, and wrapped, as elsewhere."""
    return {
        "projectId": project.id,
        "projectName": project.name,
        "project": project_document(project),
    }


def layers(layers: Sequence[Layer], *, only_prunable: bool) -> Document:
    shown = [layer for layer in layers if layer.is_prunable or not only_prunable]
    return {"prunableLayers": [layer_document(layer) for layer in shown]}


def analysis(analysis: Analysis) -> Document:
    return to_document(analysis)


def job(job: Job) -> Document:
    return {"job": job_document(job)}


def jobs(jobs: Iterable[Job]) -> Document:
    return {"jobs": [job_document(job) for job in jobs]}


def plan(plan: PruningPlan, estimate: PlanEstimate) -> Document:
    return {"plan": plan.to_document(), "estimate": estimate_document(estimate)}
