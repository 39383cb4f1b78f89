"""A finding: something a person should know, with what was seen and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""The gravest first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a model, a plan, a module or an override that a person should know.

    ``name`` is for code, ``hazard`` says what goes wrong, ``evidence`` what was seen, ``remedy``
    what to do. ``override`` is the key of the override it is about, ``attribute`` the attribute;
    "" where it is about none. ``subject`` is the id of the layer or node, None for the whole.
    """

    name: str
    severity: Severity
    hazard: str
    evidence: str
    remedy: str
    override: str = ""
    attribute: str = ""
    subject: str | None = None
