"""Chips as records, those built in, and a description as the keys that a graph shows of it.

Source of the figures: tt-mlir's own default descriptions and the constants of its roofline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from studio_core.errors import InvalidRequestError
from studio_core.hardware.data_types import DATA_TYPES

Origin = Literal["built in", "module", "file"]

DEFAULT_ARCH = "wormhole_b0"
_GIB = 1 << 30
TILE_SIZES = ((4, 16), (16, 16), (32, 16), (4, 32), (16, 32), (32, 32))


@dataclass(frozen=True, slots=True)
class Chip:
    """One chip. Bytes, hertz and bytes a second; grids are (rows, columns).

    ``dram_bandwidth`` and ``clock`` are no part of a system description in MLIR: they come from
    the table of architectures, and are None for one that Studio does not know.
    """

    arch: str
    grid: tuple[int, int]
    l1_size_bytes: int
    l1_unreserved_base_bytes: int
    num_dram_channels: int
    dram_channel_bytes: int
    l1_alignment_bytes: int = 16
    dram_alignment_bytes: int = 32
    pcie_alignment_bytes: int = 32
    data_types: tuple[str, ...] = DATA_TYPES[:-1]
    tile_sizes: tuple[tuple[int, int], ...] = TILE_SIZES
    dram_bandwidth: float | None = None
    """Bytes a second."""
    clock: float | None = None
    """Hertz."""
    other: Mapping[str, str] = field(default_factory=dict)
    """Further keys of the description, as written."""

    @property
    def num_cores(self) -> int:
        return self.grid[0] * self.grid[1]

    @property
    def l1_usable_bytes(self) -> int:
        """What tensors and circular buffers of one core share."""
        return self.l1_size_bytes - self.l1_unreserved_base_bytes

    @property
    def dram_usable_bytes(self) -> int:
        """What tensors may take of one bank: all but what is reserved, where that is known."""
        try:
            base = int(self.other["dram_unreserved_base"])
            end = int(self.other["dram_unreserved_end"])
        except (KeyError, ValueError):
            return self.dram_channel_bytes
        return end - base if 0 <= base < end <= self.dram_channel_bytes else self.dram_channel_bytes


@dataclass(frozen=True, slots=True)
class SystemDescription:
    """The chips of a system, and where the description comes from.

    Arithmetic is for the first chip; all chips of a system are alike in practice. ``note`` says
    what could not be read on the way here, in a sentence.
    """

    chips: tuple[Chip, ...]
    origin: Origin = "built in"
    path: Path | None = None
    note: str = ""

    @property
    def chip(self) -> Chip:
        """The chip that is computed with."""
        return self.chips[0]

    @property
    def arch(self) -> str:
        return self.chip.arch

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of worker cores."""
        return self.chip.grid

    @property
    def sentence(self) -> str:
        """Which description is in use, in words for a person."""
        chips = f"{len(self.chips)} × " if len(self.chips) > 1 else ""
        source = {
            "built in": "built into Studio",
            "module": "from the module",
            "file": f"from {self.path.name}" if self.path else "from a file",
        }[self.origin]
        rows, columns = self.grid
        return f"{chips}{self.arch}, {rows} × {columns} cores, {source}."


_FIGURES: Mapping[str, tuple[float, float]] = {
    "wormhole_b0": (288e9, 1.0e9),
    "blackhole": (512e9, 1.35e9),
}
"""DRAM bandwidth (bytes a second) and clock (hertz), as tt-mlir's roofline assumes them."""

_BUILT_IN: Mapping[str, Chip] = {
    "wormhole_b0": Chip(
        arch="wormhole_b0",
        grid=(8, 8),
        l1_size_bytes=1_499_136,
        l1_unreserved_base_bytes=1_024,
        num_dram_channels=12,
        dram_channel_bytes=_GIB,
        dram_alignment_bytes=32,
        pcie_alignment_bytes=32,
    ),
    "blackhole": Chip(
        arch="blackhole",
        grid=(10, 13),
        l1_size_bytes=1_572_864,
        l1_unreserved_base_bytes=98_304,
        num_dram_channels=8,
        dram_channel_bytes=4_278_190_080,
        dram_alignment_bytes=64,
        pcie_alignment_bytes=64,
    ),
}

ARCHITECTURES = tuple(_BUILT_IN)


def with_figures(chip: Chip) -> Chip:
    """The chip with bandwidth and clock of its architecture, where the table has them."""
    bandwidth, clock = _FIGURES.get(chip.arch, (None, None))
    return replace(
        chip,
        dram_bandwidth=chip.dram_bandwidth if chip.dram_bandwidth is not None else bandwidth,
        clock=chip.clock if chip.clock is not None else clock,
    )


def builtin_system(arch: str = DEFAULT_ARCH) -> SystemDescription:
    """The built-in description of ``arch``; raises `InvalidRequestError` for an unknown one."""
    chip = _BUILT_IN.get(arch)
    if chip is None:
        raise InvalidRequestError(
            f"Studio has no description of '{arch}'. Choose one of {', '.join(ARCHITECTURES)}, "
            "or give a file with a system description."
        )
    return SystemDescription((with_figures(chip),))


def group_attributes(system: SystemDescription) -> dict[str, str]:
    """The description as the keys a graph shows of it: ``chip#0-arch`` … each with its value."""
    found: dict[str, str] = {}
    for number, chip in enumerate(system.chips):
        for key, value in chip_values(chip).items():
            found[f"chip#{number}-{key.replace('_', '-')}"] = value
    return found


def chip_values(chip: Chip) -> dict[str, str]:
    """A chip as the keys of MLIR's description, each with its value as text."""
    return {
        "arch": chip.arch,
        "grid": "x".join(map(str, chip.grid)),
        "l1_size": str(chip.l1_size_bytes),
        "l1_unreserved_base": str(chip.l1_unreserved_base_bytes),
        "num_dram_channels": str(chip.num_dram_channels),
        "dram_channel_size": str(chip.dram_channel_bytes),
        "noc_l1_address_align_bytes": str(chip.l1_alignment_bytes),
        "noc_dram_address_align_bytes": str(chip.dram_alignment_bytes),
        "pcie_address_align_bytes": str(chip.pcie_alignment_bytes),
        **chip.other,
        "supported_data_types": f"[{', '.join(chip.data_types)}]",
        "supported_tile_sizes": f"[{', '.join(f'{h}x{w}' for h, w in chip.tile_sizes)}]",
    }
