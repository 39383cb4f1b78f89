"""Numbers that were measured on generated data, which looks like no real input."""

from __future__ import annotations

from collections.abc import Iterator

from studio_core.finding import Finding
from studio_core.findings.model_facts import ModelFacts

_REMEDY = "Give samples of the data that the model is for, and measure again."


def random_data(facts: ModelFacts) -> Iterator[Finding]:
    """Losses only: a dense runtime takes as long on any data."""
    loss = facts.loss
    if loss is not None and loss.provenance.get("generatedData") is True:
        yield Finding(
            "random data",
            "warning",
            "The losses may rank the layers wrongly.",
            f"'{loss.name}' was measured on {_count(loss.provenance.get('numSamples'))} of "
            "generated data.",
            _REMEDY,
        )
    if facts.verifications and facts.verifications[-1].get("onRandomData") is True:
        yield Finding(
            "random data in proof",
            "warning",
            "The proof of the plan says little about real data.",
            "The last run of the plan was on generated data.",
            _REMEDY,
        )


def _count(number: object) -> str:
    if not isinstance(number, int):
        return "samples"
    return "1 sample" if number == 1 else f"{number} samples"
