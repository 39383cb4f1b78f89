"""What is asked of a plan, as one record that the doors fill and a project keeps.

Either an average ``sparsity`` to spread (the slider's way), or bounds and a quantity to be
made the best of, which are solved for exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from studio_core.errors import InvalidRequestError
from studio_core.plan_runs import fields
from studio_core.plan_runs.removal import Removal
from studio_core.plans.constraints import DEFAULT_MAX_SPARSITY, Constraints, Quantity

BOUNDS = {
    "minSparsity": "min_sparsity",
    "maxLoss": "max_loss",
    "maxBytes": "max_bytes",
    "maxBytesShare": "max_bytes_share",
    "maxFlops": "max_flops",
    "maxFlopsShare": "max_flops_share",
    "maxLatencyMs": "max_latency_ms",
    "maxLatencyShare": "max_latency_share",
}
"""Bounds on the whole plan: their names on the wire and in `Constraints`."""

_SHARES = ("minSparsity", "maxBytesShare", "maxFlopsShare", "maxLatencyShare")
_LIMITS = ("locked", "lowest", "highest", "maxSparsity", "granularity")
FIELDS = ("sparsity", "balance", "minimize", "maxAccuracyLoss", *BOUNDS, *_LIMITS)

MINIMIZE = {
    "loss": Quantity.LOSS,
    "sparsity": Quantity.SPARSITY,
    "bytes": Quantity.BYTES,
    "flops": Quantity.FLOPS,
    "latency": Quantity.LATENCY,
}
"""What a plan may make the best of; with ``sparsity`` the weights that are left."""


@dataclass(frozen=True)
class Goal:
    """What is asked of a plan. Layers are named by id or by their weight's name.

    ``max_accuracy_loss`` bounds the true accuracy, as a share of the samples: such a plan
    is searched for by running plans on labelled data (searching.py).
    """

    sparsity: float | None = None
    balance: float | None = None
    minimize: Quantity | None = None
    constraints: Constraints = field(default_factory=Constraints)
    locked: Mapping[str, float] = field(default_factory=dict)
    lowest: Mapping[str, float] = field(default_factory=dict)
    highest: Mapping[str, float] = field(default_factory=dict)
    max_sparsity: float = DEFAULT_MAX_SPARSITY
    removal: Removal = field(default_factory=Removal)
    max_accuracy_loss: float | None = None

    def __post_init__(self) -> None:
        if self.sparsity is not None:
            if self.is_solved_for or self.lowest or self.highest:
                raise InvalidRequestError(
                    "'sparsity' spreads an average and takes no bound, 'lowest' or 'highest'; "
                    "give 'minSparsity' instead of it to solve for the best plan."
                )
        elif self.balance is not None:
            raise InvalidRequestError("'balance' can only be given with 'sparsity'.")
        elif not self.is_solved_for:
            raise InvalidRequestError(
                "A goal needs 'sparsity', or a bound such as 'minSparsity' or 'maxLoss'."
            )
        elif self.minimize is Quantity.LOSS and not self.has_bounds:
            raise InvalidRequestError(
                "The least loss is that of no pruning; give a bound as well, such as 'minSparsity'."
            )

    @property
    def has_bounds(self) -> bool:
        return self.max_accuracy_loss is not None or any(
            value is not None for value in vars(self.constraints).values()
        )

    @property
    def is_solved_for(self) -> bool:
        return self.minimize is not None or self.has_bounds

    @property
    def objective(self) -> Quantity:
        """What is minimised: by default the weights left under a bound on the loss, else loss."""
        if self.minimize is not None:
            return self.minimize
        bounds_loss = self.constraints.max_loss is not None or self.max_accuracy_loss is not None
        return Quantity.SPARSITY if bounds_loss else Quantity.LOSS

    @classmethod
    def from_document(cls, given: Any) -> Goal:
        """Read a goal; raises `InvalidRequestError` naming the field at fault."""
        if not isinstance(given, Mapping):
            raise InvalidRequestError("'goal' must be an object, such as {\"minSparsity\": 0.8}.")
        fields.refuse_unknown(given, FIELDS, "A goal")
        bounds = {
            name: fields.number(given, key, most=1 if key in _SHARES else float("inf"))
            for key, name in BOUNDS.items()
        }
        limit = fields.number(given, "maxSparsity", most=1)
        return cls(
            fields.number(given, "sparsity", most=1),
            fields.number(given, "balance", most=1),
            _quantity(given),
            Constraints(**bounds),
            fields.fractions(given, "locked"),
            fields.fractions(given, "lowest"),
            fields.fractions(given, "highest"),
            DEFAULT_MAX_SPARSITY if limit is None else limit,
            Removal.from_document(given.get("granularity")),
            fields.number(given, "maxAccuracyLoss", most=1),
        )

    def to_document(self) -> dict[str, Any]:
        """What was asked, without what was not; `from_document` reads it back equal."""
        words = {quantity: word for word, quantity in MINIMIZE.items()}
        document: dict[str, Any] = {
            "sparsity": self.sparsity,
            "balance": self.balance,
            "minimize": None if self.minimize is None else words[self.minimize],
            "maxAccuracyLoss": self.max_accuracy_loss,
            **{key: getattr(self.constraints, name) for key, name in BOUNDS.items()},
            "locked": dict(self.locked) or None,
            "lowest": dict(self.lowest) or None,
            "highest": dict(self.highest) or None,
            "maxSparsity": self.max_sparsity,
            "granularity": self.removal.to_document(),
        }
        return {key: value for key, value in document.items() if value is not None}


def _quantity(given: Mapping[str, Any]) -> Quantity | None:
    word = fields.text(given, "minimize")
    if word is not None and word not in MINIMIZE:
        raise InvalidRequestError(f"'minimize' must be one of {', '.join(MINIMIZE)}.")
    return None if word is None else MINIMIZE[word]
