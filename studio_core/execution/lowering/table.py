"""The table of lowerings: which function makes ONNX nodes of which operation.

TTNN mirrors TTIR, so an operation ``ttnn.x`` without an entry of its own uses that of
``ttir.x``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from studio_core.execution.lowering.builder import Builder
from studio_core.execution.lowering.tensors import Tensor
from studio_core.execution.lowering.views import View

Lowering: TypeAlias = Callable[[Builder, View], Tensor | Sequence[Tensor]]


@dataclass(frozen=True, slots=True)
class Entry:
    """How an operation is lowered, and how many inputs it has at least (or exactly).

    One that is ``in_place`` writes into its first operand: who reads that later reads the result.
    """

    lower: Lowering
    least: int = 1
    exact: bool = False
    in_place: bool = False


_TABLE: dict[str, Entry] = {}
TABLE: Mapping[str, Entry] = MappingProxyType(_TABLE)


def lowers(
    *names: str, inputs: int = 1, exact: bool = False, in_place: bool = False
) -> Callable[[Lowering], Lowering]:
    """Enter a function under names such as ``ttir.matmul``."""

    def enter(function: Lowering) -> Lowering:
        for name in names:
            assert name not in _TABLE, name
            _TABLE[name] = Entry(function, inputs, exact, in_place)
        return function

    return enter


_NOT_MIRRORED = {"ttnn.batch_norm_training"}
"""Operations that mean something else in TTNN than under the same name in TTIR."""


def entry_of(name: str) -> Entry | None:
    """The lowering of an operation; None where there is none."""
    found = _TABLE.get(name)
    if found is None and name.startswith("ttnn.") and name not in _NOT_MIRRORED:
        return _TABLE.get("ttir." + name.removeprefix("ttnn."))
    return found
