"""The measured loss sweep beside the plain one: ``python benchmarks/sweep.py [model …]``.

The plain sweep is what SparseML's one-shot loss analysis does, written anew: for each layer
and level the whole model with the pruned weight, a new session, the samples run through.
It is run on every k-th layer only (``--every``) and scaled to all of them; on those layers
every number of the two is compared. Both run on the same samples, in one process, in turns.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
import onnx
import onnxruntime as ort
from run import model as generated

from studio_core.evaluation.data import Samples, generate_samples
from studio_core.evaluation.metrics import metric_named
from studio_core.layers import find_layers
from studio_core.layers.layer import Layer
from studio_core.models.model import Model, open_model
from studio_core.pruning.masks import element_mask
from studio_core.samples import sample_names, sample_path
from studio_core.sensitivity.sweep.loss_sweep import DEFAULT_LOSS_LEVELS, LossSweep, SweepSettings

METRIC = metric_named("relative_l2")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=["mobilenet_v2", "resnet50"])
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--every", type=int, default=9, help="plain sweep: every k-th layer")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {options.samples} samples")
    for name in options.models:
        path = sample_path(name) if name in sample_names() else generated(name)
        compare(name, open_model(path), options.samples, options.every)


def compare(name: str, model: Model, num_samples: int, every: int) -> None:
    layers = [layer for layer in find_layers(model) if layer.is_prunable]
    samples = generate_samples(model, num_samples)
    picked = layers[::every]

    start = time.perf_counter()
    sweep = LossSweep(model, layers, samples, METRIC, SweepSettings())
    found, ranked = {}, 0.0
    for measurement in sweep:
        found[measurement.layer_id, measurement.sparsity] = measurement.value
        if len(found) == len(layers):
            ranked = time.perf_counter() - start
    ours = time.perf_counter() - start

    start = time.perf_counter()
    plain = plain_sweep(model, picked, samples, sweep.batch_size)
    theirs = (time.perf_counter() - start) * len(layers) / len(picked)
    equal = sum(found[key] == value for key, value in plain.items())
    print(
        f"{name}: {len(layers)} layers x {len(DEFAULT_LOSS_LEVELS)} levels: Studio {ours:.1f} s "
        f"(first ranking of all layers {ranked:.1f} s), plain {theirs:.0f} s "
        f"(from {len(picked)} layers), {theirs / ours:.1f} times; "
        f"{equal} of {len(plain)} numbers equal to the last bit"
    )


def plain_sweep(
    model: Model, layers: list[Layer], samples: Samples, batch_size: int
) -> dict[tuple[str, float], float]:
    proto = onnx.load(str(model.path))
    tensors = {t.name: t for t in proto.graph.initializer}
    feeds = [feed for feed, _ in samples.batches(batch_size)]
    dense = outputs(proto, feeds)
    values = {}
    for layer in layers:
        tensor = tensors[layer.name]
        kept = onnx.TensorProto()
        kept.CopyFrom(tensor)
        weight = onnx.numpy_helper.to_array(kept)
        for level in DEFAULT_LOSS_LEVELS:
            mask = element_mask(np.abs(weight).reshape(-1), level).reshape(weight.shape)
            tensor.CopyFrom(onnx.numpy_helper.from_array(weight * mask, layer.name))
            pairs = zip(outputs(proto, feeds), dense, strict=True)
            losses = np.concatenate([METRIC.compare(out, ref) for out, ref in pairs])
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
