"""A plan in a document, such as one written by hand, fitted to the layers of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.plan_runs.layer_names import find_layer

if TYPE_CHECKING:
    from studio_core.layers import Layer
    from studio_core.plans import PruningPlan


def fitted_plan(layers: Sequence[Layer], document: Mapping[str, Any], what: str) -> PruningPlan:
    """The plan in ``document``: each layer must be one of the model's, by id or weight's name.

    ``what`` is the document in messages, such as the path of its file.
    """
    from studio_core.plans import PruningPlan

    plan = PruningPlan.from_document(document)
    found = {key: _own_layer(layers, what, key) for key in plan.sparsities}
    _refuse_doubles(what, found)
    return PruningPlan(
        sparsities={layer.id: plan.sparsities[key] for key, layer in found.items()},
        locked=frozenset(found[key].id for key in plan.locked),
        target=_number_or_none(what, document, "target"),
        balance=_number_or_none(what, document, "balance"),
        weight_names={layer.id: layer.name for layer in found.values()},
    )


def _own_layer(layers: Sequence[Layer], what: str, key: str) -> Layer:
    try:
        layer = find_layer(layers, key)
    except NotFoundError as error:
        raise InvalidRequestError(f"{what} does not fit this model. {error}") from None
    if not layer.is_prunable:
        raise InvalidRequestError(
            f"{what} prunes '{key}', which cannot be pruned here: {layer.reason}"
        )
    return layer


def _refuse_doubles(what: str, found: Mapping[str, Layer]) -> None:
    seen: dict[str, str] = {}
    for key, layer in found.items():
        if layer.id in seen:
            raise InvalidRequestError(
                f"{what} names one layer twice, as '{seen[layer.id]}' and as '{key}'."
            )
        seen[layer.id] = key


def _number_or_none(what: str, document: Mapping[str, Any], key: str) -> float | None:
    value = document.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 <= value <= 1.0:
        raise InvalidRequestError(f"'{key}' in {what} must be a number from 0 to 1, or null.")
    return float(value)
