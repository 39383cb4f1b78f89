"""Recipes by the weight names of the training code: SparseML's own, and names for any format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio_core.errors import InvalidRequestError
from studio_core.exports.name_matching import NameMatches, match_names, unchecked
from studio_core.exports.source import Exported, ExportSource
from studio_core.plans.recipe import Schedule, recipe_text


def to_sparseml(
    source: ExportSource, *, state_dict: Mapping[str, Any] | None = None, **schedule: Any
) -> Exported:
    """A SparseML recipe (YAML); ``schedule`` as in `Schedule`.

    With a ``state_dict`` the ``params`` are its names, found by shape and values.
    """
    source.only_single_weights("A SparseML recipe")
    try:
        times = Schedule(**schedule)
    except TypeError as error:
        raise InvalidRequestError(f"The schedule cannot be used: {error}.") from error
    names = named(source, state_dict)
    sparsities = sparsity_by_name(source, names)
    return Exported(recipe_text(sparsities, times).encode(), names.problems)


def named(source: ExportSource, state_dict: Mapping[str, Any] | None) -> NameMatches:
    """Names for the plan's weights: matched, or the ONNX ones where there is nothing to match."""
    if state_dict is None:
        return unchecked(source.weights)
    return match_names(source.weights, state_dict)


def sparsity_by_name(source: ExportSource, names: NameMatches) -> dict[str, float]:
    """Sparsity by parameter; raises where one name would have two sparsities."""
    found: dict[str, float] = {}
    for weight in source.weights:
        if weight.key not in names.matched:
            continue
        name = names.matched[weight.key].parameter
        if found.setdefault(name, weight.order.sparsity) != weight.order.sparsity:
            raise InvalidRequestError(
                f"Two weights in different subgraphs are called '{name}' and have different "
                "sparsities; a recipe cannot tell them apart."
            )
    return found
