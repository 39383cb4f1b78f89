"""Where onnxruntime's time goes, and what pruning does to it.

`python benchmarks/runtime_performance.py [model …]`. For each model, on one thread: how the
profile adds up to the run and what profiling costs; the rate of each kind of layer; how many
differences are named between a model and itself (false ones); then, level by level, the
share of FLOPs and the share of time that is left over all layers, for single weights set to
zero (nothing is won) and for channels really removed. Medians; generated models have random
weights. Nothing here is asserted: times are for people.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from studio_core.evaluation.conditions import cpu_name
from studio_core.evaluation.data import generate_samples
from studio_core.evaluation.runtime import RuntimeModel
from studio_core.layers import Layer, find_layers
from studio_core.models.model import Model, open_model
from studio_core.pruning.masks import Granularity
from studio_core.samples import generate_model, sample_names, sample_path
from studio_core.sensitivity.sweep.engine import take_turns
from studio_core.sensitivity.sweep.perf_sweep import PerfMeasurement, PerfSettings, PerfSweep
from studio_core.sensitivity.sweep.profile import (
    OnnxRuntimeEngine,
    RuntimeProfile,
    profile_model,
)
from studio_core.sensitivity.sweep.timing import Verdict, compare

CACHE = Path(tempfile.gettempdir()) / "studio-benchmark-models"
LEVELS = (0.25, 0.5, 0.75, 0.9, 0.99)


def model(name: str) -> Model:
    """A bundled model, or a generated one, written when it is first asked for."""
    if name in sample_names():
        return open_model(sample_path(name))
    CACHE.mkdir(exist_ok=True)
    path = CACHE / f"{name}.onnx"
    if not path.exists():
        building = path.with_suffix(".building")
        generate_model(name, building)
        building.rename(path)
    return open_model(path)


def plain_ms(opened: Model, iterations: int) -> float:
    """Median time of a run of the session that anyone would make, without a profile."""
    session = RuntimeModel(opened.path).session()
    feed = dict(generate_samples(opened, opened.batch).inputs)
    times = []
    for _ in range(iterations + 5):
        start = time.perf_counter()
        session.run(None, feed)
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times[5:])


def print_profile(opened: Model, layers: Sequence[Layer], iterations: int) -> None:
    before = plain_ms(opened, iterations)
    profile = profile_model(opened, layers, iterations=iterations)
    after = plain_ms(opened, iterations)
    print(
        f"  run without profile {min(before, after):.2f} to {max(before, after):.2f} ms, "
        f"with it {profile.total_ms:.2f} ms\n"
        f"  = {len(profile.layers)} layers {profile.layers_ms:.2f} + other kernels "
        f"{profile.other_kernels_ms:.2f} + between kernels "
        f"{profile.between_kernels.median_ms:.2f} + disturbance {profile.disturbance_ms:.2f} ms"
    )
    for layer_id, reason in profile.unattributed.items():
        print(f"  not timed: {layer_id}. {reason}")
    print("  " + "; ".join(rates(profile, layers)))


def rates(profile: RuntimeProfile, layers: Sequence[Layer]) -> list[str]:
    """GFLOP/s by kind of layer: all its FLOPs over all its time."""
    work, spent = defaultdict[str, float](float), defaultdict[str, float](float)
    for layer in layers:
        if layer.id in profile.layers and layer.macs is not None:
            kind = layer.op_type + (f" {layer.status.label}" if layer.group > 1 else "")
            work[kind] += 2.0 * layer.macs
            spent[kind] += profile.layers[layer.id].median_ms
    return [f"{kind} {work[kind] / spent[kind] / 1e6:.0f} GFLOP/s" for kind in work]


def print_null(opened: Model, layers: Sequence[Layer], iterations: int) -> None:
    """The model in turns with itself, as a sweep does it with the pruned one."""
    loaded = OnnxRuntimeEngine().load(opened, layers)
    feed = dict(generate_samples(opened, opened.batch).inputs)
    one, other = take_turns([loaded.probe(feed), loaded.probe(feed)], 5, iterations)
    found = [compare(other.layers_ms[i], times) for i, times in one.layers_ms.items()]
    named = sum(c.verdict is not Verdict.SAME for c in found)
    typical = statistics.median(abs(c.gain or 0.0) for c in found)
    print(
        f"  against itself: {named} of {len(found)} layers named different; "
        f"median difference {typical:.1%}"
    )


def print_sweep(opened: Model, layers: Sequence[Layer], kind: Granularity, iterations: int) -> None:
    start = time.perf_counter()
    sweep = PerfSweep(opened, layers, PerfSettings(kind, LEVELS, iterations=iterations))
    found: dict[float, list[PerfMeasurement]] = defaultdict(list)
    for measurement in sweep:
        found[measurement.sparsity].append(measurement)
    by_id = {layer.id: layer for layer in layers}
    print(f"  {kind}: {time.perf_counter() - start:.1f} s, {len(sweep.skipped)} layers left out")
    for level, measured in sorted(found.items()):
        dense = sum(m.comparison.baseline.median_ms for m in measured)
        left = sum(m.comparison.timing.median_ms for m in measured)
        flops = sum(sweep.flops(by_id[m.layer_id], level) for m in measured)
        whole = sum(2.0 * (by_id[m.layer_id].macs or np.nan) for m in measured)
        verdicts = [m.comparison.verdict for m in measured]
        counts = ", ".join(f"{verdicts.count(v)} {v}" for v in Verdict if v in verdicts)
        print(f"    {level:>6.1%}: FLOPs {flops / whole:.3f}, time {left / dense:.3f} ({counts})")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "models", nargs="*", default=["digits_cnn", "mobilenet_v2", "resnet50", "bert_base"]
    )
    parser.add_argument("--iterations", type=int, default=15)
    given = parser.parse_args()
    print(f"{cpu_name()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, 1 thread")
    for name in given.models:
        opened = model(name)
        layers = [layer for layer in find_layers(opened) if layer.is_prunable]
        print(name)
        print_profile(opened, layers, given.iterations)
        print_null(opened, layers, given.iterations)
        for kind in (Granularity.ELEMENT, Granularity.CHANNEL):
            print_sweep(opened, layers, kind, given.iterations)


if __name__ == "__main__":
    main()
