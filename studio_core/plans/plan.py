"""A pruning plan: the sparsity each layer shall have, and what is asked of the whole.

`Planner` (planner.py) makes plans and estimates what they bring; a plan itself is only
the decision, so that it can be kept, compared and exported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from studio_core.errors import InvalidRequestError


@dataclass(frozen=True)
class PruningPlan:
    """Sparsity by layer.

    ``sparsities`` maps layer ids to fractions in [0, 1]; a layer that is not named stays
    dense. ``locked`` layers keep their sparsity when the plan is redistributed. ``target``
    is the average sparsity asked for over all prunable weights, and ``balance`` weighs
    loss (1) against performance (0); both are None in a plan made by hand.
    ``weight_names`` maps layer ids to weight names, for exports.
    """

    sparsities: Mapping[str, float]
    locked: frozenset[str] = frozenset()
    target: float | None = None
    balance: float | None = None
    weight_names: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for layer_id, sparsity in self.sparsities.items():
            if not 0.0 <= sparsity <= 1.0:
                raise InvalidRequestError(
                    f"Layer '{layer_id}' has sparsity {sparsity}; give a fraction from 0 to 1."
                )

    def with_layer(self, layer_id: str, sparsity: float, *, lock: bool = True) -> PruningPlan:
        """The same plan with one layer set by hand, locked unless told otherwise.

        Layers that share its weight go with it: one weight has one sparsity.
        """
        name = self.weight_names.get(layer_id)
        changed = {i for i, other in self.weight_names.items() if other == name} | {layer_id}
        locked = self.locked | changed if lock else self.locked
        sparsities = {**self.sparsities, **dict.fromkeys(changed, sparsity)}
        return replace(self, sparsities=sparsities, locked=locked)

    def locked_sparsities(self) -> dict[str, float]:
        """Sparsities of the locked layers, as `Planner.distribute` takes them."""
        return {i: self.sparsities.get(i, 0.0) for i in sorted(self.locked)}

    def to_document(self) -> dict[str, Any]:
        """The plan as JSON-ready values; `from_document` reads it back equal."""
        return {
            "target": self.target,
            "balance": self.balance,
            "layers": [
                {
                    "id": layer_id,
                    "name": self.weight_names.get(layer_id, layer_id),
                    "sparsity": sparsity,
                    "locked": layer_id in self.locked,
                }
                for layer_id, sparsity in self.sparsities.items()
            ],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> PruningPlan:
        """Read a plan; raises `InvalidRequestError` naming the first fault."""
        rows = document.get("layers") if isinstance(document, Mapping) else None
        if not isinstance(rows, list) or not all(map(_is_plan_row, rows)):
            raise InvalidRequestError(
                "A plan needs 'layers', each with 'id' and 'sparsity' (a fraction from 0 to 1)."
            )
        ids = [row["id"] for row in rows]
        twice = (
            next((i for i in ids if ids.count(i) > 1), None) if len(set(ids)) < len(ids) else None
        )
        if twice is not None:
            raise InvalidRequestError(f"Layer '{twice}' is in the plan twice; name it once.")
        for key in ("target", "balance"):
            if document.get(key) is not None and not _is_number(document[key]):
                raise InvalidRequestError(f"'{key}' of a plan must be a number or null.")
        return cls(
            sparsities={row["id"]: float(row["sparsity"]) for row in rows},
            locked=frozenset(row["id"] for row in rows if row.get("locked")),
            target=document.get("target"),
            balance=document.get("balance"),
            weight_names={row["id"]: str(row.get("name", row["id"])) for row in rows},
        )

    def to_recipe(self, **schedule: Any) -> str:
        """The plan as a SparseML recipe (YAML); ``schedule`` as in `recipe_text`."""
        from studio_core.plans.recipe import Schedule, recipe_text

        by_name = {self.weight_names.get(i, i): s for i, s in self.sparsities.items() if s > 0}
        return recipe_text(by_name, Schedule(**schedule))


def _is_plan_row(row: Any) -> bool:
    return (
        isinstance(row, dict) and isinstance(row.get("id"), str) and _is_number(row.get("sparsity"))
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= 1


@dataclass(frozen=True)
class PlanEstimate:
    """What a plan brings, before it is applied. Fractions are 0 to 1, None is unknown.

    ``sparsity`` is over the weights of prunable layers, ``model_sparsity`` over all
    parameters of the model. ``flops`` counts multiply-accumulates left if the runtime
    exploited every zero. ``bytes_dense`` is what the file takes while zeros are stored;
    ``bytes_sparse`` if each pruned tensor were kept as a bit mask and its non-zero values.
    ``loss`` is the mean loss of the layers in the analysis's own metric (for the estimate
    by magnitude: the root mean square of the shares of L2 norm removed).
    ``achieves_target`` is False where locks or limits keep the plan from its target;
    ``note`` then says why.
    """

    num_weights: int
    num_zeros: int
    sparsity: float
    model_sparsity: float
    flops_dense: int | None
    flops: int | None
    bytes_dense: int
    bytes_sparse: int
    loss: float | None
    achieves_target: bool = True
    note: str = ""

    @property
    def flops_share(self) -> float | None:
        """FLOPs left as a share of the dense model's; None where they are unknown."""
        if self.flops is None or not self.flops_dense:
            return None
        return self.flops / self.flops_dense
