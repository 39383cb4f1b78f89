"""Channel counts that are no multiples of the runtime's block, so that removing gains nothing.

onnxruntime computes channels in blocks of 16: measured, a layer with 0.9 of its channels took as
long as the whole one, and one with 0.875 of them, a multiple of 16, took 0.826 of the time.
"""

from __future__ import annotations

from collections.abc import Iterator

from studio_core.finding import Finding
from studio_core.findings.gathering import gathered
from studio_core.findings.model_facts import ModelFacts
from studio_core.layers import Layer
from studio_core.pruning.channels import BLOCK, num_kept_channels
from studio_core.pruning.masks import Granularity
from studio_core.quantities import percent


def channel_blocks(facts: ModelFacts) -> Iterator[Finding]:
    """Layers that the plan takes channels from: those too small for it, and uneven ones."""
    asked = [
        layer
        for layer in facts.units
        if facts.target(layer) > 0 and facts.removal.of(layer.id).granularity is Granularity.CHANNEL
    ]
    yield from gathered(_untouched(facts, asked), facts.names)
    yield from gathered(_uneven(asked), facts.names)


def _untouched(facts: ModelFacts, layers: list[Layer]) -> Iterator[Finding]:
    for layer in layers:
        channels, sparsity = _num_channels(layer), facts.target(layer)
        if channels and num_kept_channels(channels, sparsity) == channels:
            yield Finding(
                "no whole block of channels",
                "warning",
                f"{layer.name} keeps all of its channels.",
                f"{percent(sparsity)} of {channels} channels is less than a block of {BLOCK}.",
                f"Ask for at least {percent(min(1.0, BLOCK / channels))}, or leave it out.",
                subject=layer.id,
            )


def _uneven(layers: list[Layer]) -> Iterator[Finding]:
    for layer in layers:
        channels = _num_channels(layer)
        if channels and channels > BLOCK and channels % BLOCK:
            yield Finding(
                "uneven channels",
                "note",
                f"The last channels of {layer.name} cost as much as a whole block.",
                f"It has {channels} channels, no multiple of {BLOCK}.",
                f"Keep {channels - channels % BLOCK} of them: the time falls in steps of {BLOCK}.",
                subject=layer.id,
            )


def _num_channels(layer: Layer) -> int | None:
    """Output channels; None where a dimension is not known."""
    shape = layer.output_shape
    if shape is None:
        return None
    axis = 1 if layer.op_type.startswith("Conv") else len(shape) - 1
    channels = shape[axis] if 0 < axis < len(shape) else None
    return channels if isinstance(channels, int) else None
