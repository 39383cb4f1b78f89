"""The work of any job of a project, by its kind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from studio_core.jobs import analysis_work, plan_work

if TYPE_CHECKING:
    from studio_core.jobs.order import Order, Step

PROJECT_WORK = f"{__name__}:run"


def run(order: Order, /) -> Iterable[Step]:
    """Run the analysis, or do to the plan, what ``order`` says."""
    work = plan_work.run if order.kind in plan_work.PLAN_KINDS else analysis_work.run
    return work(order)
