"""A model in a few numbers: what the summary cards and the command line show first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio_core.layers.layer import Layer
from studio_core.models.model import Model, ValueInfo


@dataclass(frozen=True)
class ModelSummary:
    """A model in numbers. ``num_bytes`` are those of all constants, ``file_bytes`` those on disk.

    ``num_params`` counts what training sets: neither scalar constants nor the running
    statistics of batch norms.
    ``macs`` sums the layers whose MACs are known, for one sample; None if none is, and
    ``num_macs_unknown`` counts those that are missing in the sum.
    ``sparsity`` is the fraction of zeros in the prunable weights; None without any.
    """

    name: str
    num_params: int
    num_bytes: int
    file_bytes: int
    macs: int | None
    num_macs_unknown: int
    sparsity: float | None
    num_layers: int
    num_prunable: int
    num_nodes: int
    opset: str
    inputs: tuple[ValueInfo, ...]
    outputs: tuple[ValueInfo, ...]
    notes: tuple[str, ...] = ()


def summarize(model: Model, layers: Sequence[Layer]) -> ModelSummary:
    """The summary of ``model``; reads the prunable weights once, to count their zeros."""
    unique = {t.key: t for t in model.tensors()}
    weights, statistics = _weight_names(layers), _running_statistics(model)
    parameters = [
        t
        for t in unique.values()
        if t.name in weights or (t.is_float and t.shape and t.name not in statistics)
    ]
    prunable = {x.weight.key: x for x in layers if x.is_prunable and x.weight is not None}
    num_weights = sum(layer.weight_size for layer in prunable.values())
    num_zeros = sum(layer.num_zeros or 0 for layer in prunable.values())
    known = [layer.macs for layer in layers if layer.macs is not None]
    unknown = sum(x.macs is None and bool(x.macs_unknown_because) for x in layers)
    return ModelSummary(
        name=model.name,
        num_params=sum(t.size for t in parameters),
        num_bytes=sum(t.num_bytes for t in unique.values()),
        file_bytes=sum(p.stat().st_size for p in (model.path, *model.data_files)),
        macs=sum(known) if known else None,
        num_macs_unknown=unknown,
        sparsity=num_zeros / num_weights if num_weights else None,
        num_layers=len(layers),
        num_prunable=sum(layer.is_prunable for layer in layers),
        num_nodes=sum(len(scope.nodes) for scope in model.scopes),
        opset=", ".join(f"{domain} {version}" for domain, version in model.opsets.items()),
        inputs=model.inputs,
        outputs=model.outputs,
        notes=model.notes,
    )


def _weight_names(layers: Sequence[Layer]) -> set[str]:
    return {layer.weight.name for layer in layers if layer.weight is not None}


def _running_statistics(model: Model) -> set[str]:
    """Names of the means and variances that batch norms keep; they are not trained."""
    return {
        name
        for node in model.nodes()
        if node.op_type == "BatchNormalization"
        for name in node.inputs[3:5]
    }
