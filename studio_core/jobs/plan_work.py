"""The work of jobs on plans: verified, applied, or found by running, in the worker's process.

As analysis_work.py it reaches up to the workbench, and only when it is called.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from studio_core.errors import InvalidRequestError

if TYPE_CHECKING:
    from studio_core.jobs.order import Order, Step

PLAN, VERIFY, APPLY = "plan", "verify", "apply"
PLAN_KINDS = (PLAN, VERIFY, APPLY)
"""Kinds of job whose name is that of a plan: it is searched for, verified, applied."""


def run(order: Order, /) -> Iterable[Step]:
    """Do what ``order`` says to the plan it names; the result is kept with the plan."""
    from studio_core.plan_runs.request import PlanRequest, read_verify
    from studio_core.workbench import Workbench

    plans = Workbench(order.project_root, order.model_roots, limits=order.limits).plans
    options = {key: value for key, value in order.options.items() if key != "resume"}
    if order.kind == PLAN:
        wanted = PlanRequest.from_document({**options, "name": order.name})
        return plans.search_iter(order.project_id, wanted)
    version = options.get("version")
    if order.kind == VERIFY:
        return plans.verify_iter(order.project_id, order.name, read_verify(options), version)
    if order.kind == APPLY:
        return plans.apply_iter(order.project_id, order.name, version)
    raise InvalidRequestError(f"There is no job of kind '{order.kind}'.")
