"""A layer: a node with its weight, what it costs, and whether it can be pruned.

`find_layers` (discovery.py) makes these records; sensitivities, plans, widgets and REST
only read them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

import onnx

from studio_core.layers.weight import Weight
from studio_core.models.graph_index import Shape, json_attributes


class LayerStatus(StrEnum):
    """What a person must know before pruning this layer, the gravest first."""

    NOT_PRUNABLE = "not_prunable"
    IN_SUBGRAPH = "in_subgraph"
    SHARED_WEIGHT = "shared_weight"
    DEPTHWISE = "depthwise"
    GROUPED = "grouped"
    PRUNABLE = "prunable"

    @property
    def label(self) -> str:
        """The status in words, as shown to a person."""
        return self.value.replace("_", " ")


class NodeAttributes(Mapping[str, Any]):
    """The attributes of a node, read at the first look: most layers are never asked for them."""

    __slots__ = ("_node", "_read")

    def __init__(self, node: onnx.NodeProto) -> None:
        self._node = node
        self._read: dict[str, Any] | None = None

    def _values(self) -> dict[str, Any]:
        if self._read is None:
            self._read = json_attributes(self._node)
        return self._read

    def __getitem__(self, name: str) -> Any:
        return self._values()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def __repr__(self) -> str:
        return repr(self._values())


@dataclass(frozen=True)
class Layer:
    """A node with a weight.

    ``id`` is the node's first output name (prefixed by its scope inside a subgraph) and is
    unique in the model; ``name`` is the weight's name, or the node's where it has no
    constant weight. ``macs`` counts multiply-accumulates for one sample (batch 1) and is
    None where a dimension is unknown. ``num_params`` counts weight and bias.
    """

    id: str
    name: str
    node_name: str
    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    status: LayerStatus
    reasons: tuple[str, ...] = ()
    weight: Weight | None = None
    bias_size: int = 0
    bias_bytes: int = 0
    shared_with: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    input_shape: Shape | None = None
    output_shape: Shape | None = None
    macs: int | None = None
    macs_unknown_because: str = ""
    group: int = field(default=1)

    @property
    def is_prunable(self) -> bool:
        return self.status is not LayerStatus.NOT_PRUNABLE

    @property
    def reason(self) -> str:
        """Why the status is what it is, in one sentence; empty for a plain prunable layer."""
        return " ".join(self.reasons)

    @property
    def weight_size(self) -> int:
        """Number of weights that pruning may set to zero."""
        return self.weight.size if self.weight is not None else 0

    @property
    def weight_shape(self) -> tuple[int, ...]:
        return self.weight.shape if self.weight is not None else ()

    @property
    def num_params(self) -> int:
        return self.weight_size + self.bias_size

    @property
    def num_bytes(self) -> int:
        """Bytes of weight and bias as stored in the model."""
        return (self.weight.num_bytes if self.weight is not None else 0) + self.bias_bytes

    @cached_property
    def num_zeros(self) -> int | None:
        """Weights that are zero already; None where there is no constant weight.

        Read from the file at the first call.
        """
        return self.weight.count_zeros() if self.weight is not None else None

    @property
    def sparsity(self) -> float | None:
        """Fraction of zero weights now, 0 to 1; None where there is no constant weight."""
        if self.weight is None or not self.weight_size or self.num_zeros is None:
            return None
        return self.num_zeros / self.weight_size
