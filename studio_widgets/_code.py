"""The Python that repeats what a person did with the sliders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from studio_core.plans import Planner, PruningPlan


@dataclass(frozen=True)
class PlanRequest:
    """What the sliders and locks ask of the planner; arguments of `Planner.distribute`."""

    target: float
    balance: float
    max_sparsity: float
    locked: Mapping[str, float] = field(default_factory=dict)

    def made_by(self, planner: Planner) -> PruningPlan:
        """The plan; raises `InfeasibleError` where the locks leave no room for it."""
        return planner.distribute(
            self.target,
            balance=self.balance,
            locked=self.locked,
            max_sparsity=self.max_sparsity,
        )

    def code(self, planner: str) -> str:
        """The call that makes the plan, ``planner`` being the name of the planner there."""
        lines = [f"    {self.target!r},", f"    balance={self.balance!r},"]
        lines.append(f"    max_sparsity={self.max_sparsity!r},")
        if self.locked:
            lines += ["    locked={", *_entries(self.locked, "        "), "    },"]
        return "\n".join([f"{planner}.distribute(", *lines, ")"])


def plan_code(plan: PruningPlan) -> str:
    """The plan itself, for one that was set by hand and not asked of the planner."""
    lines = ["PruningPlan(", "    {", *_entries(plan.sparsities, "        "), "    },"]
    if plan.locked:
        names = [f"            {name!r}," for name in sorted(plan.locked)]
        lines += ["    locked=frozenset(", "        {", *names, "        }", "    ),"]
    lines.append(f"    target={plan.target!r},")
    lines.append(f"    balance={plan.balance!r},")
    lines += ["    weight_names={", *_entries(plan.weight_names, "        "), "    },"]
    return "\n".join([*lines, ")"])


def _entries(mapping: Mapping[str, object], indent: str) -> list[str]:
    # repr quotes whatever a name holds; names come from the model and may hold anything.
    return [f"{indent}{key!r}: {value!r}," for key, value in mapping.items()]
