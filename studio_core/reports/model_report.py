"""`model_report`: what is known of a model, its plan and the plan's proof, as a `Report`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from studio_core.documents import Document
from studio_core.findings import model_findings
from studio_core.plan_runs.documents import verification_document
from studio_core.plan_runs.removal import Removal
from studio_core.plan_runs.saved_plan import SavedPlan
from studio_core.plans import PruningPlan
from studio_core.plans.verification import Verification
from studio_core.projects.project import now
from studio_core.reports.model_sections import (
    layers_section,
    loss_section,
    perf_section,
    summary_section,
)
from studio_core.reports.plan_sections import plan_section, proof_section
from studio_core.reports.provenance import analysis_facts, file_facts, studio_facts
from studio_core.reports.records import Fact, FindingList, Paragraph, Report, Section
from studio_core.sensitivity import Analysis
from studio_core.session import Session

_MOST_SAID = 12
"""Entries of the model's own metadata; a stranger may have written thousands."""


def model_report(
    session: Session,
    *,
    loss: Analysis | None = None,
    perf: Analysis | None = None,
    plan: PruningPlan | SavedPlan | None = None,
    removal: Removal | None = None,
    verifications: Sequence[Verification | Document] = (),
    title: str | None = None,
    about: Mapping[str, str] | None = None,
    created: str | None = None,
) -> Report:
    """A report on a model; what is not given is estimated, or left out.

    A `SavedPlan` brings its removal, its runs and its prediction with it. ``about`` is said of
    the model beside its own metadata, such as a task or an accuracy. ``created`` is the time it
    is dated with, now unless given.
    """
    expected: Mapping[str, Any] = {}
    if isinstance(plan, SavedPlan):
        expected, removal, verifications = plan.expected, plan.removal, plan.verifications
    decided = plan.plan if isinstance(plan, SavedPlan) else plan
    goal = plan.goal if isinstance(plan, SavedPlan) else None
    runs = [verification_document(v) if isinstance(v, Verification) else v for v in verifications]
    losses, times = loss or session.loss, perf or session.perf
    findings = model_findings(session, decided, loss, perf, runs, removal)
    sections = [
        summary_section(session, {**_own_metadata(session), **(about or {})}),
        _findings_section(session, FindingList(findings, _names(session))),
    ]
    if decided is not None:
        sections.append(
            plan_section(session, decided, removal or Removal(), losses, expected, goal)
        )
    optional = (proof_section(runs), loss_section(losses), perf_section(times))
    sections += [section for section in optional if section is not None]
    sections.append(layers_section(session, losses))
    return Report(
        title or session.model.name,
        _subtitle(session, plan),
        tuple(sections),
        tuple(_provenance(session, losses, times, plan, created or now())),
    )


def _findings_section(session: Session, findings: FindingList) -> Section:
    if session.prunable_layers:
        return Section("Findings", (findings,))
    nothing = Paragraph("No layer of this model can be pruned; the table of layers says why.")
    return Section("Findings", (nothing, findings))


def _names(session: Session) -> tuple[tuple[str, str], ...]:
    return tuple((layer.id, layer.name) for layer in session.layers)


def _subtitle(session: Session, plan: PruningPlan | SavedPlan | None) -> str:
    if isinstance(plan, SavedPlan):
        note = f": {plan.note}" if plan.note else ""
        return f"{session.model.path.name}, plan '{plan.name}' version {plan.version}{note}"
    return f"{session.model.path.name}{', with a pruning plan' if plan is not None else ''}"


def _own_metadata(session: Session) -> dict[str, str]:
    proto = session.model.proto
    said = {
        "Made by": " ".join(filter(None, (proto.producer_name, proto.producer_version))),
        "Description": proto.doc_string,
        **{entry.key: entry.value for entry in proto.metadata_props[:_MOST_SAID]},
    }
    return {key: value for key, value in said.items() if value}


def _provenance(
    session: Session,
    loss: Analysis,
    perf: Analysis,
    plan: PruningPlan | SavedPlan | None,
    created: str,
) -> Iterator[Fact]:
    yield from studio_facts(created)
    yield from file_facts(session.model.path, session.model.sha256())
    for name, size in session.model.dimensions.items():
        yield Fact(f"Dimension {name}", str(size))
    if isinstance(plan, SavedPlan):
        yield Fact("Plan", f"'{plan.name}' version {plan.version}, saved {plan.created_at}")
    yield from analysis_facts(loss)
    yield from analysis_facts(perf)
