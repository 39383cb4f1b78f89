"""Pruned weights are counted exactly: in the written file, in its report, in a verification."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from onnx import numpy_helper

from studio_core.evaluation.data import generate_samples
from studio_core.plans import PruningPlan
from studio_core.plans.verification import verify
from studio_core.pruning.apply import prune_model

VALUES = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.25, 1e-30, -3.5, 2.0])  # zeros and ties
SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(weight=arrays(np.float32, SHAPES, elements=VALUES), sparsity=st.floats(0, 1))
def test_as_many_zeros_as_the_sparsity_says(
    open_text: Any, tmp_path: Path, weight: Any, sparsity: float
) -> None:
    rows, columns = weight.shape
    session = open_text(
        f"g (float[N,{rows}] x) => (float[N,{columns}] y) {{ y = MatMul (x, w) }}", {"w": weight}
    )
    plan = PruningPlan({"y": sparsity})
    target = tmp_path / "p.onnx"
    pruned = prune_model(session.model, session.layers, plan, target, verify=False, overwrite=True)
    (stored,) = onnx.load(target).graph.initializer
    values = numpy_helper.to_array(stored)
    wanted = math.floor(sparsity * weight.size + 0.5)
    expected = max(wanted, int((weight == 0).sum()))
    assert int((values == 0).sum()) == expected
    assert pruned.layers[0].num_zeros_after == expected
    kept = values != 0
    assert np.array_equal(values[kept], weight[kept])
    smallest = np.abs(weight)[~kept].max(initial=0.0)
    assert smallest <= np.abs(weight)[kept].min(initial=np.inf)
    found = verify(
        session.model, session.layers, plan, generate_samples(session.model, 1), "cosine",
        compress=False,
    )  # fmt: skip
    assert found.costs.num_zeros == expected and found.costs.num_weights == weight.size
