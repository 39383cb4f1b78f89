"""Many findings of one kind as few: the first ones whole, the rest in one sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from studio_core.finding import SEVERITIES, Finding

MOST_OF_A_KIND = 8
"""Findings of one name that are told each by itself; a reader stops reading after that."""

_MOST_NAMES = 4


def gathered(
    findings: Iterable[Finding],
    names: Mapping[str, str] | None = None,
    most: int = MOST_OF_A_KIND,
) -> Iterator[Finding]:
    """``findings`` of one kind, the gravest first; beyond ``most`` they become one.

    ``names`` are what people call the subjects, by id.
    """
    found = ordered(findings)
    yield from found[:most]
    rest = found[most:]
    if rest:
        subjects = [finding.subject or finding.override for finding in rest]
        shown = listed([(names or {}).get(subject, subject) for subject in subjects])
        count = f"{len(rest)} more of the kind '{rest[0].name}'."
        yield replace(
            rest[0], hazard=count, evidence=shown, subject=None, override="", attribute=""
        )


def listed(names: Sequence[str], most: int = _MOST_NAMES) -> str:
    """``a, b and 3 more``."""
    shown = [name for name in names if name][:most]
    left = len(names) - len(shown)
    text = ", ".join(shown)
    if not left:
        return text
    return f"{text} and {left} more" if text else f"{left} without a name"


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The gravest first, otherwise as given."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))
