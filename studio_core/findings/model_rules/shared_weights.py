"""Layers that have one weight between them: what is pruned in one is pruned in all."""

from __future__ import annotations

from collections.abc import Iterator

from studio_core.finding import Finding
from studio_core.findings.gathering import gathered, listed
from studio_core.findings.model_facts import ModelFacts
from studio_core.layers import Layer
from studio_core.quantities import percent


def shared_weights(facts: ModelFacts) -> Iterator[Finding]:
    groups: dict[object, list[Layer]] = {}
    for layer in facts.session.prunable_layers:
        if layer.weight is not None:
            groups.setdefault(layer.weight.key, []).append(layer)
    shared = [group for group in groups.values() if len(group) > 1]
    torn = [group for group in shared if _is_torn(facts, group)]
    whole = [group for group in shared if not _is_torn(facts, group)]
    yield from gathered((_torn(facts, group) for group in torn), facts.names)
    yield from gathered(map(_shared, whole), facts.names)


def _is_torn(facts: ModelFacts, group: list[Layer]) -> bool:
    return len({facts.target(layer) for layer in group}) > 1


def _torn(facts: ModelFacts, group: list[Layer]) -> Finding:
    asked = ", ".join(f"{layer.id} {percent(facts.target(layer))}" for layer in group)
    return Finding(
        "one weight, several targets",
        "error",
        f"The plan cannot be applied: {group[0].name} is one weight with several sparsities.",
        f"Asked for: {asked}.",
        "Give all layers that share it the same sparsity.",
        subject=group[0].id,
    )


def _shared(group: list[Layer]) -> Finding:
    ids = [layer.id for layer in group]
    return Finding(
        "shared weight",
        "note",
        f"{group[0].name} is used by {len(group)} layers, which are pruned together.",
        f"The layers {listed(ids)} read the same weight.",
        "Judge it by all of them; it counts once in sizes and sparsity.",
        subject=group[0].id,
    )
