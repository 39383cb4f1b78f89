"""From a goal to a plan: what it should bring, why it looks so, and where the numbers come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from studio_core.errors import InvalidRequestError
from studio_core.plan_runs.goal import Goal
from studio_core.plan_runs.layer_names import find_layer, find_locks
from studio_core.plan_runs.removal import Removal
from studio_core.plans import PlanEstimate, Planner, PruningPlan
from studio_core.plans.calibration import Calibration, VerifiedPoint
from studio_core.plans.constraints import Constraints, Limits
from studio_core.plans.pareto import ParetoPoint, pareto_points
from studio_core.plans.prediction import LossModel, PredictedLoss
from studio_core.plans.solver import DEFAULT_TIME_LIMIT_S, Solution, Solver
from studio_core.sensitivity import Analysis
from studio_core.session import Session


@dataclass(frozen=True)
class ProvenLoss:
    """What a plan really lost when it was run, to correct the predictions of others."""

    plan: PruningPlan
    metric: str
    mean: float
    standard_error: float | None
    on_random_data: bool


@dataclass(frozen=True)
class Known:
    """What a plan is made from: None takes the estimate; ``proven`` calibrates predictions."""

    loss: Analysis | None = None
    perf: Analysis | None = None
    proven: Sequence[ProvenLoss] = ()


@dataclass(frozen=True)
class SolvedPlan:
    """A plan with what it should bring; ``solution`` is None where nothing was solved for."""

    plan: PruningPlan
    removal: Removal
    estimate: PlanEstimate
    predicted: PredictedLoss
    calibration: Calibration
    solution: Solution | None
    notes: tuple[str, ...]


class PlanRoom:
    """Solves, predicts and explains for one model, one removal and what is known of them."""

    def __init__(self, session: Session, removal: Removal, known: Known) -> None:
        self.session = session
        self.removal = removal.for_layers(session.layers)
        self.known = known
        loss = self.removal.curves(known.loss or session.loss)
        planner = session.planner_over(loss, known.perf, granularity=self.removal.timed)
        self.calibration = calibration_of(planner, known.proven)
        self.solver = Solver(planner, calibration=self.calibration)

    def solve(self, goal: Goal, *, time_limit_s: float = DEFAULT_TIME_LIMIT_S) -> SolvedPlan:
        """The best plan for ``goal``; raises `InfeasibleError` saying what can be reached."""
        locked = find_locks(self.session.layers, list(goal.locked.items()))
        if goal.sparsity is not None:
            return self._spread(goal, goal.sparsity, locked)
        limits = self._limits(goal, locked)
        solution = self.solver.solve(
            goal.objective, goal.constraints, limits, time_limit_s=time_limit_s
        )
        return self.judge(solution.plan, solution)

    def judge(self, plan: PruningPlan, solution: Solution | None = None) -> SolvedPlan:
        """What any plan should bring, made by hand or solved for."""
        fitted, notes = self.removal.fitted(plan)
        model, layers = self.session.model, self.session.layers
        aligned, more = self.removal.aligned(model, layers, fitted)
        predicted = self.solver.predict(aligned)
        return SolvedPlan(
            aligned,
            self.removal,
            self.solver.planner.estimate(aligned),
            predicted,
            self.calibration,
            solution,
            (*notes, *more, *self._refused(), *self._measured_otherwise(aligned)),
        )

    def pareto(self, goal: Goal | None, quantity: str, num_points: int) -> Iterator[ParetoPoint]:
        """The trade-off of loss against ``quantity``, under the bounds and limits of ``goal``."""
        constraints, limits = Constraints(), Limits(highest=dict.fromkeys(self._stay_dense, 0.0))
        if goal is not None:
            locked = find_locks(self.session.layers, list(goal.locked.items()))
            constraints, limits = goal.constraints, self._limits(goal, locked)
        return pareto_points(
            self.solver, quantity, num_points=num_points, constraints=constraints, limits=limits
        )

    def _spread(self, goal: Goal, sparsity: float, locked: Mapping[str, float]) -> SolvedPlan:
        plan = self.solver.planner.distribute(
            sparsity,
            balance=1.0 if goal.balance is None else goal.balance,
            locked={**dict.fromkeys(self._stay_dense, 0.0), **locked},
            max_sparsity=goal.max_sparsity,
        )
        return self.judge(plan)

    def _limits(self, goal: Goal, locked: Mapping[str, float]) -> Limits:
        dense = dict.fromkeys(self._stay_dense, 0.0)
        return Limits(
            locked=locked,
            lowest=self._by_id(goal.lowest),
            highest={**self._by_id(goal.highest), **dense},
            max_sparsity=goal.max_sparsity,
        )

    def _by_id(self, given: Mapping[str, float]) -> dict[str, float]:
        return {find_layer(self.session.layers, name).id: value for name, value in given.items()}

    @cached_property
    def _stay_dense(self) -> Mapping[str, str]:
        """Layers that their pattern cannot prune; raises where a layer was named for it."""
        if self.removal.is_plain:
            return {}
        refused = self.removal.refusals(self.session.model, self.session.layers)
        for layer_id in self.removal.layers:
            if layer_id in refused:
                pattern = self.removal.of(layer_id)
                raise InvalidRequestError(
                    f"Layer '{layer_id}' cannot be pruned by {pattern}. {refused[layer_id]}"
                )
        return refused

    def _measured_otherwise(self, plan: PruningPlan) -> Iterator[str]:
        """A remark where the losses are those of removing something else."""
        measured = str(self.solver.planner.loss.provenance.get("granularity") or "element")
        pruned = [i for i, sparsity in plan.sparsities.items() if sparsity > 0]
        others = dict.fromkeys(str(self.removal.of(i)) for i in pruned)
        others.pop(measured, None)
        if others:
            yield (
                f"The losses are those of pruning by {measured}; pruned by {', '.join(others)} a "
                "layer may lose more. Verify the plan."
            )

    def _refused(self) -> tuple[str, ...]:
        return tuple(
            f"Layer '{layer_id}' stays dense: {reason}"
            for layer_id, reason in self._stay_dense.items()
        )


def calibration_of(planner: Planner, proven: Sequence[ProvenLoss]) -> Calibration:
    """How losses add up by the plans that were run; neutral without any."""
    return Calibration.fit(_points(LossModel(planner.loss, planner.units.members), proven))


def _points(losses: LossModel, proven: Sequence[ProvenLoss]) -> Iterator[VerifiedPoint]:
    """Predictions by the present analysis beside what runs of the same metric gave."""
    random = bool(losses.analysis.provenance.get("generatedData"))
    for run in proven:
        if run.metric != losses.analysis.metric.name or run.on_random_data != random:
            continue
        predicted = losses.predict(run.plan)
        if not predicted.unknown:
            yield VerifiedPoint(predicted.value, run.mean, run.standard_error)
