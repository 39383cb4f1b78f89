"""Who is in memory when: live L1 and DRAM bytes at every op of a module, as memory bars.

Where a function frees tensors itself (``ttnn.deallocate``), a tensor lives until then, or to the
end of the function; in a function that frees nothing, until its last use, which is where
the compiler would free it. Each function is looked at by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from studio_core.hardware.chips import SystemDescription
from studio_core.hardware.layouts import Layout, parse_layout
from studio_core.hardware.memory import (
    UNKNOWN,
    Certainty,
    Footprint,
    dram_fraction,
    fits,
    footprint,
    l1_fraction,
)
from studio_core.mlir.records import Block, Operation, TensorType, Value

DEALLOCATE = "ttnn.deallocate"
# They run no kernel on the chip, so nothing but tensors is in memory while they do their work.
_NO_KERNEL = {
    DEALLOCATE, "ttnn.get_device", "ttnn.empty", "ttnn.from_device", "func.return", "return",
}  # fmt: skip

NO_LAYOUT = "No layout is known here yet; the compiler chooses it on the way to TTNN."
KERNEL = "Circular buffers and intermediates of the kernel come on top; a module does not say them."
SOME_UNKNOWN = "{n} live tensor(s) have no layout that Studio can read; they come on top."


@dataclass(frozen=True, slots=True)
class OpMemory:
    """Memory while an op runs: L1 bytes of a core and DRAM bytes of a bank, all live tensors.

    ``own_l1_bytes`` and ``own_dram_bytes`` are those of the op's results. ``certainty`` is how
    far to believe the sums, ``note`` why. Bytes are None where nothing is known.
    """

    l1_bytes: int | None
    dram_bytes: int | None
    own_l1_bytes: int | None
    own_dram_bytes: int | None
    certainty: Certainty
    note: str
    l1_fraction: float | None
    """Of a core's usable L1; above 1 where it does not fit."""
    dram_fraction: float | None
    """Of a bank's usable DRAM."""
    fits: bool | None
    """Live L1 within 0.95 of what is usable; None if unknown. True may still be too much, where
    the sum is a lower bound."""


def layout_of(value: Value) -> Layout | None:
    """The layout of a value's type; None for one without, or of another kind."""
    return parse_layout(value.type.encoding) if isinstance(value.type, TensorType) else None


def module_memory(
    module: Operation, system: SystemDescription, reserved_bytes: int = 0
) -> Mapping[Operation, OpMemory]:
    """Memory at every op that stands directly in a function of the module, by op."""
    found: dict[Operation, OpMemory] = {}
    for operation in module.walk():
        if operation.name == "func.func":
            for block in operation.blocks():
                found.update(_Walk(block, system, reserved_bytes).bars())
    return found


@dataclass(frozen=True, slots=True)
class LiveSpan:
    """Where an op stands and how long its results live: numbers of ops in a function's block."""

    block: int
    first: int
    last: int

    def covers(self, other: LiveSpan) -> bool:
        """Whether these results are alive while the op of ``other`` runs."""
        return self.block == other.block and self.first <= other.first <= self.last


def live_spans(module: Operation) -> Mapping[Operation, LiveSpan]:
    """For every op that stands directly in a function, how long its results live."""
    functions = (o for o in module.walk() if o.name == "func.func")
    blocks = [block for function in functions for block in function.blocks()]
    found: dict[Operation, LiveSpan] = {}
    for number, block in enumerate(blocks):
        ends = _ends(block)
        for first, operation in enumerate(block.operations):
            last = max((ends[value] for value in operation.results), default=first)
            found[operation] = LiveSpan(number, first, last)
    return found


def _ends(block: Block) -> Mapping[Value, int]:
    """The number of the op after which a result is freed, by the rule of this module."""
    if not any(o.name == DEALLOCATE for o in block.operations):
        return {value: n for n, values in _last_uses(block).items() for value in values}
    end = len(block.operations)
    ends = {value: end for operation in block.operations for value in operation.results}
    for number, operation in enumerate(block.operations):
        if operation.name == DEALLOCATE:
            ends.update(dict.fromkeys(operation.operands, number))
    return ends


class _Walk:
    """One pass over a block with the sums of what is alive."""

    def __init__(self, block: Block, system: SystemDescription, reserved_bytes: int) -> None:
        self._block = block
        self._system = system
        self._reserved = reserved_bytes
        self._l1 = self._dram = self._num_unknown = self._num_known = 0
        self._alive: dict[Value, Footprint] = {}
        self._is_explicit = any(o.name == DEALLOCATE for o in block.operations)
        self._ends = {} if self._is_explicit else _last_uses(block)

    def bars(self) -> Iterator[tuple[Operation, OpMemory]]:
        for value in self._block.arguments:
            self._enter(value)
        for number, operation in enumerate(self._block.operations):
            for value in operation.results:
                self._enter(value)
            yield operation, self._memory(operation)
            self._free_after(number, operation)

    def _memory(self, operation: Operation) -> OpMemory:
        own = [self._alive.get(value, UNKNOWN) for value in operation.results if _is_tensor(value)]
        certainty, note = self._certainty(operation)
        known = certainty != "unknown"
        l1, dram = (self._l1, self._dram) if known else (None, None)
        return OpMemory(
            l1_bytes=l1,
            dram_bytes=dram,
            own_l1_bytes=_sum([f.l1_bytes for f in own]),
            own_dram_bytes=_sum([f.dram_bytes for f in own]),
            certainty=certainty,
            note=note,
            l1_fraction=l1_fraction(l1, self._system),
            dram_fraction=dram_fraction(dram, self._system),
            fits=fits(l1, self._system, self._reserved),
        )

    def _certainty(self, operation: Operation) -> tuple[Certainty, str]:
        if not self._num_known:
            return ("unknown", NO_LAYOUT) if self._num_unknown else ("unknown", "No tensor lives.")
        if self._num_unknown:
            return "lower bound", SOME_UNKNOWN.format(n=self._num_unknown)
        if operation.name in _NO_KERNEL and self._is_explicit:
            return "exact", ""
        return "lower bound", KERNEL

    def _enter(self, value: Value) -> None:
        if _is_tensor(value) and value not in self._alive:
            size = footprint(layout_of(value), self._system)
            self._alive[value] = size
            self._count(size, 1)

    def _free_after(self, number: int, operation: Operation) -> None:
        freed = operation.operands if operation.name == DEALLOCATE else ()
        leaving = freed if self._is_explicit else self._ends.get(number, ())
        for value in leaving:
            size = self._alive.pop(value, None)
            if size is not None:
                self._count(size, -1)

    def _count(self, size: Footprint, sign: int) -> None:
        if size.is_known:
            self._num_known += sign
            self._l1 += sign * (size.l1_bytes or 0)
            self._dram += sign * (size.dram_bytes or 0)
        else:
            self._num_unknown += sign


def _is_tensor(value: Value) -> bool:
    return isinstance(value.type, TensorType)


def _last_uses(block: Block) -> dict[int, list[Value]]:
    """The values that nobody reads after the op of a number, its regions included."""
    last: dict[Value, int] = {}
    for number, operation in enumerate(block.operations):
        last.update(dict.fromkeys(operation.results, number))
        for inner in operation.walk():
            last.update(dict.fromkeys(inner.operands, number))
    ends: dict[int, list[Value]] = {}
    for value, number in last.items():
        ends.setdefault(number, []).append(value)
    return ends


def _sum(sizes: list[int | None]) -> int | None:
    return sum(s for s in sizes if s is not None) if None not in sizes else None
