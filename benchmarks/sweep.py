"""The measured loss sweep beside the plain one: ``python benchmarks/sweep.py [model …]``.

The plain sweep is what SparseML's one-shot loss analysis does, written anew: for each layer
and level the whole model with the pruned weight, a new session, the samples run through.
It is run on every k-th layer only (``--every``) and scaled to all of them; on those layers
every number of the two is compared. Both run on the same samples, in one process, in turns.

Processor time over the floor says what the sweep spends beyond arithmetic: the floor is the
time of all dense layers behind each pruned one, by the whole model's own session. The
estimate from data follows, with its rank correlation and its share of the sweep's processor
time. Bundled models run on their held-out data, others on generated data.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from run import model as generated

from studio_core.evaluation.data import Samples, generate_samples, samples_from
from studio_core.evaluation.metrics import LossMetric, metric_named
from studio_core.evaluation.runtime import RuntimeModel
from studio_core.layers import find_layers
from studio_core.layers.layer import Layer
from studio_core.models.model import Model, open_model
from studio_core.pruning.masks import element_mask
from studio_core.samples import sample_data, sample_names, sample_path
from studio_core.sensitivity.sweep.data_aware import (
    DEFAULT_ESTIMATE_SAMPLES,
    DataAwareEstimate,
    EstimateSettings,
)
from studio_core.sensitivity.sweep.loss_sweep import DEFAULT_LOSS_LEVELS, LossSweep, SweepSettings

Points = dict[tuple[str, float], float]
"""Loss by layer id and level."""


@dataclass(frozen=True)
class Case:
    """What both sweeps measure."""

    name: str
    model: Model
    samples: Samples
    metric: LossMetric
    levels: tuple[float, ...]

    @property
    def layers(self) -> list[Layer]:
        return [layer for layer in find_layers(self.model) if layer.is_prunable]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=["mobilenet_v2", "resnet50"])
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument(
        "--every", type=int, default=9, help="plain sweep: every k-th layer; 0 none"
    )
    parser.add_argument("--levels", type=float, nargs="+", default=DEFAULT_LOSS_LEVELS)
    parser.add_argument("--metric", default="relative_l2")
    parser.add_argument("--estimate-samples", type=int, default=DEFAULT_ESTIMATE_SAMPLES)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {options.samples} samples")
    for name in options.models:
        model = open_model(sample_path(name) if name in sample_names() else generated(name))
        samples = data(name, model, options.samples)
        levels = tuple(options.levels)
        case = Case(name, model, samples, metric_named(options.metric), levels)
        compare(case, options.every, options.estimate_samples)


def data(name: str, model: Model, num_samples: int) -> Samples:
    if name not in sample_names():
        return generate_samples(model, num_samples)
    bundled = sample_data(name)
    arrays = {**bundled.inputs, "labels": bundled.labels}
    return samples_from(arrays, model).first(num_samples)


def compare(case: Case, every: int, num_estimated: int) -> None:
    layers = case.layers
    start, cpu_start = time.perf_counter(), time.process_time()
    settings = SweepSettings(case.levels)
    sweep = LossSweep(case.model, layers, case.samples, case.metric, settings)
    found: Points = {}
    ranked = 0.0
    for measurement in sweep:
        found[measurement.layer_id, measurement.sparsity] = measurement.value
        if len(found) == len(layers):
            ranked = time.perf_counter() - start
    ours, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    print(
        f"{case.name}: {len(layers)} layers x {len(case.levels)} levels: Studio {ours:.1f} s "
        f"(first ranking of all layers {ranked:.1f} s, peak {peak_mb():.0f} MB, "
        f"{cpu:.1f} s of processor, {cpu / floor(sweep):.2f} of the floor)"
    )
    estimated(case, found, cpu, num_estimated)
    if every:
        against_plain(case, sweep.batch_size, found, ours, every)


def peak_mb() -> float:
    """Peak memory of this process so far; NaN where the system does not tell."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    found = [line for line in lines if line.startswith("VmHWM")]
    return int(found[0].split()[1]) / 1024 if found else float("nan")


def floor(sweep: LossSweep) -> float:
    """Processor seconds of the arithmetic behind each pruned layer, at all levels."""
    segmented = sweep.prepared.segmented
    session = RuntimeModel(sweep.model.path).session()
    total = 0.0
    for feed, _ in sweep.samples.batches(sweep.batch_size):
        session.run(None, feed)
        start = time.process_time()
        session.run(None, feed)
        whole = time.process_time() - start
        state, times = segmented.begin(feed), []
        for layer in range(len(segmented.layers)):
            start = time.process_time()
            state = segmented.advance(state, layer)
            times.append(time.process_time() - start)
        # Which layers are dear is told by the segments, how dear all are by the whole model.
        suffixes = np.cumsum(times[::-1])
        total += whole * float(suffixes.sum() / suffixes[-1])
    return total * sweep.levels.size


def estimated(case: Case, found: Points, cpu: float, num_samples: int) -> None:
    from scipy.stats import spearmanr

    start = time.process_time()
    settings = EstimateSettings(case.levels, num_samples=num_samples)
    run = DataAwareEstimate(case.model, case.layers, case.samples, case.metric, settings)
    guess = {
        (curve.layer_id, level): loss
        for curve in run
        for level, loss in zip(curve.sparsities.tolist(), curve.losses.tolist(), strict=True)
    }
    share = (time.process_time() - start) / cpu
    rank = spearmanr([guess[key] for key in found], list(found.values()))[0]
    print(
        f"  estimated from {run.samples.num_samples} of {case.samples.num_samples} samples: "
        f"Spearman {rank:.3f}, {100 * share:.1f} % of the sweep's processor time"
    )


def against_plain(case: Case, batch_size: int, found: Points, ours: float, every: int) -> None:
    layers = case.layers
    picked = layers[::every]
    start = time.perf_counter()
    plain = plain_sweep(case, picked, batch_size)
    theirs = (time.perf_counter() - start) * len(layers) / len(picked)
    equal = sum(found[key] == value for key, value in plain.items())
    print(
        f"  plain {theirs:.0f} s (from {len(picked)} layers), {theirs / ours:.1f} times; "
        f"{equal} of {len(plain)} numbers equal to the last bit"
    )


def plain_sweep(case: Case, layers: Sequence[Layer], batch_size: int) -> Points:
    proto = onnx.load(str(case.model.path))
    tensors = {t.name: t for t in proto.graph.initializer}
    feeds = [feed for feed, _ in case.samples.batches(batch_size)]
    dense = outputs(proto, feeds)
    values: Points = {}
    for layer in layers:
        tensor = tensors[layer.name]
        kept = onnx.TensorProto()
        kept.CopyFrom(tensor)
        weight = onnx.numpy_helper.to_array(kept)
        for level in case.levels:
            mask = element_mask(np.abs(weight).reshape(-1), level).reshape(weight.shape)
            tensor.CopyFrom(onnx.numpy_helper.from_array(weight * mask, layer.name))
            pairs = zip(outputs(proto, feeds), dense, strict=True)
            losses = np.concatenate([case.metric.compare(out, ref) for out, ref in pairs])
            values[layer.id, level] = float(losses.mean())
        tensor.CopyFrom(kept)
    return values


def outputs(proto: onnx.ModelProto, feeds: list[dict[str, np.ndarray]]) -> list[list[np.ndarray]]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    options.log_severity_level = 4
    session = ort.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return [session.run(None, feed) for feed in feeds]


if __name__ == "__main__":
    main()
