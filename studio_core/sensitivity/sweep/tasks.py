"""Work of a sweep in other processes: what is sent there, and the function that is run there.

The function is module-level, in a module that any process can import, so that what it
prepares (model, data, sessions) stays with the process for its next tasks.
"""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.conditions import measured_versions
from studio_core.evaluation.data import Samples
from studio_core.evaluation.metrics import LossMetric, PerSample
from studio_core.layers import find_layers
from studio_core.limits import DEFAULT_LIMITS, Limits
from studio_core.models import external_data
from studio_core.models.model import open_model
from studio_core.sensitivity.sweep.pattern import Pattern
from studio_core.sensitivity.sweep.prepared import (
    Found,
    PreparedSweep,
    Task,
    find_units,
    whole_batches,
)

_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class SweepOrder:
    """All that a process needs to prepare a sweep, without the data; ``key`` is its identity.

    The model is named by its path, which the process must see, and checked by its hash.
    """

    key: str
    model_path: str
    model_sha256: str
    dimensions: tuple[tuple[str, int], ...]
    metric: LossMetric
    pattern: Pattern
    batch_size: int
    versions: tuple[tuple[str, str], ...]
    limits: Limits = DEFAULT_LIMITS


@dataclass(frozen=True, eq=False)
class TaskResult:
    """The points of a task, and the baseline of its batches (one value a sample) by number."""

    found: tuple[Found, ...]
    baselines: dict[int, PerSample]


def run_task(
    order: SweepOrder,
    samples: Samples | str,
    task: Task,
    is_stopped: Callable[[], bool] | None = None,
) -> TaskResult:
    """Measure the points of ``task``; ``samples`` are the data, or the file that holds them.

    Where ``is_stopped`` says so, it ends early with what it has.
    """
    sweep = _prepared(order, samples)
    found = []
    look_at = time.monotonic()
    for job in sweep.jobs(task):
        if is_stopped is not None and time.monotonic() >= look_at:
            if is_stopped():
                break
            look_at = time.monotonic() + _LOOK_SECONDS
        found.append(job())
    baselines = {i: sweep.baseline(i) for i in range(task.first, task.end)}
    return TaskResult(tuple(found), baselines)


def save_samples(samples: Samples, path: Path) -> None:
    """Write ``samples`` for processes of this user on this machine (and for nobody else)."""
    path.write_bytes(pickle.dumps(samples, pickle.HIGHEST_PROTOCOL))


_kept: tuple[str, PreparedSweep] | None = None
_keeping = threading.Lock()


def _prepared(order: SweepOrder, samples: Samples | str) -> PreparedSweep:
    """The sweep of ``order``; the last one is kept, for there is one at a time."""
    global _kept
    with _keeping:
        if _kept is None or _kept[0] != order.key:
            _kept = None  # its memory is needed now
            _kept = order.key, _prepare(order, samples)
        return _kept[1]


def _prepare(order: SweepOrder, samples: Samples | str) -> PreparedSweep:
    own = tuple(measured_versions().items())
    if own != order.versions:
        raise InvalidRequestError(
            f"A worker has other versions ({_in_words(own)}) than the sweep "
            f"({_in_words(order.versions)}), whose numbers may differ. Install the same."
        )
    path = Path(order.model_path)
    if not external_data.exists(path):
        raise InvalidRequestError(
            f"A worker does not see the model at {path}. Put it where all workers find it under "
            "the same path."
        )
    model = open_model(path, dimensions=dict(order.dimensions), limits=order.limits)
    if model.sha256() != order.model_sha256:
        raise InvalidRequestError(f"A worker sees another model than this one at {path}.")
    if isinstance(samples, str):
        loaded: Samples = pickle.loads(Path(samples).read_bytes())
        samples = loaded
    units, _ = find_units(model, find_layers(model), order.pattern)
    batches = whole_batches(model, samples, order.batch_size)
    return PreparedSweep(model, units, batches, order.metric, order.pattern)


def _in_words(versions: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions)
