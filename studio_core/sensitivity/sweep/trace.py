"""onnxruntime's profile (a Chrome trace) as times by node and run.

The file holds one event a line, in the order in which they ended: ``model_run`` for each
run, ``<node name>_kernel_time`` for each kernel; times in whole microseconds. The kernels of
a subgraph lie within that of its node, so that a node's own time is what is left of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from studio_core.sensitivity.analysis import FloatArray

RESOLUTION_MS = 0.001
"""onnxruntime writes whole microseconds."""

_KERNEL = "_kernel_time"


def read_trace(path: Path) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Milliseconds of each run [num_runs], and of each kernel by node name, summed per run."""
    runs: list[tuple[int, int]] = []
    kernels: list[tuple[str, int, int]] = []
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            event = _event(line)
            if event is None:
                continue
            name = event["name"]
            if event["cat"] == "Node" and name.endswith(_KERNEL):
                kernels.append((name.removesuffix(_KERNEL), int(event["ts"]), int(event["dur"])))
            elif name == "model_run":
                runs.append((int(event["ts"]), int(event["dur"])))
    runs.sort()
    starts = np.array([ts for ts, _ in runs], np.int64)
    times: dict[str, FloatArray] = {}
    for name, ts, dur in kernels:
        run = int(np.searchsorted(starts, ts, "right")) - 1
        # A trace that became too long ends in the middle of a run, which has no event then.
        if run >= 0 and ts <= sum(runs[run]):
            times.setdefault(name, np.zeros(len(runs)))[run] += dur / 1000.0
    return np.array([dur / 1000.0 for _, dur in runs], np.float64), times


def _event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line.strip().rstrip(","))
    except ValueError:  # the brackets around the list
        return None
    return event if isinstance(event, dict) and {"cat", "name", "ts", "dur"} <= set(event) else None


def own_times(
    times: Mapping[str, FloatArray], parents: Mapping[str, str | None]
) -> dict[str, FloatArray]:
    """``times`` by place without what is spent in nested kernels."""
    own = {place: array.copy() for place, array in times.items()}
    for place, array in times.items():
        parent = parents.get(place)
        if parent is not None and parent in own:
            own[parent] -= array
    return own
