"""The best plan under constraints: one known level for each layer, chosen exactly.

`Solver.solve` minimises one quantity (predicted loss, bytes, multiply-accumulates, measured
latency, or the weights left) with any of them bounded, layers locked or limited. The choice
is a multiple-choice knapsack (optimum.py); prediction.py says how losses add up. What
comes back is proven the best over all combinations, or says how far from it it may be.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np

from studio_core.errors import InfeasibleError, InvalidRequestError
from studio_core.plans.calibration import Calibration
from studio_core.plans.choices import Choices, ChoiceTable, IntArray
from studio_core.plans.constraints import Constraints, Limits, Quantity, UnreachableError
from studio_core.plans.latency import PredictedLatency
from studio_core.plans.optimum import NoAnswerError, Optimum, Problem, minimise
from studio_core.plans.plan import PlanEstimate, PruningPlan
from studio_core.plans.planner import Planner
from studio_core.plans.prediction import PredictedLoss
from studio_core.plans.reasons import Explainer, LayerReason

DEFAULT_TIME_LIMIT_S = 1.0


@dataclass(frozen=True)
class Solution:
    """The best plan found, and why it looks as it does.

    ``value`` is that of the objective: loss in the analysis's metric, sparsity as a fraction,
    bytes, multiply-accumulates or milliseconds. ``gap`` bounds how much better another
    plan can be, as a share of what was minimised (summed damage for loss, weights left for
    sparsity); 0 where ``is_optimal``. ``latency_ms`` is None unless it was asked for;
    ``latency`` says in any case what the plan's time is known to be, and from where.
    ``without_curve`` names layers that stay dense because their loss is unknown.
    """

    plan: PruningPlan
    estimate: PlanEstimate
    loss: PredictedLoss
    objective: Quantity
    value: float
    is_optimal: bool
    gap: float
    reasons: tuple[LayerReason, ...]
    constraints: Constraints
    limits: Limits
    latency_ms: float | None
    without_curve: tuple[str, ...]
    latency: PredictedLatency


@dataclass(frozen=True)
class Bound:
    """A constraint in the solver's own terms: the total of ``quantity`` is at most ``most``."""

    quantity: Quantity
    asked: float
    most: float


class Solver:
    """Solves for one planner's layers and analyses; made once, asked often.

    ``calibration`` turns predicted losses into those that verified plans have shown; bounds
    on the loss are then meant so too. ``other_latency_ms`` is the part of the run's time
    that the layers' timings leave out; None takes it from the performance analysis.
    """

    def __init__(
        self,
        planner: Planner,
        *,
        calibration: Calibration | None = None,
        other_latency_ms: float | None = None,
    ) -> None:
        self.planner = planner
        self.calibration = calibration or Calibration()
        self.choices = Choices(planner, other_latency_ms)

    def solve(
        self,
        objective: Quantity | str = Quantity.LOSS,
        constraints: Constraints | None = None,
        limits: Limits | None = None,
        *,
        time_limit_s: float = DEFAULT_TIME_LIMIT_S,
    ) -> Solution:
        """The plan with the least ``objective`` (with ``sparsity``: the sparsest) that keeps all.

        Raises `UnreachableError` (an `InfeasibleError`) naming the constraint that cannot be
        met and the best there is; `InvalidRequestError` where a quantity is not known. When
        the time is over the best plan so far comes back with its gap.
        """
        objective = _quantity(objective)
        constraints, limits = constraints or Constraints(), limits or Limits()
        table, bounds = self.prepare(objective, constraints, limits)
        optimum = self.minimise(table, objective, bounds, time_limit_s)
        if optimum is None:
            self.refuse(table, bounds, time_limit_s)
        return self._solution(table, optimum, objective, constraints, limits, bounds)

    def prepare(
        self, objective: Quantity, constraints: Constraints, limits: Limits
    ) -> tuple[ChoiceTable, list[Bound]]:
        """The rows to choose from and the bounds on their sums."""
        used = {objective, *(q for q, _, _ in constraints.bounds())}
        for quantity in used:
            self.choices.check(quantity)
        table = self.choices.table(limits, Quantity.LATENCY in used)
        return table, list(self._bounds(table, constraints))

    def _bounds(self, table: ChoiceTable, constraints: Constraints) -> Iterator[Bound]:
        for quantity, absolute, share in constraints.bounds():
            asked = table.dense[quantity] * share if absolute is None and share else absolute or 0.0
            most = asked
            if quantity is Quantity.SPARSITY:
                # Whole weights; rounding of the fraction must not cost one.
                most = math.floor((1.0 - asked) * table.dense[quantity] + 1e-6)
            elif quantity is Quantity.LOSS:
                most = self.choices.loss.to_damage(self.calibration.invert(asked))
            yield Bound(quantity, asked, most)

    def minimise(
        self,
        table: ChoiceTable,
        objective: Quantity,
        bounds: list[Bound],
        time_limit_s: float,
    ) -> Optimum | None:
        """The optimum over the rows of ``table``, or None if the bounds cannot be kept."""
        rows = [table.quantities[b.quantity] for b in bounds]
        problem = Problem(
            table.unit,
            table.quantities[objective],
            np.array(rows).reshape(len(rows), table.unit.size),
            np.array([b.most - table.constants[b.quantity] for b in bounds]),
        )
        try:
            return minimise(problem, time_limit_s)
        except NoAnswerError:
            raise InvalidRequestError(
                f"No plan was found within {time_limit_s:g} s, and none was ruled out. Allow more "
                "time (time_limit_s), or relax a constraint."
            ) from None

    def refuse(self, table: ChoiceTable, bounds: list[Bound], time_limit_s: float) -> NoReturn:
        """Raise for the first bound that cannot be kept alone, or together with those before."""
        for bound in bounds:
            self._refuse_beyond(table, bound, [], time_limit_s)
        for i, bound in enumerate(bounds):
            self._refuse_beyond(table, bound, bounds[:i], time_limit_s)
        raise InfeasibleError(
            "No plan meets all constraints at once. Relax one of them, a lock or a limit."
        )

    def _refuse_beyond(
        self, table: ChoiceTable, bound: Bound, others: list[Bound], time_limit_s: float
    ) -> None:
        best = self.minimise(table, bound.quantity, others, time_limit_s)
        if best is None:
            return
        reached = table.total(bound.quantity, best.chosen)
        if reached > bound.most * (1 + 1e-12):
            raise UnreachableError(
                bound.quantity,
                bound.asked,
                self.reported(table, bound.quantity, reached),
                tuple(other.quantity for other in others),
            )

    def reported(self, table: ChoiceTable, quantity: Quantity, total: float) -> float:
        """A total as a person knows it: sparsity as a fraction, damage as a calibrated loss."""
        if quantity is Quantity.SPARSITY:
            return 1.0 - total / (table.dense[quantity] or 1.0)
        return self.loss_of(total) if quantity is Quantity.LOSS else total

    def loss_of(self, damage: float) -> float:
        """The loss of a summed damage, calibrated."""
        return self.calibration.value(self.choices.loss.to_loss(damage))

    def predict(self, plan: PruningPlan) -> PredictedLoss:
        """The predicted loss of any plan, calibrated."""
        return self.calibration.predict(self.choices.loss.predict(plan))

    def plan(self, table: ChoiceTable, chosen: IntArray, limits: Limits) -> PruningPlan:
        """The plan of the chosen rows, shape [L]."""
        sparsities = table.sparsities[chosen].tolist()
        pairs = [
            (layer, sparsity)
            for group, sparsity in zip(self.choices.units, sparsities, strict=True)
            for layer in group
        ]
        locked = {
            layer.id
            for group in self.choices.units
            if any(x.id in limits.locked for x in group)
            for layer in group
        }
        return PruningPlan(
            {layer.id: sparsity for layer, sparsity in pairs},
            frozenset(locked),
            weight_names={layer.id: layer.name for layer, _ in pairs},
        )

    def _solution(
        self,
        table: ChoiceTable,
        optimum: Optimum,
        objective: Quantity,
        constraints: Constraints,
        limits: Limits,
        bounds: list[Bound],
    ) -> Solution:
        chosen = optimum.chosen
        plan = self.plan(table, chosen, limits)
        loss = self.predict(plan)
        estimate = replace(self.planner.estimate(plan), loss=loss.value)
        prices = _prices(objective, bounds, optimum)
        explainer = Explainer(self.choices, table, limits, chosen, objective, prices, self.loss_of)
        used = {objective, *(b.quantity for b in bounds)}
        is_timed = Quantity.LATENCY in used
        return Solution(
            plan,
            estimate,
            loss,
            objective,
            self.reported(table, objective, table.total(objective, chosen)),
            optimum.gap == 0.0,
            optimum.gap,
            tuple(explainer.reasons()),
            constraints,
            limits,
            table.total(Quantity.LATENCY, chosen) if is_timed else None,
            tuple(
                layer.id
                for i in sorted(self.choices.without_curve)
                for layer in self.choices.units[i]
            ),
            self.choices.latency.predict(plan, estimate.flops_share),
        )


def _prices(objective: Quantity, bounds: list[Bound], optimum: Optimum) -> Mapping[Quantity, float]:
    prices = {b.quantity: float(p) for b, p in zip(bounds, optimum.prices, strict=True)}
    return {**prices, objective: prices.get(objective, 0.0) + 1.0}


def _quantity(value: Quantity | str) -> Quantity:
    try:
        return Quantity(value)
    except ValueError:
        choices = ", ".join(Quantity)
        raise InvalidRequestError(
            f"The objective must be one of {choices}; it is '{value}'."
        ) from None
