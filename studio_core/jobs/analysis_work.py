"""The work of an analysis job: a run of the workbench, in the worker's process.

The one place from which this room reaches up to the workbench, and only when it is called:
the worker is a door of its own, as the command line is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from studio_core.analysis_runs import RunOptions
    from studio_core.jobs.order import Order, Step

ANALYSIS_WORK = f"{__name__}:run"


def run(order: Order, /) -> Iterable[Step]:
    """Run the analysis that ``order`` names; it is saved while it runs."""
    from studio_core.workbench import Workbench

    workbench = Workbench(order.project_root, order.model_roots, limits=order.limits)
    options = run_options(order.options)
    return workbench.run_analysis_iter(order.project_id, order.kind, order.name, options)


def run_options(given: Mapping[str, Any]) -> RunOptions:
    """The options of a request, in its own keys and checked there, as the core's record."""
    from studio_core.analysis_runs import RunOptions
    from studio_core.sensitivity import Source

    return RunOptions(
        source=Source(given.get("source") or Source.MEASURED),
        levels=given.get("sparsityLevels"),
        samples=given.get("samples"),
        data=given.get("data"),
        metric=given.get("metric"),
        batch_size=given.get("batchSize"),
        iterations=given.get("iterations"),
        warmup=given.get("warmup"),
        num_threads=given.get("numThreads"),
        granularity=given.get("granularity"),
        passes=given.get("passes"),
        stop_error=given.get("stopError"),
        workers=given.get("workers"),
        scheduler=given.get("scheduler"),
        resume=bool(given.get("resume")),
    )
