"""From what a person calls a layer, its id or its weight's name, to the layer."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from studio_core.errors import InvalidRequestError, NotFoundError

if TYPE_CHECKING:
    from studio_core.layers import Layer

_MOST_SUGGESTIONS = 3


def find_layer(layers: Sequence[Layer], text: str) -> Layer:
    """The layer with this id, or the only one whose weight has this name.

    Layers that share one weight count as one: what is said of it holds for all of them.
    """
    by_id = next((layer for layer in layers if layer.id == text), None)
    if by_id is not None:
        return by_id
    named = [layer for layer in layers if layer.name == text]
    if not named:
        raise NotFoundError(f"The model has no layer '{text}'.{_suggestion(layers, text)}")
    if len({layer.weight.key if layer.weight else layer.id for layer in named}) > 1:
        ids = ", ".join(f"'{layer.id}'" for layer in named)
        raise InvalidRequestError(f"Several layers are named '{text}'. Give an id: {ids}.")
    return named[0]


def find_locks(layers: Sequence[Layer], given: Sequence[tuple[str, float]]) -> Mapping[str, float]:
    """Locked sparsities by layer id; refuses layers that cannot be pruned and doubles."""
    locks: dict[str, float] = {}
    by_weight: dict[object, float] = {}
    for text, sparsity in given:
        layer = find_layer(layers, text)
        if not layer.is_prunable or layer.weight is None:
            raise InvalidRequestError(f"Layer '{text}' cannot be locked: {layer.reason}")
        if by_weight.setdefault(layer.weight.key, sparsity) != sparsity:
            raise InvalidRequestError(
                f"Layer '{text}' is locked at two sparsities, or shares its weight with one "
                "that is. Give one of them."
            )
        locks[layer.id] = sparsity
    return locks


def _suggestion(layers: Sequence[Layer], text: str) -> str:
    names = list(dict.fromkeys(n for layer in layers for n in (layer.name, layer.id)))
    close = difflib.get_close_matches(text, names, n=_MOST_SUGGESTIONS)
    if not close:  # a short piece of a long name is not "close" to difflib
        close = [name for name in names if text.lower() in name.lower()][:_MOST_SUGGESTIONS]
    if not close:
        return " `studio layers MODEL --all` lists them."
    quoted = " or ".join(f"'{name}'" for name in close)
    return f" Did you mean {quoted}?"
