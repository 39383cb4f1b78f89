"""What can be edited of a layout and of a convolution: each key with its specification."""

from __future__ import annotations

from collections.abc import Mapping

from studio_core.attributes.specs import EditableSpec, GridSpec, IntListSpec, ValueListSpec
from studio_core.hardware.chips import SystemDescription
from studio_core.hardware.data_types import DATA_TYPES
from studio_core.hardware.layouts import BUFFER_TYPES, MEMORY_LAYOUTS, TENSOR_MEMORY_LAYOUTS

NONE = "None"
"""How the contract writes a configuration's value that is not set."""

_FLAG = ValueListSpec(("True", "False"))
_MOST_BLOCK_ROWS = 1 << 20

CONV2D_SPECS: Mapping[str, EditableSpec] = {
    "weights_dtype": ValueListSpec((*DATA_TYPES, NONE)),
    "activation": ValueListSpec(("relu", NONE)),
    "deallocate_activation": _FLAG,
    "reallocate_halo_output": _FLAG,
    "act_block_h_override": IntListSpec(0, _MOST_BLOCK_ROWS, 32),
    "act_block_w_div": IntListSpec(1, _MOST_BLOCK_ROWS, 1),
    "reshard_if_not_optimal": _FLAG,
    "override_sharding_config": _FLAG,
    "shard_layout": ValueListSpec((*TENSOR_MEMORY_LAYOUTS, NONE)),
    "transpose_shards": _FLAG,
    "output_layout": ValueListSpec((*MEMORY_LAYOUTS, NONE)),
    "enable_act_double_buffer": _FLAG,
    "enable_weights_double_buffer": _FLAG,
}
"""Keys of a convolution's configuration, in the compiler's order."""


def layout_specs(
    system: SystemDescription, tensor_memory_layout: str | None = None
) -> dict[str, EditableSpec]:
    """Keys of a layout; the grid's limits are those of the chip and the memory layout."""
    return {
        "tensor_memory_layout": ValueListSpec(TENSOR_MEMORY_LAYOUTS),
        "grid_shape": grid_spec(system, tensor_memory_layout),
        "buffer_type": ValueListSpec(BUFFER_TYPES),
        "memory_layout": ValueListSpec(MEMORY_LAYOUTS),
        "data_type": ValueListSpec(DATA_TYPES),
    }


def grid_spec(system: SystemDescription, tensor_memory_layout: str | None = None) -> GridSpec:
    """Limits of a grid: the worker grid, or a line of all cores for height and width sharding."""
    cores = system.chip.num_cores
    limits = {"height_sharded": (cores, 1), "width_sharded": (1, cores)}
    most = limits.get(tensor_memory_layout or "", system.grid)
    return GridSpec(min_value=1, max_value=max(most), step=1, max_values=most)
