"""The proof of a plan on samples: run as it would be applied, beside what was predicted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from studio_core.evaluation.data import Samples
from studio_core.evaluation.defaults import default_metric
from studio_core.evaluation.metrics import METRICS
from studio_core.models.model import open_model
from studio_core.plan_runs.applying import write_pruned
from studio_core.plan_runs.removal import Removal
from studio_core.plans import PruningPlan
from studio_core.plans.solver import Solver
from studio_core.plans.verification import Verification, VerificationRun
from studio_core.pruning.staging import told_in_words
from studio_core.session import Session


@dataclass(frozen=True)
class VerifyOptions:
    """How a plan is verified; None leaves the choice to Studio.

    ``data`` is a path as `samples_from` reads it, or ``sample:NAME``; ``skip`` samples are
    left out at its beginning, such as those that the analysis was measured on, and at most
    ``samples`` of the rest are run. ``latency_runs`` above 0 times dense and pruned;
    ``compress`` False leaves out the compressed sizes, which take longest for large models.
    """

    data: str | None = None
    samples: int | None = None
    skip: int = 0
    metric: str | None = None
    latency_runs: int = 0
    compress: bool = True


def metric_of(session: Session, samples: Samples, solver: Solver | None, asked: str | None) -> str:
    """The metric asked for, or that of the prediction, or what fits the model."""
    if asked is not None:
        return asked
    predicted = None if solver is None else solver.planner.loss.metric.name
    if predicted is not None and predicted in METRICS:
        return predicted
    return default_metric(session.model, samples).name


def verification_run(
    session: Session,
    plan: PruningPlan,
    samples: Samples,
    *,
    solver: Solver | None = None,
    metric: str | None = None,
    removal: Removal | None = None,
    latency_runs: int = 0,
    compress: bool = True,
) -> VerificationRun:
    """A run of ``plan`` with weights made zero; channels that go need `verified` instead."""
    removal = removal or Removal()
    return VerificationRun(
        session.model,
        session.layers,
        plan,
        samples,
        metric_of(session, samples, solver, metric),
        solver=solver,
        latency_runs=latency_runs,
        compress=compress,
        granularity=removal.granularities(plan),
        group_size=removal.group_size,
    )


class PlanVerification:
    """A verification that yields how many samples are done; ``result`` is there at its end.

    Where channels go the smaller model is written to a temporary folder and run from there.
    """

    def __init__(
        self,
        session: Session,
        plan: PruningPlan,
        removal: Removal,
        samples: Samples,
        solver: Solver | None,
        options: VerifyOptions,
    ) -> None:
        self.session, self.plan, self.removal = session, plan, removal
        self.samples, self.solver, self.options = samples, solver, options
        self.result: Verification | None = None

    def __iter__(self) -> Iterator[int]:
        with ExitStack() as stack:
            run = verification_run(
                self.session,
                self.plan,
                self.samples,
                solver=self.solver,
                metric=self.options.metric,
                removal=self.removal,
                latency_runs=self.options.latency_runs,
                compress=self.options.compress,
            )
            if self.removal.channels(self.plan):
                with told_in_words(Path(tempfile.gettempdir())):
                    folder = tempfile.TemporaryDirectory(prefix="studio-verify-")
                target = Path(stack.enter_context(folder), "pruned.onnx")
                pruned = write_pruned(self.session, self.plan, self.removal, target)
                limits = self.session.model.limits
                run.pruned_model = open_model(pruned.path, limits=limits)
            yield from run
            self.result = run.result()
