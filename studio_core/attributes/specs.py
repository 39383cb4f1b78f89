"""The three kinds of editable attribute, with the defaults of the contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class IntListSpec:
    """A list of whole numbers, written ``[1, 2, 3]``; limits are inclusive."""

    min_value: int = 0
    max_value: int = 100
    step: int = 1


@dataclass(frozen=True, slots=True)
class ValueListSpec:
    """One of ``options``; a current value that is not among them joins them."""

    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GridSpec:
    """Whole numbers joined by ``separator``, written ``4x4x2``; limits are inclusive.

    ``max_values`` gives an upper limit to each axis where they differ (a chip of 10 × 13 cores);
    on the wire only ``max_value`` is known, which then is the largest of them.
    """

    min_value: int = 0
    max_value: int = 100
    step: int = 1
    separator: str = "x"
    max_values: tuple[int, ...] | None = None


EditableSpec: TypeAlias = IntListSpec | ValueListSpec | GridSpec
