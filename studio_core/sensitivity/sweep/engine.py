"""What can time layers: the small interface between a performance sweep and a runtime.

An `Engine` loads a model, a `LoadedModel` is run through `Probe`s, and a probe answers the
times of its runs by layer. onnxruntime's is in `profile.py`; another runtime needs these
three classes and nothing else (OpenVINO, for example, counts by node as well).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.runtime import Array, Feed
from studio_core.layers.layer import Layer
from studio_core.models.model import Model
from studio_core.sensitivity.analysis import FloatArray

_TURN = 3


@dataclass(frozen=True, eq=False)
class RunTimes:
    """Times of consecutive runs in milliseconds; each array has the shape [num_runs].

    ``total_ms`` is the wall time of a whole run, ``layers_ms`` the time of each layer's
    kernel with what the engine fused into it, ``others_ms`` (by operator) that of kernels
    that are no layer's.
    """

    total_ms: FloatArray
    layers_ms: Mapping[str, FloatArray]
    others_ms: Mapping[str, FloatArray]

    @property
    def num_runs(self) -> int:
        return int(self.total_ms.size)

    @property
    def between_ms(self) -> FloatArray:
        """What is left of each run: the engine's own work between kernels."""
        kernels = [*self.layers_ms.values(), *self.others_ms.values()]
        return self.total_ms - np.sum(kernels, axis=0) if kernels else self.total_ms

    def part(self, runs: NDArray[np.intp]) -> RunTimes:
        """The times of the runs with these numbers."""
        return RunTimes(
            self.total_ms[runs],
            {name: times[runs] for name, times in self.layers_ms.items()},
            {name: times[runs] for name, times in self.others_ms.items()},
        )


class Probe(Protocol):
    """Runs a model on one batch; `finish`, called once, ends it."""

    def run(self) -> None: ...
    def finish(self) -> RunTimes: ...


class LoadedModel(Protocol):
    """A model as an engine runs it. ``unattributed`` says, by layer id, whose time is unknown."""

    @property
    def unattributed(self) -> Mapping[str, str]: ...
    def probe(self, feed: Feed) -> Probe: ...
    def replaced(self, weights: Mapping[str, Array]) -> LoadedModel:
        """The same model with other values (of the same shapes) for weights, by name."""
        ...


class Engine(Protocol):
    """A runtime on this machine. ``num_threads`` is how many it computes with."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def num_threads(self) -> int: ...
    def load(self, model: Model, layers: Sequence[Layer]) -> LoadedModel: ...


def take_turns(probes: Sequence[Probe], warmup: int, iterations: int) -> list[RunTimes]:
    """Run the probes in turns; the times of ``iterations`` runs of each, warm-up left out.

    In turns of `_TURN` runs, and in the reverse order every other time, so that whatever
    else the machine does hits all of them: run i of one may be compared with run i of
    another. A run in front of each turn does not count, because it finds the caches full
    of another probe's weights.
    """
    if warmup < 0 or iterations < 1:
        raise InvalidRequestError("Give at least one iteration, and no negative warm-up.")
    for probe in probes:
        _run(probe, warmup)
    settle = 1 if len(probes) > 1 else 0
    counted: list[int] = []
    start = warmup
    for turn, first in enumerate(range(0, iterations, _TURN)):
        num = min(_TURN, iterations - first)
        for probe in probes if turn % 2 == 0 else probes[::-1]:
            _run(probe, settle + num)
        counted.extend(range(start + settle, start + settle + num))
        start += settle + num
    found = [probe.finish() for probe in probes]
    num_runs = min(times.num_runs for times in found)
    runs = np.array([i for i in counted if i < num_runs], np.intp)
    if not runs.size:
        raise InvalidRequestError("The profile holds too few whole runs; ask for fewer iterations.")
    return [times.part(runs) for times in found]


def _run(probe: Probe, times: int) -> None:
    for _ in range(times):
        probe.run()
