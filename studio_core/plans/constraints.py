"""What is asked of a plan: one quantity to be as small as possible, bounds, and limits by layer.

Every quantity is counted so that less is better, which is what lets one solver serve them
all; sparsity is counted by the weights that are left.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from studio_core.errors import InfeasibleError, InvalidRequestError

DEFAULT_MAX_SPARSITY = 0.95
"""Where no limit is given: a layer without weights is a hole in the model, and estimates,
which look at one layer at a time, hardly see it."""


class Quantity(StrEnum):
    """What a plan costs. ``sparsity`` is the average over the prunable weights."""

    LOSS = "loss"
    SPARSITY = "sparsity"
    BYTES = "bytes"
    FLOPS = "flops"
    LATENCY = "latency_ms"

    @property
    def label(self) -> str:
        return _LABELS[self]

    def text(self, value: float) -> str:
        """``value`` in words; of sparsity the fraction of zeros."""
        if self is Quantity.SPARSITY:
            return f"{value:.2%}"
        if self is Quantity.LATENCY:
            return f"{value:.4g} ms"
        return f"{value:,.0f}" if self in (Quantity.BYTES, Quantity.FLOPS) else f"{value:.4g}"


_LABELS = {
    Quantity.LOSS: "predicted loss",
    Quantity.SPARSITY: "average sparsity",
    Quantity.BYTES: "bytes, stored sparsely",
    Quantity.FLOPS: "multiply-accumulates",
    Quantity.LATENCY: "latency",
}


class UnreachableError(InfeasibleError):
    """A constraint that no plan meets; ``reachable`` is the best there is of its quantity.

    ``others`` names the constraints that were kept while looking for it.
    """

    def __init__(
        self, quantity: Quantity, asked: float, reachable: float, others: tuple[Quantity, ...] = ()
    ) -> None:
        self.quantity = quantity
        self.asked = asked
        self.reachable = reachable
        self.others = others
        super().__init__(self._text())

    def _text(self) -> str:
        side = "at least" if self.quantity is Quantity.SPARSITY else "at most"
        kept = ", ".join(f"the {q.label}" for q in self.others)
        given = f" together with the bound on {kept}" if kept else ""
        return (
            f"The {self.quantity.label} cannot be {side} {self.quantity.text(self.asked)}{given}: "
            f"the best that known levels, locks and limits allow is "
            f"{self.quantity.text(self.reachable)}. Relax this constraint, a lock or a limit."
        )


@dataclass(frozen=True)
class Constraints:
    """Bounds on the whole plan; None is no bound.

    ``min_sparsity`` is the average over all prunable weights. Bytes are those of the
    layers' weights and biases with each pruned tensor as a bit mask and its non-zero
    values; FLOPs are multiply-accumulates of one sample if every zero were skipped. A
    share is of the dense model. ``max_loss`` is in the unit of the loss analysis, for the
    whole plan (prediction.py says how layers add up).
    """

    min_sparsity: float | None = None
    max_bytes: float | None = None
    max_bytes_share: float | None = None
    max_flops: float | None = None
    max_flops_share: float | None = None
    max_latency_ms: float | None = None
    max_latency_share: float | None = None
    max_loss: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is None:
                continue
            is_share = name.endswith(("_share", "_sparsity"))
            if not math.isfinite(value) or value < 0 or (is_share and value > 1):
                wanted = "a fraction from 0 to 1" if is_share else "a number, 0 or above"
                raise InvalidRequestError(f"'{name}' must be {wanted}; it is {value}.")
        for name in ("max_bytes", "max_flops", "max_latency"):
            absolute = name + "_ms" if name == "max_latency" else name
            if getattr(self, absolute) is not None and getattr(self, f"{name}_share") is not None:
                raise InvalidRequestError(f"Give '{absolute}' or '{name}_share', not both.")

    def bounds(self) -> Iterator[tuple[Quantity, float | None, float | None]]:
        """Quantity, absolute bound, share of the dense model, for each bound that is given.

        Loss comes last, because it is the one to give way when not all can be met.
        """
        pairs = (
            (Quantity.SPARSITY, self.min_sparsity, None),
            (Quantity.LATENCY, self.max_latency_ms, self.max_latency_share),
            (Quantity.BYTES, self.max_bytes, self.max_bytes_share),
            (Quantity.FLOPS, self.max_flops, self.max_flops_share),
            (Quantity.LOSS, self.max_loss, None),
        )
        return ((q, a, share) for q, a, share in pairs if a is not None or share is not None)


@dataclass(frozen=True)
class Limits:
    """What each layer may become, by layer id. All are fractions of zeros, 0 to 1.

    A ``locked`` layer gets its sparsity exactly, known level or not. ``lowest`` and
    ``highest`` bound single layers; ``max_sparsity`` bounds those not in ``highest``.
    """

    locked: Mapping[str, float] = field(default_factory=dict)
    lowest: Mapping[str, float] = field(default_factory=dict)
    highest: Mapping[str, float] = field(default_factory=dict)
    max_sparsity: float = DEFAULT_MAX_SPARSITY

    def __post_init__(self) -> None:
        given = [*self.locked.items(), *self.lowest.items(), *self.highest.items()]
        for name, value in (*given, ("max_sparsity", self.max_sparsity)):
            if not 0.0 <= value <= 1.0:
                raise InvalidRequestError(
                    f"The limit of '{name}' must be a fraction from 0 to 1; it is {value}."
                )

    @property
    def layer_ids(self) -> frozenset[str]:
        return frozenset(self.locked) | frozenset(self.lowest) | frozenset(self.highest)
