"""An analysis that was measured on another file than the model."""

from __future__ import annotations

from collections.abc import Iterator

from studio_core.finding import Finding
from studio_core.findings.model_facts import ModelFacts


def other_model(facts: ModelFacts) -> Iterator[Finding]:
    for analysis in facts.analyses:
        measured_on = analysis.provenance.get("modelSha256")
        if measured_on is None or measured_on == facts.session.model.sha256():
            continue
        yield Finding(
            "other model",
            "warning",
            f"'{analysis.name}' may not hold for this model.",
            f"It was measured on a file with the hash {str(measured_on)[:12]}…, and this one has "
            f"{facts.session.model.sha256()[:12]}….",
            "Measure this model, or open the one that was measured.",
        )
