"""Weights that are zero before anything is pruned."""

from __future__ import annotations

from collections.abc import Iterator

from studio_core.finding import Finding
from studio_core.findings.gathering import gathered
from studio_core.findings.model_facts import ModelFacts
from studio_core.layers import Layer
from studio_core.quantities import percent

_LEAST_SHARE = 0.1
"""Of a layer's weights; a few zeros are chance or padding."""


def zero_weights(facts: ModelFacts) -> Iterator[Finding]:
    """The layers with the most zeros first; those that are all zero are errors."""
    shares = {layer.id: layer.sparsity or 0.0 for layer in facts.units}
    found = [layer for layer in facts.units if shares[layer.id] >= _LEAST_SHARE]
    found.sort(key=lambda layer: -shares[layer.id])
    dead = [layer for layer in found if shares[layer.id] == 1.0]
    yield from gathered(map(_dead, dead), facts.names)
    findings = [_finding(facts, layer) for layer in found if shares[layer.id] < 1.0]
    for kind in dict.fromkeys(finding.name for finding in findings):
        yield from gathered((f for f in findings if f.name == kind), facts.names)


def _dead(layer: Layer) -> Finding:
    return Finding(
        "all weights zero",
        "error",
        f"{layer.name} computes nothing: all of its weights are zero.",
        f"{layer.weight_size:,} of {layer.weight_size:,} weights are zero.",
        "Check how the model was exported or pruned.",
        subject=layer.id,
    )


def _finding(facts: ModelFacts, layer: Layer) -> Finding:
    zeros, share = layer.num_zeros or 0, layer.sparsity or 0.0
    target = facts.target(layer)
    evidence = f"{zeros:,} of {layer.weight_size:,} weights ({percent(share)}) are zero."
    if 0 < target <= share:
        return Finding(
            "target below present zeros",
            "warning",
            f"The plan changes nothing in {layer.name}.",
            f"{evidence} The plan asks for {percent(target)}.",
            f"Ask for more than {percent(share)}, or leave the layer out.",
            subject=layer.id,
        )
    return Finding(
        "zero weights",
        "note",
        f"{layer.name} is pruned already.",
        evidence,
        "Its first zeros cost nothing; compare plans by what they add.",
        subject=layer.id,
    )
