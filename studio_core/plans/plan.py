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
        """The same plan with one layer set by hand, locked unless told otherwise."""
        locked = self.locked | {layer_id} if lock else self.locked
        return replace(self, sparsities={**self.sparsities, layer_id: sparsity}, locked=locked)

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
        try:
            layers = [(str(r["id"]), float(r["sparsity"]), r) for r in document["layers"]]
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidRequestError(
                "A plan needs 'layers', each with 'id' and 'sparsity' (a fraction from 0 to 1)."
            ) from error
        return cls(
            sparsities={layer_id: sparsity for layer_id, sparsity, _ in layers},
            locked=frozenset(layer_id for layer_id, _, row in layers if row.get("locked")),
            target=document.get("target"),
            balance=document.get("balance"),
            weight_names={layer_id: str(r.get("name", layer_id)) for layer_id, _, r in layers},
        )

    def to_recipe(self, **schedule: Any) -> str:
        """The plan as a SparseML recipe (YAML); ``schedule`` as in `recipe_text`."""
        from studio_core.plans.recipe import Schedule, recipe_text

        by_name = {self.weight_names.get(i, i): s for i, s in self.sparsities.items() if s > 0}
        return recipe_text(by_name, Schedule(**schedule))


@dataclass(frozen=True)
class PlanEstimate:
    """What a plan brings, before it is applied. Fractions are 0 to 1, None is unknown.

    ``sparsity`` is over the weights of prunable layers, ``model_sparsity`` over all
    parameters of the model. ``flops`` counts multiply-accumulates left if the runtime
    exploited every zero. ``bytes_dense`` is what the file takes while zeros are stored;
    ``bytes_sparse`` if each pruned tensor were kept as a bit mask and its non-zero values.
    ``loss`` is the mean share of the layers' L2 norm that is removed (an estimate of
    damage, not a measured loss). ``achieves_target`` is False where locks or limits keep
    the plan from its target; ``note`` then says why.
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
