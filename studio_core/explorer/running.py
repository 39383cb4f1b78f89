"""A run of an opened graph on this machine's CPU, and the graph as it was executed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from studio_core.execution.cpu import run_module, run_onnx
from studio_core.execution.records import (
    EXPECTED_PCC,
    Array,
    OpKey,
    RunResult,
    RunSettings,
    RunStep,
    by_node,
)
from studio_core.execution.sessions import Cancellation
from studio_core.explorer.opened import OpenedGraph
from studio_core.graphs.from_onnx import SPARSITY_KEY
from studio_core.graphs.overlays import (
    ACCURACY_DATA,
    PERF_DATA,
    accuracy_overlay,
    perf_overlay,
)
from studio_core.graphs.records import Graph
from studio_core.hardware.editable_keys import NONE
from studio_core.layers import Layer
from studio_core.mlir.records import Operation
from studio_core.models.model import Model
from studio_core.overrides.documents import to_json
from studio_core.overrides.records import Overrides
from studio_core.overrides.sparsity import plan_with_overrides
from studio_core.pruning.weights import PlanMasks, make_orders

Changes = Mapping[str, Mapping[str, str]]
"""Values asked for, by node id and key."""

CPU_KEYS = ("data_type", "weights_dtype", SPARSITY_KEY)
"""What a run on the CPU can follow: rounding, and weights that are zero."""

_NO_LAYOUTS = "This run was on the CPU, which has no grids, banks or layouts."


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of one requested value in a run."""

    node_id: str
    key: str
    requested: str
    is_applied: bool
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class ExecutedRun:
    """A finished run: the graph with its overlays, and the numbers behind them."""

    graph: Graph
    policy: str
    overrides: Overrides
    result: RunResult
    times_ns: Mapping[str, float]
    """Nanoseconds by node; what the runtime fused away or has no kernel for is not there."""
    applied: tuple[Applied, ...]
    pcc: Mapping[str, float]
    """Correlation with full precision by node, 1 being equal; absent where it is not defined."""
    backend: Literal["cpu"] = "cpu"


@dataclass(frozen=True, slots=True, eq=False)
class ExplorationStep:
    """Progress of a run, 0 to 1; ``result`` is set in the last step only."""

    message: str
    fraction: float
    result: ExecutedRun | None = None


def run_graph(
    opened: OpenedGraph,
    changes: Changes,
    overrides: Overrides,
    policy: str,
    *,
    inputs: Mapping[str, Array] | None = None,
    settings: RunSettings | None = None,
    cancel: Cancellation | None = None,
) -> Iterator[ExplorationStep]:
    """Run the graph under ``changes``; progress first, the `ExecutedRun` in the last step.

    Raises `InvalidRequestError` for what cannot run, before anything does.
    """
    steps = _steps(opened, changes, overrides, inputs, settings, cancel)
    for step in steps:
        result = None
        if step.result is not None:
            result = _executed(opened, changes, overrides, policy, step.result)
        yield ExplorationStep(step.message, step.fraction, result)


def _steps(
    opened: OpenedGraph,
    changes: Changes,
    overrides: Overrides,
    inputs: Mapping[str, Array] | None,
    settings: RunSettings | None,
    cancel: Cancellation | None,
) -> Iterator[RunStep]:
    types, weights = _asked(changes, "data_type"), _asked(changes, "weights_dtype")
    if opened.module is not None:
        operations = opened.operations
        return run_module(
            opened.module,
            inputs=inputs,
            data_types=_by_operation(types, operations),
            weight_data_types=_by_operation(weights, operations),
            settings=settings,
            cancel=cancel,
        )
    assert opened.model is not None  # a graph is of the one or the other
    return run_onnx(
        opened.model,
        inputs=inputs,
        data_types=types,
        weight_data_types=weights,
        weights=pruned_weights(opened.model, opened.layers, overrides),
        settings=settings,
        cancel=cancel,
    )


def pruned_weights(
    model: Model, layers: tuple[Layer, ...], overrides: Overrides
) -> dict[str, Array]:
    """Weights by name with the zeros that the overrides' sparsities ask for."""
    plan = plan_with_overrides(overrides)
    orders = make_orders(layers, plan) if plan.sparsities else {}
    found: dict[str, Array] = {}
    by_id = {layer.id: layer for layer in layers}
    for layer_id, mask in PlanMasks(model, layers, orders).items():
        weight = by_id[layer_id].weight
        if weight is not None:
            stored = weight.tensor.read()
            kept = mask.reshape(stored.shape)
            found[weight.name] = np.where(kept, stored, weight.stored_zero()).astype(stored.dtype)
    return found


def _asked(changes: Changes, key: str) -> dict[str, str]:
    return {
        node_id: values[key] for node_id, values in changes.items() if values.get(key, NONE) != NONE
    }


def _by_operation(
    values: Mapping[str, str], operations: Mapping[str, Operation]
) -> dict[Operation, str]:
    return {operations[n]: value for n, value in values.items() if n in operations}


def _executed(
    opened: OpenedGraph, changes: Changes, overrides: Overrides, policy: str, result: RunResult
) -> ExecutedRun:
    def node_of(key: OpKey) -> str | None:
        node_id = key if isinstance(key, str) else opened.node_ids.get(key)
        return node_id if node_id in opened.graph.by_id else None

    times = by_node(result.times_ns, node_of)
    pcc = by_node(result.pcc, node_of)
    overlays = {
        PERF_DATA: perf_overlay(times),
        ACCURACY_DATA: accuracy_overlay(pcc, dict.fromkeys(pcc, EXPECTED_PCC)),
    }
    graph = replace(
        opened.graph,
        overlays={kind: overlay for kind, overlay in overlays.items() if overlay.values},
        overrides=to_json(overrides) if overrides else None,
    )
    pcc = by_node(result.pcc, node_of)
    return ExecutedRun(graph, policy, overrides, result, times, tuple(_applied(changes)), pcc)


def _applied(changes: Changes) -> Iterator[Applied]:
    for node_id, values in changes.items():
        for key, value in values.items():
            is_applied = key in CPU_KEYS
            reason = "" if is_applied else _NO_LAYOUTS
            yield Applied(node_id, key, value, is_applied, reason)
