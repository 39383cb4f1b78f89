"""Findings as a JSON document, one form for the command line, REST and scripts."""

from __future__ import annotations

from dataclasses import asdict

from studio_core.documents import Document
from studio_core.insight.subjects import Subject


def findings_document(subject: Subject) -> Document:
    """``findings``, the gravest first, and in a sentence what was looked at."""
    return {
        "findings": [asdict(finding) for finding in subject.findings()],
        "lookedAt": subject.looked_at(),
    }
