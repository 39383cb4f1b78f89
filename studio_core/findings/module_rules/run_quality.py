"""How far the numbers of a run can be believed, and the ops that came out wrong."""

from __future__ import annotations

from collections.abc import Iterator

from studio_core.explorer.exploration import Exploration
from studio_core.explorer.running import ExecutedRun
from studio_core.finding import Finding
from studio_core.findings.gathering import gathered, listed
from studio_core.graphs.overlays import ACCURACY_DATA
from studio_core.quantities import percent

_MOST_UNATTRIBUTED = 0.3
"""Of the time of a run that is no op's own."""


def run_quality(exploration: Exploration) -> Iterator[Finding]:
    run = exploration.executed
    if run is None:
        return
    yield from gathered(_inaccurate(run))
    if run.result.generated:
        yield Finding(
            "random inputs",
            "note",
            "Accuracies are those of random inputs.",
            f"Generated: {listed(run.result.generated_inputs)}.",
            "Run it with inputs of your own.",
        )
    total, rest = run.result.total_ns, run.result.unattributed_ns
    if total and rest is not None and rest > _MOST_UNATTRIBUTED * total:
        yield Finding(
            "time of no op",
            "note",
            "The times of the ops do not tell the whole.",
            f"{percent(rest / total)} of the run's {total / 1e6:.3g} ms is between the ops: the "
            "runtime's own work, or other programs.",
            "Compare ops with each other, not with the whole; run it while nothing else runs.",
        )


def _inaccurate(run: ExecutedRun) -> Iterator[Finding]:
    overlay = run.graph.overlays.get(ACCURACY_DATA)
    values = {} if overlay is None else overlay.values
    low = {n: v for n, v in values.items() if isinstance(v, float) and v < 0}
    for node_id in sorted(low, key=lambda n: (low[n], n)):
        node = run.graph.by_id.get(node_id)
        yield Finding(
            "inaccurate op",
            "warning",
            f"{node.label if node else node_id} is less accurate than expected.",
            f"Its correlation with full precision is {abs(low[node_id]):.3g} below the expected "
            "one.",
            "Give it a data type with more bits.",
            subject=node_id,
        )
