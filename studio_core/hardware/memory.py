"""How much of the chip one tensor takes: L1 of a core, DRAM of a bank, and whether it fits.

What the module writes counts (its memref), not what we would compute anew. Circular buffers
and intermediates of kernels are not in a module: a sum over its tensors is a lower bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

from studio_core.hardware.chips import SystemDescription
from studio_core.hardware.layouts import Layout
from studio_core.hardware.placement import IN_L1

Certainty = Literal["exact", "lower bound", "unknown"]

USABLE_SHARE = 0.95
"""Of usable L1 that tensors may take, tt-mlir's default ``tensor-l1-usage-cap``."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes of one tensor: on one core's L1 and in one DRAM bank, aligned.

    Both are None where the layout or its data type's size is unknown; a tensor elsewhere has 0.
    """

    l1_bytes: int | None
    dram_bytes: int | None

    @property
    def is_known(self) -> bool:
        return self.l1_bytes is not None and self.dram_bytes is not None


UNKNOWN = Footprint(None, None)


def footprint(layout: Layout | None, system: SystemDescription) -> Footprint:
    """What a tensor of this layout takes on the chip."""
    if layout is None or layout.shard_bytes is None:
        return UNKNOWN
    if layout.buffer_type in IN_L1:
        return Footprint(_up(layout.shard_bytes, system.chip.l1_alignment_bytes), 0)
    if layout.buffer_type in ("dram", "trace"):
        return Footprint(0, bank_bytes(layout, system))
    return Footprint(0, 0) if layout.buffer_type == "system_memory" else UNKNOWN


def bank_bytes(layout: Layout, system: SystemDescription) -> int | None:
    """Bytes that a tensor in DRAM takes of the fullest bank, aligned; None if unknown.

    Interleaved pages (tiles, or rows of a row-major tensor) go round the banks; a shard lies in
    one bank.
    """
    element = layout.element.num_bytes
    if element is None:
        return None
    align = system.chip.dram_alignment_bytes
    banks = system.chip.num_dram_channels
    if layout.is_sharded:
        shard = _up(prod(layout.memref_shape) * element, align)
        return _ceil(layout.num_shards, banks) * shard
    page = element if layout.is_tiled else element * (layout.memref_shape or (1,))[-1]
    num_pages = prod(layout.memref_shape if layout.is_tiled else layout.memref_shape[:-1])
    return _ceil(num_pages * layout.num_shards, banks) * _up(page, align)


def l1_limit_bytes(system: SystemDescription, reserved_bytes: int = 0) -> int:
    """What live tensors may take of one core's L1: 0.95 × usable, less what is reserved."""
    return int(USABLE_SHARE * system.chip.l1_usable_bytes) - reserved_bytes


def fits(
    live_l1_bytes: int | None, system: SystemDescription, reserved_bytes: int = 0
) -> bool | None:
    """Whether so many live bytes fit on a core; None where they are unknown."""
    if live_l1_bytes is None:
        return None
    return live_l1_bytes <= l1_limit_bytes(system, reserved_bytes)


def l1_fraction(num_bytes: int | None, system: SystemDescription) -> float | None:
    """Of a core's usable L1; above 1 where it does not fit; None if unknown."""
    return quotient(num_bytes, system.chip.l1_usable_bytes)


def dram_fraction(num_bytes: int | None, system: SystemDescription) -> float | None:
    """Of a bank's usable DRAM; above 1 where it does not fit; None if unknown."""
    return quotient(num_bytes, system.chip.dram_usable_bytes)


def quotient(a: int | None, b: float | None) -> float | None:
    """a ÷ b; None where either is unknown, or a is a number that no float can hold."""
    try:
        return a / b if a is not None and b else None
    except OverflowError:  # a module may claim any shape
        return None


def _ceil(a: int, b: int) -> int:
    return -(-a // b)


def _up(n: int, step: int) -> int:
    return _ceil(n, step) * step if step > 0 else n
