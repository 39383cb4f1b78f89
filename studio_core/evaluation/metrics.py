"""How far a pruned model's outputs are from the dense ones, or from the labels.

A `LossMetric` gives one value a sample, so that a mean and its standard error follow. The
names are those that REST, the command line and the widgets use; a callable of the same
form serves too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studio_core.errors import InvalidRequestError

Outputs = Sequence[NDArray[np.generic]]
"""The model's outputs in their order; the first dimension of each is the batch."""

PerSample = NDArray[np.float64]


@dataclass(frozen=True)
class LossMetric:
    """A metric by name. ``compare(outputs, reference)`` answers one value a sample.

    ``reference`` is the dense model's outputs, or the labels where ``needs_labels``.
    """

    name: str
    label: str
    higher_is_better: bool
    needs_labels: bool
    description: str
    compare: Callable[[Outputs, Outputs], PerSample]

    def degradation(self, value: PerSample, baseline: PerSample) -> PerSample:
        """How much worse ``value`` is than ``baseline``; positive is worse."""
        worse = baseline - value if self.higher_is_better else value - baseline
        return np.asarray(worse)


def _rows(array: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.asarray(array, np.float64).reshape(array.shape[0], -1)


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def _softmax_kl(outputs: Outputs, reference: Outputs) -> PerSample:
    dense = _log_softmax(np.asarray(reference[0], np.float64))
    pruned = _log_softmax(np.asarray(outputs[0], np.float64))
    divergence = (np.exp(dense) * (dense - pruned)).sum(axis=-1)
    per_sample = divergence.reshape(divergence.shape[0], -1).mean(axis=1)
    return np.asarray(np.maximum(per_sample, 0.0))


def _relative_l2(outputs: Outputs, reference: Outputs) -> PerSample:
    error = power = np.zeros(reference[0].shape[0])
    for out, dense in zip(outputs, reference, strict=True):
        error = error + np.square(_rows(out) - _rows(dense)).sum(axis=1)
        power = power + np.square(_rows(dense)).sum(axis=1)
    return np.asarray(np.sqrt(error / np.where(power > 0, power, 1.0)))


def _cosine(outputs: Outputs, reference: Outputs) -> PerSample:
    a = np.concatenate([_rows(o) for o in outputs], axis=1)
    b = np.concatenate([_rows(r) for r in reference], axis=1)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray(1.0 - (a * b).sum(axis=1) / np.where(norms > 0, norms, 1.0))


def _cross_entropy(outputs: Outputs, labels: Outputs) -> PerSample:
    picked = np.asarray(labels[0], np.int64).reshape(-1, 1)
    likelihood = np.take_along_axis(_log_softmax(_rows(outputs[0])), picked, axis=1)
    return np.asarray(-likelihood[:, 0])


def _accuracy(outputs: Outputs, labels: Outputs) -> PerSample:
    predicted = _rows(outputs[0]).argmax(axis=1)
    correct = predicted == np.asarray(labels[0]).reshape(-1)
    return np.asarray(correct, np.float64)


METRICS: Mapping[str, LossMetric] = {
    metric.name: metric
    for metric in (
        LossMetric(
            "softmax_kl",
            "KL divergence of the softmax",
            False,
            False,
            "KL(dense ‖ pruned) of the class probabilities, in nats; for classifier logits.",
            _softmax_kl,
        ),
        LossMetric(
            "relative_l2",
            "relative L2 error",
            False,
            False,
            "‖pruned − dense‖ / ‖dense‖ over all outputs; for any model.",
            _relative_l2,
        ),
        LossMetric(
            "cosine",
            "cosine distance",
            False,
            False,
            "1 − cosine of the angle between pruned and dense outputs; for embeddings.",
            _cosine,
        ),
        LossMetric(
            "cross_entropy",
            "cross-entropy",
            False,
            True,
            "−log probability of the true class, in nats; needs labels.",
            _cross_entropy,
        ),
        LossMetric(
            "accuracy",
            "accuracy",
            True,
            True,
            "Share of samples whose highest logit is the true class; needs labels.",
            _accuracy,
        ),
    )
}


def metric_named(name: str) -> LossMetric:
    """The metric called ``name``; raises `InvalidRequestError` with the names there are."""
    if name not in METRICS:
        raise InvalidRequestError(f"No metric named '{name}'. There are: {', '.join(METRICS)}.")
    return METRICS[name]
