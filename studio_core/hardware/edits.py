"""An edit of a layout and its effect: the new shard, whether it fits, what it breaks and costs.

It is arithmetic on one layout, well under a millisecond, so that a control can ask at
every key pressed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from studio_core.errors import InvalidRequestError
from studio_core.hardware.attribute_text import dimensions, shorten
from studio_core.hardware.chips import SystemDescription
from studio_core.hardware.data_types import DATA_TYPES, TILE
from studio_core.hardware.layouts import (
    BUFFER_TYPES,
    MEMORY_LAYOUTS,
    TENSOR_MEMORY_LAYOUTS,
    Element,
    Layout,
    format_layout,
)
from studio_core.hardware.legality import BrokenRule, broken_rules
from studio_core.hardware.memory import (
    UNKNOWN,
    Footprint,
    dram_fraction,
    fits,
    footprint,
    l1_fraction,
    quotient,
)
from studio_core.hardware.placement import physical_shape, recomputed

LAYOUT_KEYS = (
    "tensor_memory_layout", "grid_shape", "buffer_type", "memory_layout", "data_type",
)  # fmt: skip
"""The keys of a layout that can be edited."""

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "tensor_memory_layout": (*TENSOR_MEMORY_LAYOUTS, "none"),
    "buffer_type": BUFFER_TYPES,
    "memory_layout": MEMORY_LAYOUTS,
    "data_type": DATA_TYPES,
}


@dataclass(frozen=True, slots=True)
class EditOutcome:
    """What an edit does. ``layout`` is None where Studio cannot compute the new shard.

    ``live_l1_bytes`` is what one core would hold at this op, if the caller said what it holds
    now; ``fits`` is about it, else about this tensor alone. ``dram_ms`` is the time to move
    the whole tensor through DRAM once at full bandwidth (0 for a tensor in L1), the cost that
    the roofline charges. ``notes`` say what was assumed.
    """

    layout: Layout | None
    text: str
    before: Footprint
    after: Footprint
    live_l1_bytes: int | None
    fits: bool | None
    broken: tuple[BrokenRule, ...]
    l1_fraction: float | None
    dram_fraction: float | None
    dram_ms_before: float | None
    dram_ms_after: float | None
    notes: tuple[str, ...] = ()

    @property
    def is_legal(self) -> bool:
        return not self.broken


def edited(
    layout: Layout,
    tensor_shape: Sequence[int],
    changes: Mapping[str, str],
    system: SystemDescription,
    *,
    live_l1_bytes: int | None = None,
    reserved_bytes: int = 0,
) -> EditOutcome:
    """The effect of ``changes`` (keys of `LAYOUT_KEYS`, values as the controls write them).

    ``live_l1_bytes`` are those of a core at this op before the edit, this tensor among them.
    Raises `InvalidRequestError` for an unknown key or a value that no layout can have.
    """
    checked = {key: checked_value(key, value) for key, value in changes.items()}
    asked, notes = _asked(layout, tensor_shape, checked, system)
    new = recomputed(asked, tensor_shape, system)
    before = footprint(layout, system)
    after = footprint(new, system)
    live = _live(live_l1_bytes, before, after)
    if new is None:
        notes = (*notes, "Studio cannot compute the shards of this layout.")
    return EditOutcome(
        layout=new,
        text=format_layout(new) if new is not None else "",
        before=before,
        after=after,
        live_l1_bytes=live,
        fits=_fits(live if live is not None else after.l1_bytes, after, system, reserved_bytes),
        broken=broken_rules(new, system) if new is not None else (),
        l1_fraction=l1_fraction(live if live is not None else after.l1_bytes, system),
        dram_fraction=dram_fraction(after.dram_bytes, system),
        dram_ms_before=dram_ms(layout, tensor_shape, system),
        dram_ms_after=dram_ms(new, tensor_shape, system) if new is not None else None,
        notes=notes,
    )


def checked_value(key: str, value: str) -> str:
    """The value stripped, if a layout can have it; else raises `InvalidRequestError`."""
    word = value.strip()
    if key == "grid_shape":
        grid = dimensions(word)
        if grid is None or len(grid) != 2 or min(grid) < 1 or max(grid) > 10_000:
            raise InvalidRequestError(
                f"'{shorten(value)}' is no grid. Give rows and columns, such as 4x8."
            )
        return word
    if key not in _CHOICES:
        raise InvalidRequestError(
            f"'{shorten(key)}' is no part of a layout. It has {', '.join(LAYOUT_KEYS)}."
        )
    if word not in _CHOICES[key]:
        raise InvalidRequestError(
            f"'{shorten(value)}' is no {key}. Choose one of {', '.join(_CHOICES[key])}."
        )
    return word


def dram_ms(layout: Layout, tensor_shape: Sequence[int], system: SystemDescription) -> float | None:
    """Time to move the tensor through DRAM once, at full bandwidth; 0 for one that is in L1."""
    if layout.buffer_type in ("l1", "l1_small"):
        return 0.0
    size, bandwidth = tensor_bytes(layout, tensor_shape), system.chip.dram_bandwidth
    if layout.buffer_type != "dram" or size is None:
        return None
    return quotient(1000 * size, bandwidth)


def tensor_bytes(layout: Layout, tensor_shape: Sequence[int]) -> int | None:
    """Bytes of the whole tensor as stored, padding to tiles included; None if unknown."""
    element = layout.element.num_bytes
    if element is None:
        return None
    height, width = layout.element.tile or (1, 1)
    return prod(physical_shape(layout, tensor_shape)) // (height * width) * element


def _asked(
    layout: Layout,
    tensor_shape: Sequence[int],
    changes: Mapping[str, str],
    system: SystemDescription,
) -> tuple[Layout, tuple[str, ...]]:
    """The layout with the fields asked for, and what they imply, before its shard is computed."""
    tile = changes.get("memory_layout", layout.memory_layout) == "tile"
    element = Element(
        changes.get("data_type", layout.data_type),
        (layout.element.tile or TILE) if tile else None,
    )
    buffer_type = changes.get("buffer_type", layout.buffer_type)
    memory, notes = _memory_layout(layout, buffer_type, changes)
    new = replace(
        layout, element=element, buffer_type=buffer_type, tensor_memory_layout=memory, text=""
    )
    if "grid_shape" in changes:
        grid = dimensions(changes["grid_shape"]) or layout.grid
        if not new.is_sharded and prod(grid) > 1:
            notes = (*notes, "A tensor that is not sharded has the grid 1x1.")
        return replace(new, grid=grid), notes
    if (
        memory != "nd_sharded"
        and new.is_sharded
        and (memory, buffer_type)
        != (
            layout.tensor_memory_layout,
            layout.buffer_type,
        )
    ):
        new = replace(new, grid=_largest_grid(new, tensor_shape, system))
        notes = (*notes, f"No grid was given; {new.grid[0]}x{new.grid[1]} is assumed.")
    return new, notes


def _memory_layout(
    layout: Layout, buffer_type: str, changes: Mapping[str, str]
) -> tuple[str | None, tuple[str, ...]]:
    """The tensor memory layout after an edit: what is asked, or what the buffer type implies."""
    if "tensor_memory_layout" in changes:
        word = changes["tensor_memory_layout"]
        return (None if word == "none" else word), ()
    if buffer_type == "system_memory":
        gone = layout.tensor_memory_layout is not None
        return None, ("In system memory there is no tensor memory layout.",) if gone else ()
    if layout.tensor_memory_layout is None:
        return "interleaved", ("On the chip a memory layout is needed; interleaved is assumed.",)
    return layout.tensor_memory_layout, ()


def _largest_grid(
    layout: Layout, tensor_shape: Sequence[int], system: SystemDescription
) -> tuple[int, int]:
    """As many cores (in DRAM: banks) as have something to hold, of the sharding's own shape."""
    rows, columns = physical_shape(layout, tensor_shape)
    height, width = layout.element.tile or (1, 1)
    most = system.chip.num_dram_channels if layout.buffer_type == "dram" else system.chip.num_cores
    num_rows, num_columns = max(1, rows // height), max(1, columns // width)
    if layout.tensor_memory_layout == "height_sharded":
        return _even(num_rows, most), 1
    if layout.tensor_memory_layout == "width_sharded":
        return 1, _even(num_columns, most)
    return _even(num_rows, system.grid[0]), _even(num_columns, system.grid[1])


def _even(num_parts: int, most: int) -> int:
    """The fewest cores that need no more rounds than ``most`` would: none of them stays idle."""
    each = -(-num_parts // most)
    return -(-num_parts // each)


def _fits(
    l1_bytes: int | None, after: Footprint, system: SystemDescription, reserved_bytes: int
) -> bool | None:
    if after.dram_bytes is not None and after.dram_bytes > system.chip.dram_usable_bytes:
        return False
    return fits(l1_bytes, system, reserved_bytes)


def _live(live: int | None, before: Footprint, after: Footprint) -> int | None:
    if live is None or after == UNKNOWN or before.l1_bytes is None or after.l1_bytes is None:
        return None
    return live - before.l1_bytes + after.l1_bytes
