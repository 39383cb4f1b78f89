"""What findings were looked for in, in a sentence: nothing noticed means nothing noticed there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studio_core.explorer.exploration import Exploration
from studio_core.plans import PruningPlan
from studio_core.sensitivity import Analysis, Source
from studio_core.session import Session


def looked_at_in_model(
    session: Session,
    plan: PruningPlan | None = None,
    loss: Analysis | None = None,
    perf: Analysis | None = None,
    verifications: Sequence[Any] = (),
) -> str:
    """What `model_findings` looks at when it is given the same."""
    things = [f"the weights of {_number(len(session.layers), 'layer')}"]
    if plan is not None:
        things.append("the plan")
    for analysis, what in ((loss, "losses"), (perf, "times")):
        if analysis is not None and analysis.source is not Source.ESTIMATED:
            things.append(f"the {analysis.source} {what}")
    if verifications:
        things.append(_number(len(verifications), "run of the plan", "runs of the plan"))
    return _sentence(things)


def looked_at_in_module(exploration: Exploration) -> str:
    """What `module_findings` looks at."""
    things = [_number(len(exploration.opened.graph.nodes), "operation")]
    if exploration.opened.module is not None:
        things[0] = f"the memory of {things[0]}"
    if len(exploration.overrides):
        things.append(_number(len(exploration.overrides), "override"))
    if exploration.executed is not None:
        things.append("the last run")
    return _sentence(things)


def _number(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def _sentence(things: Sequence[str]) -> str:
    *first, last = things
    return f"Looked at: {', '.join(first)}{' and ' if first else ''}{last}."
