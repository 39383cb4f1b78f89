"""What a sweep removes as one (single weights, N of every M, whole channels), by name.

The masks are those of `prune_model`, so that a measurement is that of the model it writes.
"""

from __future__ import annotations

from dataclasses import dataclass

from studio_core.errors import InvalidRequestError
from studio_core.layers.layer import Layer
from studio_core.models.model import Model
from studio_core.pruning.axes import weight_axes
from studio_core.pruning.masks import BoolArray, Granularity
from studio_core.pruning.weights import GROUP_SIZE, Order, make_mask

_LARGEST_GROUP = 1024


@dataclass(frozen=True)
class Pattern:
    """A granularity; for N:M, ``kept`` weights stay of every ``group_size``."""

    granularity: Granularity = Granularity.ELEMENT
    kept: int = GROUP_SIZE // 2
    group_size: int = GROUP_SIZE

    @classmethod
    def named(cls, name: str) -> Pattern:
        """The pattern called ``element``, ``channel``, ``2:4`` or any N:M, or ``n:m`` (2:4)."""
        if name in list(Granularity):
            return cls(Granularity(name))
        kept, colon, group = name.partition(":")
        if colon and all(part.isascii() and part.isdigit() for part in (kept, group)):
            pattern = cls(Granularity.N_OF_M, int(kept), int(group))
            if 0 < pattern.kept < pattern.group_size <= _LARGEST_GROUP:
                return pattern
        raise InvalidRequestError(
            f"There is no granularity '{name}'. Give element, channel, or N:M such as 2:4."
        )

    def __str__(self) -> str:
        if self.granularity is Granularity.N_OF_M:
            return f"{self.kept}:{self.group_size}"
        return str(self.granularity)

    @property
    def only_level(self) -> float | None:
        """The one sparsity that there is, None where any can be had."""
        if self.granularity is Granularity.N_OF_M:
            return (self.group_size - self.kept) / self.group_size
        return None

    def mask(self, model: Model, layer: Layer, sparsity: float) -> BoolArray:
        """The mask of the layer's stored weight, in its shape; True = kept."""
        return make_mask(model, layer, Order(sparsity, self.granularity, self.group_size))

    def refusal(self, model: Model, layer: Layer) -> str:
        """Why the weight of ``layer`` cannot be pruned so, or an empty string."""
        if self.granularity is Granularity.ELEMENT or layer.weight is None:
            return ""
        try:
            axes = weight_axes(model, layer)
        except InvalidRequestError as error:
            return error.message
        if self.granularity is Granularity.CHANNEL:
            return "" if axes.outputs is not None else "Its weight has no output channels."
        length = layer.weight_shape[axes.summed]
        if length < self.group_size:
            return (
                f"It sums over {length} weights at a time, fewer than the {self.group_size} of "
                f"the {self} pattern."
            )
        return ""
