"""The best plan that keeps its true accuracy, found by running plans on labelled samples.

Predicted losses order plans well and tell their accuracy badly: layers interact. So the
trade-off gives budgets of predicted loss, the solver the best plan for each, and bisection
over the budgets, running each plan tried, the last that keeps the accuracy. It takes more
loss for less accuracy throughout; where that does not hold, a better plan may be missed,
but the one found was run and keeps the bound on these samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from studio_core.errors import InfeasibleError, InvalidRequestError
from studio_core.evaluation.data import Samples
from studio_core.plan_runs.goal import Goal
from studio_core.plan_runs.solving import PlanRoom, SolvedPlan
from studio_core.plan_runs.verifying import PlanVerification, VerifyOptions
from studio_core.plans.constraints import Quantity
from studio_core.plans.verification import Verification

NUM_BUDGETS = 48
_EQUAL = 1e-12


@dataclass(frozen=True)
class ProvenPlan:
    """A plan and the run that proved it."""

    solved: SolvedPlan
    verification: Verification

    @property
    def accuracy_loss(self) -> float:
        accuracy = self.verification.accuracy
        if accuracy is None:
            raise InvalidRequestError("'maxAccuracyLoss' needs a model that answers class scores.")
        return accuracy.dense - accuracy.pruned

    def __str__(self) -> str:
        accuracy = self.verification.accuracy
        shown = "" if accuracy is None else f"accuracy {accuracy.pruned:.2%}"
        return f"sparsity {self.solved.estimate.sparsity:.1%}: {shown}"


class AccuracySearch:
    """Iterating tries plans and yields each; ``best`` is the best one that keeps the bound."""

    def __init__(self, room: PlanRoom, goal: Goal, samples: Samples) -> None:
        if samples.labels is None:
            raise InvalidRequestError(
                "'maxAccuracyLoss' needs samples with labels. Give 'data' that has them, such as "
                "a .npz with an array 'labels', or bound the predicted loss with 'maxLoss'."
            )
        if goal.objective is Quantity.LOSS:
            raise InvalidRequestError(
                "With 'maxAccuracyLoss' something else than loss is minimized."
            )
        self.room, self.goal, self.samples = room, goal, samples
        self.best: ProvenPlan | None = None
        self.budgets = self._budgets()

    @property
    def num_steps(self) -> int:
        """Plans that are tried at most."""
        return len(self.budgets).bit_length()

    def _budgets(self) -> list[float]:
        """Losses of plans along the trade-off, each once, rising."""
        bounds = replace(self.goal.constraints, max_loss=None)
        goal = replace(self.goal, constraints=bounds)
        points = self.room.pareto(goal, self.goal.objective, NUM_BUDGETS)
        most = self.goal.constraints.max_loss
        losses = {point.loss.value for point in points}
        return sorted(loss for loss in losses if most is None or loss <= most)

    def __iter__(self) -> Iterator[ProvenPlan]:
        low, high = 0, len(self.budgets)
        while low < high:
            middle = (low + high) // 2
            tried = self._try(self.budgets[middle])
            if tried.accuracy_loss <= (self.goal.max_accuracy_loss or 0.0) + _EQUAL:
                self.best, low = tried, middle + 1
            else:
                high = middle
            yield tried
        if self.best is None:
            raise InfeasibleError(
                "No plan keeps the accuracy on these samples together with the other bounds. "
                "Allow more loss of accuracy, or relax a bound, a lock or a limit."
            )

    def _try(self, budget: float) -> ProvenPlan:
        # A hair above, so that the plan which has this very loss is not lost to rounding.
        bounds = replace(self.goal.constraints, max_loss=budget * (1 + 1e-9))
        solved = self.room.solve(replace(self.goal, constraints=bounds))
        run = PlanVerification(
            self.room.session, solved.plan, solved.removal, self.samples, self.room.solver,
            VerifyOptions(),
        )  # fmt: skip
        for _ in run:
            pass
        assert run.result is not None  # it was run to its end
        return ProvenPlan(solved, run.result)
