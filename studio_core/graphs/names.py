"""Names in a graph: identifiers made unique, and values as the text that is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")

_MOST_SHOWN = 64


class UniqueNames:
    """Hands out names, each once: the second ``a`` becomes ``a#2``.

    The same names in the same order give the same result, so identifiers are stable.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._next: dict[str, int] = {}

    def unique(self, wanted: str) -> str:
        name = wanted
        while name in self._taken:
            # Counting on from the last one keeps thousands of equal names cheap.
            number = self._next.get(wanted, 2)
            self._next[wanted] = number + 1
            name = f"{wanted}#{number}"
        self._taken.add(name)
        return name


def list_text(values: Sequence[T], text: Callable[[T], str] = str) -> str:
    """``[1, 2, 3]``; a long list is cut and says how many there are."""
    shown = ", ".join(text(value) for value in values[:_MOST_SHOWN])
    if len(values) > _MOST_SHOWN:
        shown += f", … {len(values)} in all"
    return f"[{shown}]"


def shape_text(shape: Sequence[int | str | None]) -> str:
    """``[1, 784]``, an unknown dimension being ``?``."""
    return f"[{', '.join(['?' if d is None else str(d) for d in shape])}]"
