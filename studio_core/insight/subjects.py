"""What findings and a report are about: a model with what is known of it, or an opened module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from studio_core.explorer.exploration import OPTIMIZER_ENABLED, Exploration
from studio_core.finding import Finding
from studio_core.findings import (
    looked_at_in_model,
    looked_at_in_module,
    model_findings,
    module_findings,
)
from studio_core.plan_runs.saved_plan import SavedPlan
from studio_core.plans import PruningPlan
from studio_core.reports import Report, model_report, module_report
from studio_core.sensitivity import Analysis
from studio_core.session import Session


class Subject(Protocol):
    """Something that Studio notices things of, and can write a report on."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    def findings(self) -> tuple[Finding, ...]:
        """What should be known of it, the gravest first."""
        ...

    def looked_at(self) -> str:
        """A sentence on what the findings were looked for in."""
        ...

    def report(self, title: str | None = None) -> Report:
        """All that is known of it; ``title`` is its name unless given."""
        ...


@dataclass(frozen=True, eq=False)
class ModelSubject:
    """A model with its analyses and its plan; what is None is not there."""

    session: Session
    loss: Analysis | None = None
    perf: Analysis | None = None
    plan: PruningPlan | SavedPlan | None = None

    @property
    def name(self) -> str:
        return self.session.model.path.stem

    def findings(self) -> tuple[Finding, ...]:
        removal = self.plan.removal if isinstance(self.plan, SavedPlan) else None
        return model_findings(self.session, **self._known, removal=removal)

    def looked_at(self) -> str:
        return looked_at_in_model(self.session, **self._known)

    def report(self, title: str | None = None) -> Report:
        return model_report(
            self.session, loss=self.loss, perf=self.perf, plan=self.plan, title=title
        )

    @property
    def _known(self) -> Mapping[str, Any]:
        saved = self.plan if isinstance(self.plan, SavedPlan) else None
        return {
            "plan": saved.plan if saved is not None else self.plan,
            "loss": self.loss,
            "perf": self.perf,
            "verifications": saved.verifications if saved is not None else (),
        }


@dataclass(frozen=True, eq=False)
class ModuleSubject:
    """An opened module, run or not; overrides are judged for a run under ``policy``."""

    exploration: Exploration
    policy: str = OPTIMIZER_ENABLED

    @property
    def name(self) -> str:
        return self.exploration.path.stem

    def findings(self) -> tuple[Finding, ...]:
        return module_findings(self.exploration, self.policy)

    def looked_at(self) -> str:
        return looked_at_in_module(self.exploration)

    def report(self, title: str | None = None) -> Report:
        return module_report(self.exploration, policy=self.policy, title=title)
