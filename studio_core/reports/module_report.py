"""`module_report`: what is known of an opened module and its run, as a `Report`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from studio_core.errors import StorageError
from studio_core.explorer.exploration import OPTIMIZER_ENABLED, Exploration
from studio_core.findings import module_findings
from studio_core.projects.project import now
from studio_core.reports.module_sections import (
    memory_section,
    overrides_section,
    roofline_section,
    run_section,
    summary_section,
)
from studio_core.reports.provenance import file_facts, studio_facts, version_facts
from studio_core.reports.records import Fact, FindingList, Report, Section


def module_report(
    exploration: Exploration,
    *,
    policy: str = OPTIMIZER_ENABLED,
    title: str | None = None,
    created: str | None = None,
) -> Report:
    """A report on the graph that is looked at; overrides are judged for a run under ``policy``.

    Raises `StorageError` where the file is no longer there.
    """
    findings = FindingList(module_findings(exploration, policy), tuple(_names(exploration)))
    sections = (
        summary_section(exploration),
        Section("Findings", (findings,)),
        run_section(exploration.executed),
        memory_section(exploration.opened),
        roofline_section(exploration),
        overrides_section(exploration, policy),
    )
    return Report(
        title or exploration.path.name,
        exploration.opened.graph.id,
        tuple(section for section in sections if section is not None),
        tuple(_provenance(exploration, created or now())),
    )


def _names(exploration: Exploration) -> Iterator[tuple[str, str]]:
    for node in exploration.graph.nodes:
        named = node.attribute("named_location")
        yield node.id, named.value if named is not None and named.value else node.id


def _provenance(exploration: Exploration, created: str) -> Iterator[Fact]:
    yield from studio_facts(created)
    try:
        with exploration.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise StorageError(f"{exploration.path} cannot be read ({error.strerror}).") from error
    yield from file_facts(exploration.path, digest)
    yield Fact("Chip", exploration.system.sentence)
    run = exploration.executed
    if run is not None:
        settings = run.result.settings
        yield Fact(
            "Run",
            f"{settings.iterations} iterations after {settings.warmup} to warm up, "
            f"{settings.num_threads} thread(s), seed {settings.seed}",
        )
        yield from version_facts(run.result.versions, "Run: versions")
