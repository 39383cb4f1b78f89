"""Quantized weights whose scales do not fit, so that nothing can be said of their values."""

from __future__ import annotations

from collections.abc import Iterator

from studio_core.finding import Finding
from studio_core.findings.gathering import gathered
from studio_core.findings.model_facts import ModelFacts


def unreadable_weights(facts: ModelFacts) -> Iterator[Finding]:
    found = (
        Finding(
            "weight not understood",
            "warning",
            f"The values of {layer.name} are not known.",
            layer.weight.fault,
            "It cannot be judged by magnitude; export the model with plain scales.",
            subject=layer.id,
        )
        for layer in facts.session.layers
        if layer.weight is not None and layer.weight.fault
    )
    yield from gathered(found, facts.names)
