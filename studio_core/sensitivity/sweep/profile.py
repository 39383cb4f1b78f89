"""The time of each layer on onnxruntime: `profile_model`.

What is profiled is the very graph that onnxruntime optimised (saved once, run without
further optimisation), its nodes renamed by their place, because the names that
onnxruntime gives are not unique. A fused node's time is that of the layer in it. Times
of layers, of other kernels and between kernels add up to the run.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.conditions import cpu_name, measured_versions
from studio_core.evaluation.data import generate_samples
from studio_core.evaluation.runtime import (
    Array,
    Feed,
    RuntimeModel,
    make_session,
    session_options,
    to_value,
)
from studio_core.layers.layer import Layer
from studio_core.models.model import Model
from studio_core.sensitivity.sweep.attribution import (
    Attribution,
    OptimizedNode,
    attribute,
    nodes_of,
)
from studio_core.sensitivity.sweep.engine import Engine, Probe, RunTimes, take_turns
from studio_core.sensitivity.sweep.optimized import OptimizedModel, optimize
from studio_core.sensitivity.sweep.timing import Timing
from studio_core.sensitivity.sweep.trace import own_times, read_trace

DEFAULT_WARMUP = 5
DEFAULT_ITERATIONS = 30
"""The original Studio's numbers of a performance measurement."""

NOT_RUN = "Its node did not run on this data."


@dataclass(frozen=True)
class OnnxRuntimeEngine:
    """onnxruntime's CPU provider, with a fixed number of threads that do not spin."""

    num_threads: int = 1

    def __post_init__(self) -> None:
        # 0 would let onnxruntime choose, and the record would not say what it was.
        if self.num_threads < 1:
            raise InvalidRequestError("Give the number of threads, at least 1.")

    @property
    def name(self) -> str:
        return "onnxruntime"

    @property
    def version(self) -> str:
        return str(ort.__version__)

    def load(self, model: Model, layers: Sequence[Layer]) -> ProfiledModel:
        """``model`` optimised, with the nodes of ``layers`` found in it."""
        weights = {layer.name: layer for layer in layers if _is_in_main_graph(layer)}
        runtime = RuntimeModel(model.path, list(weights), limits=model.limits)
        optimized = optimize(runtime, {n: _values(layer) for n, layer in weights.items()})
        found = attribute(model, layers, optimized)
        return ProfiledModel(model, tuple(layers), runtime, optimized, found, self.num_threads)


def _is_in_main_graph(layer: Layer) -> bool:
    return layer.weight is not None and not layer.weight.tensor.scope


def _values(layer: Layer) -> Array:
    assert layer.weight is not None
    return layer.weight.tensor.read()


@dataclass(frozen=True, eq=False)
class ProfiledModel:
    """An optimised model of which each layer can be timed."""

    model: Model
    layers: tuple[Layer, ...]
    runtime: RuntimeModel
    optimized: OptimizedModel
    attribution: Attribution
    num_threads: int

    @property
    def unattributed(self) -> Mapping[str, str]:
        return self.attribution.unattributed

    def replaced(self, weights: Mapping[str, Array]) -> ProfiledModel:
        """Optimised anew with other weights, so that onnxruntime may do with them what it can."""
        runtime = copy.copy(self.runtime)
        runtime.values = self.runtime.values | {n: to_value(a) for n, a in weights.items()}
        optimized = optimize(runtime, {})
        # By content pruned weights are harder to tell apart than dense ones, and the graph
        # does not depend on their values.
        found = self.attribution
        if _signature(optimized) != _signature(self.optimized):
            found = attribute(self.model, self.layers, optimized)
        return ProfiledModel(self.model, self.layers, runtime, optimized, found, self.num_threads)

    def probe(self, feed: Feed) -> OnnxRuntimeProbe:
        return OnnxRuntimeProbe(self, feed)

    @cached_property
    def renamed(self) -> tuple[bytes, tuple[OptimizedNode, ...]]:
        """The optimised graph, each node named by its place, and its nodes."""
        proto = onnx.ModelProto()
        proto.CopyFrom(self.optimized.proto)
        nodes = tuple(nodes_of(proto.graph))
        for node in nodes:
            node.proto.name = node.place
        return proto.SerializeToString(), nodes


def _signature(model: OptimizedModel) -> list[tuple[str, ...]]:
    nodes = (node.proto for node in nodes_of(model.proto.graph))
    return [(n.op_type, n.name, *n.input, "->", *n.output) for n in nodes]


class OnnxRuntimeProbe:
    """One session that writes a profile into a folder of its own, removed by `finish`."""

    def __init__(self, loaded: ProfiledModel, feed: Feed) -> None:
        self._loaded = loaded
        self._feed = dict(feed)
        self._folder = tempfile.TemporaryDirectory(prefix="studio-profile-")
        proto, self._nodes = loaded.renamed
        options = session_options(num_threads=loaded.num_threads, optimize=False)
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(self._folder.name) / "run")
        values = loaded.optimized.values
        options.add_external_initializers(list(values), list(values.values()))
        self._session = make_session(proto, options)

    def run(self) -> None:
        self._session.run(None, self._feed)

    def finish(self) -> RunTimes:
        """The times of all runs; the profile is removed."""
        path = Path(self._session.end_profiling())
        total, kernels = read_trace(path)
        self._folder.cleanup()
        own = own_times(kernels, {node.place: node.parent for node in self._nodes})
        layers: dict[str, np.ndarray] = {}
        others: dict[str, np.ndarray] = {}
        for node in self._nodes:
            if node.place not in own:
                continue  # a branch that was not taken
            layer_id = self._loaded.attribution.layers.get(node.place)
            if layer_id is not None:
                layers[layer_id] = own[node.place]
            else:
                name = node.proto.op_type
                others[name] = others.get(name, np.zeros(total.size)) + own[node.place]
        return RunTimes(total, layers, others)


@dataclass(frozen=True, eq=False)
class RuntimeProfile:
    """Where the time of a run goes, medians over ``iterations`` runs of one batch.

    ``layers`` by layer id and ``other_kernels`` by operator; ``between_kernels`` is measured
    run by run and holds some microseconds a kernel that profiling itself costs.
    ``unattributed`` says by layer id why a layer has no time.
    """

    layers: Mapping[str, Timing]
    other_kernels: Mapping[str, Timing]
    between_kernels: Timing
    total: Timing
    unattributed: Mapping[str, str]
    engine: str
    version: str
    num_threads: int
    warmup: int
    iterations: int
    batch_size: int
    cpu: str

    @property
    def total_ms(self) -> float:
        """Wall time of a run."""
        return self.total.median_ms

    @property
    def layers_ms(self) -> float:
        return sum(timing.median_ms for timing in self.layers.values())

    @property
    def unattributed_ms(self) -> float:
        """The run without its layers: other kernels, between kernels, and `disturbance_ms`."""
        return self.total_ms - self.layers_ms

    @property
    def other_kernels_ms(self) -> float:
        return sum(timing.median_ms for timing in self.other_kernels.values())

    @property
    def disturbance_ms(self) -> float:
        """What the median run has more than the medians of its parts.

        Near 0 on a quiet machine (medians of parts do not add up exactly, so it may lie
        below). On a busy one each run is interrupted, each time in another kernel: the
        total has it, the median of no kernel does.
        """
        return self.unattributed_ms - self.other_kernels_ms - self.between_kernels.median_ms


def profile_model(
    model: Model,
    layers: Sequence[Layer],
    feed: Feed | None = None,
    *,
    warmup: int = DEFAULT_WARMUP,
    iterations: int = DEFAULT_ITERATIONS,
    engine: Engine | None = None,
) -> RuntimeProfile:
    """Time each of ``layers`` over ``iterations`` runs on ``feed``, one batch.

    Without a feed it is generated: the kernels of a dense runtime take as long on any data.
    """
    engine = engine or OnnxRuntimeEngine()
    feed = feed or dict(generate_samples(model, model.batch).inputs)
    loaded = engine.load(model, layers)
    probes: list[Probe] = [loaded.probe(feed)]
    (times,) = take_turns(probes, warmup, iterations)
    reasons = {layer.id: NOT_RUN for layer in layers} | dict(loaded.unattributed)
    return RuntimeProfile(
        {name: Timing.of(array) for name, array in times.layers_ms.items()},
        {name: Timing.of(array) for name, array in times.others_ms.items()},
        Timing.of(times.between_ms),
        Timing.of(times.total_ms),
        {i: why for i, why in reasons.items() if i not in times.layers_ms},
        engine.name,
        engine.version,
        engine.num_threads,
        warmup,
        times.num_runs,
        batch_size(feed),
        cpu_name(),
    )


def batch_size(feed: Feed) -> int:
    """Samples in a feed: the first dimension of its inputs."""
    return max((array.shape[0] for array in feed.values() if array.ndim), default=1)


def versions(engine: Engine) -> dict[str, str]:
    """What measured, for the record."""
    others = {name: number for name, number in measured_versions().items() if name != "onnxruntime"}
    return {engine.name: engine.version} | others
