"""What is wrong with the overrides before a run, and what became of them after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from studio_core.explorer.exploration import Exploration
from studio_core.finding import Finding
from studio_core.findings.gathering import gathered
from studio_core.hardware.attribute_text import shorten


def overrides_to_mend(exploration: Exploration, policy: str) -> Iterator[Finding]:
    """The findings of `check_overrides`, each with the node it is about."""
    for finding in exploration.findings(policy):
        node = exploration.node_of(finding.override) if finding.override else None
        yield replace(finding, subject=node)


def not_applied(exploration: Exploration) -> Iterator[Finding]:
    """The requests that the last run did not follow."""
    run = exploration.executed
    values = () if run is None else run.applied
    yield from gathered(
        Finding(
            "override not applied",
            "warning",
            f"{value.key} was not applied.",
            f"Asked for {shorten(value.requested)} at {shorten(value.node_id)}. {value.reason}",
            "Read times and accuracy as those without it, or run it on the compiler.",
            attribute=value.key,
            subject=value.node_id,
        )
        for value in values
        if not value.is_applied
    )
