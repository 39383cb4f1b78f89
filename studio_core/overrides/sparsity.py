"""A pruning plan as overrides of an ONNX graph, and such overrides as a plan: one idea.

The attribute is ``sparsity`` in whole percent, ``[50]``, of the node whose id is the layer's.
"""

from __future__ import annotations

from studio_core.attributes import format_value, read_value
from studio_core.errors import InvalidRequestError
from studio_core.graphs.from_onnx import SPARSITY_KEY, SPARSITY_SPEC
from studio_core.overrides.records import Override, Overrides
from studio_core.plans.plan import PruningPlan


def sparsity_overrides(plan: PruningPlan) -> Overrides:
    """The plan as overrides, one for each layer it names, rounded to whole percent."""
    return Overrides.of(
        Override(layer_id, layer_id, {SPARSITY_KEY: _percent(sparsity)})
        for layer_id, sparsity in plan.sparsities.items()
    )


def plan_with_overrides(overrides: Overrides, plan: PruningPlan | None = None) -> PruningPlan:
    """``plan`` (none: an empty one) with the sparsities that the overrides ask for, locked.

    A sparsity that rounds to what is asked for is left as it is, so that a plan which went through
    overrides comes back unchanged. Raises `InvalidRequestError` for a value that is no percentage.
    """
    changed = plan if plan is not None else PruningPlan({})
    for override in overrides:
        text = override.attributes.get(SPARSITY_KEY)
        layer_id = override.named_location or override.full_location
        if text is None or _says(changed, layer_id, text):
            continue
        changed = changed.with_layer(layer_id, requested_sparsity(text))
    return changed


def requested_sparsity(text: str) -> float:
    """The sparsity, 0 to 1, that ``[50]`` asks for; raises `InvalidRequestError`."""
    values = read_value(SPARSITY_SPEC, text)
    if isinstance(values, str) or len(values) != 1:
        raise InvalidRequestError("A sparsity is one whole number of percent, such as [50].")
    return values[0] / 100


def _says(plan: PruningPlan, layer_id: str, text: str) -> bool:
    sparsity = plan.sparsities.get(layer_id)
    return sparsity is not None and _percent(sparsity) == text.strip()


def _percent(sparsity: float) -> str:
    return format_value(SPARSITY_SPEC, (round(100 * sparsity),))
