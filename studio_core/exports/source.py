"""What every export is made from: a plan over the layers of one model, each weight once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from studio_core.errors import InvalidRequestError
from studio_core.layers.layer import Layer
from studio_core.models.model import Model
from studio_core.plans.plan import PruningPlan
from studio_core.pruning.counts import num_pruned
from studio_core.pruning.masks import Granularity
from studio_core.pruning.weights import (
    GROUP_SIZE,
    Granularities,
    Order,
    PlanMasks,
    make_orders,
    one_order_each,
)


@dataclass(frozen=True)
class PlannedWeight:
    """A stored weight that the plan prunes; ``layer`` is the first of those that read it.

    ``name`` is the weight's name in the ONNX file, ``key`` the same or, where two weights
    of different subgraphs bear one name, the layer's id: unique in the model.
    """

    name: str
    key: str
    layer: Layer
    order: Order

    @property
    def num_pruned(self) -> int:
        """Weights that single-weight pruning removes."""
        return int(num_pruned(self.layer.weight_size, self.order.sparsity))


@dataclass(frozen=True, eq=False)
class ExportSource:
    """A plan for the ``layers`` of ``model``; granularity as in `prune_model`."""

    model: Model
    layers: Sequence[Layer]
    plan: PruningPlan
    granularity: Granularities = field(default=Granularity.ELEMENT)
    group_size: int = GROUP_SIZE

    @cached_property
    def orders(self) -> Mapping[str, Order]:
        """What is asked of each layer that the plan names, by layer id."""
        return make_orders(self.layers, self.plan, self.granularity, self.group_size)

    @cached_property
    def masks(self) -> PlanMasks:
        """Masks by layer id, each made when it is asked for."""
        return PlanMasks(self.model, self.layers, self.orders)

    @cached_property
    def weights(self) -> tuple[PlannedWeight, ...]:
        """The weights with a sparsity above 0, in the order of the layers.

        Raises `InvalidRequestError` where layers that share a weight are asked for
        different sparsities.
        """
        places = {x.id: x.weight.key for x in self.layers if x.weight is not None}
        found = list(one_order_each(self.layers, self.orders, places))
        names = Counter(group[0].name for group, _ in found)
        return tuple(
            PlannedWeight(
                group[0].name,
                group[0].name if names[group[0].name] == 1 else group[0].id,
                next(layer for layer in group if layer.is_prunable),
                order,
            )
            for group, order in found
        )

    def only_single_weights(self, format_title: str) -> None:
        """Refuse N:M and channels, for a format that has only unstructured sparsity."""
        for weight in self.weights:
            if weight.order.granularity is not Granularity.ELEMENT:
                raise InvalidRequestError(
                    f"{format_title} has no pattern for '{weight.name}', which is pruned by "
                    f"{weight.order.granularity}. Export masks, or prune single weights (element)."
                )


@dataclass(frozen=True)
class Exported:
    """An export: its bytes, and remarks that the person must see."""

    content: bytes
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The content of a text format."""
        return self.content.decode("utf-8")
