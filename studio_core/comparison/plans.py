"""`compare_plans`: two pruning plans, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from studio_core.plans import PruningPlan


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A layer in two plans; sparsities are 0 to 1, None where a plan does not know the layer.

    ``layer_id`` is the layer's in the right plan, or in the left one where only that has it.
    """

    layer_id: str
    name: str
    left: float | None
    right: float | None
    is_locked_left: bool = False
    is_locked_right: bool = False

    @property
    def difference(self) -> float | None:
        if self.left is None or self.right is None:
            return None
        return self.right - self.left

    @property
    def is_changed(self) -> bool:
        return self.left != self.right or self.is_locked_left != self.is_locked_right


@dataclass(frozen=True)
class PlanComparison:
    """Two plans side by side, in the order of the left one, then what only the right has."""

    left: PruningPlan
    right: PruningPlan
    rows: tuple[PlanRow, ...]

    @property
    def num_changed(self) -> int:
        return sum(row.is_changed for row in self.rows)


def compare_plans(
    left: PruningPlan, right: PruningPlan, layer_ids: Mapping[str, str] | None = None
) -> PlanComparison:
    """Compare two plans, of one model or of two.

    ``layer_ids`` says which layer of the right model each of the left one is
    (`ModelComparison.layer_ids`); without it layers go by id, then by weight.
    """
    same = layer_ids if layer_ids is not None else _same_layers(left, right)
    return PlanComparison(left, right, tuple(_rows(left, right, same)))


def _same_layers(left: PruningPlan, right: PruningPlan) -> dict[str, str]:
    by_weight: dict[str, list[str]] = {}
    for layer_id in right.sparsities:
        if layer_id not in left.sparsities and layer_id in right.weight_names:
            by_weight.setdefault(right.weight_names[layer_id], []).append(layer_id)
    found = {layer_id: layer_id for layer_id in left.sparsities if layer_id in right.sparsities}
    for layer_id in left.sparsities:
        ids = by_weight.get(left.weight_names.get(layer_id, ""), [])
        if layer_id not in found and ids:
            found[layer_id] = ids.pop(0)
    return found


def _rows(left: PruningPlan, right: PruningPlan, same: Mapping[str, str]) -> Iterator[PlanRow]:
    waiting = dict(right.sparsities)
    for layer_id, sparsity in left.sparsities.items():
        other = same.get(layer_id)
        sparsity_right = waiting.pop(other, None) if other is not None else None
        shown = other if other is not None and sparsity_right is not None else layer_id
        yield PlanRow(
            shown,
            left.weight_names.get(layer_id, layer_id),
            sparsity,
            sparsity_right,
            layer_id in left.locked,
            shown in right.locked and sparsity_right is not None,
        )
    for layer_id, sparsity in waiting.items():
        name = right.weight_names.get(layer_id, layer_id)
        yield PlanRow(layer_id, name, None, sparsity, False, layer_id in right.locked)
