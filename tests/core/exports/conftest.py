"""A small model with all that makes exports hard: odd names, a transposed and a shared weight."""

import numpy as np
import pytest

from studio_core.exports import ExportSource
from studio_core.plans.plan import PruningPlan

SPARSITIES = {"a": 0.5, "b": 0.25, "c": 0.5, "d": 0.5}


@pytest.fixture
def weights():
    rng = np.random.default_rng(0)
    return {
        "net.0.weight": rng.normal(size=(8, 6)).astype(np.float32),
        "onnx::MatMul_17": rng.normal(size=(8, 4)).astype(np.float32),
        "=cmd|' /C calc'!A0": rng.normal(size=(4, 4)).astype(np.float32),
    }


@pytest.fixture
def source(open_text, weights):
    session = open_text(
        """
        g (float[N,6] x) => (float[N,4] d) {
            a = Gemm <transB: int = 1> (x, net0)
            ra = Relu (a)
            b = MatMul (ra, mm)
            c = MatMul (b, shared)
            d = MatMul (c, shared)
        }
        """,
        dict(zip(("net0", "mm", "shared"), weights.values(), strict=True)),
    )
    return _renamed(session, open_text, weights, SPARSITIES)


def _renamed(session, open_text, weights, sparsities):
    """ONNX text cannot spell these names, a file can."""
    import onnx

    proto = onnx.load(session.model.path)
    names = dict(zip(("net0", "mm", "shared"), weights, strict=True))
    for tensor in proto.graph.initializer:
        tensor.name = names[tensor.name]
    for node in proto.graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = names.get(name, name)
    session = open_text(proto)
    plan = PruningPlan(
        sparsities, frozenset({"a"}), 0.4, None, {x.id: x.name for x in session.prunable_layers}
    )
    return ExportSource(session.model, session.layers, plan)
