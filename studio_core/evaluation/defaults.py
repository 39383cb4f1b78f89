"""What is measured with if nobody says: a metric that fits the model's outputs."""

from __future__ import annotations

from studio_core.evaluation.data import Samples
from studio_core.evaluation.metrics import LossMetric, metric_named
from studio_core.models.model import Model


def default_metric(model: Model, samples: Samples) -> LossMetric:
    """Cross-entropy for labelled class scores, KL of the softmax for unlabelled ones, and the
    relative L2 error for any other output."""
    if not _looks_like_logits(model):
        return metric_named("relative_l2")
    return metric_named("softmax_kl" if samples.labels is None else "cross_entropy")


def _looks_like_logits(model: Model) -> bool:
    """One floating-point output of shape [batch, classes], and no softmax in front of it."""
    if len(model.outputs) != 1:
        return False
    (output,) = model.outputs
    node = model.main.producer(output.name)
    is_matrix = output.shape is not None and len(output.shape) == 2
    return (
        is_matrix
        and output.dtype.startswith("float")
        and (node is None or node.op_type not in ("Softmax", "Sigmoid", "LogSoftmax"))
    )
