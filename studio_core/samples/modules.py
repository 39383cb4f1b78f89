"""Compiler modules that come with Studio, written for it: something to explore at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from studio_core.errors import NotFoundError


@dataclass(frozen=True)
class ModuleCard:
    """What is known about a bundled module before it is opened."""

    name: str
    title: str
    description: str


_CARDS: Mapping[str, ModuleCard] = {
    card.name: card
    for card in (
        ModuleCard(
            "feed_forward",
            "Feed-forward block, TTNN",
            "Two matrix products lowered to TTNN, sharded in L1. One layout does not fit: "
            "find it, change grid and data type, and run it on the CPU.",
        ),
    )
}


def module_names() -> tuple[str, ...]:
    """The names of the bundled modules."""
    return tuple(_CARDS)


def module_card(name: str) -> ModuleCard:
    """The card of the module `name`. Raises NotFoundError for an unknown name."""
    if name not in _CARDS:
        raise NotFoundError(
            f"No bundled module named '{name}'. There are: {', '.join(module_names())}."
        )
    return _CARDS[name]


def module_path(name: str) -> Path:
    """The MLIR file of the module `name`. Raises NotFoundError for an unknown name."""
    return Path(str(files("studio_core.samples") / "data" / f"{module_card(name).name}.mlir"))
