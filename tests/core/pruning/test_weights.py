"""N:M and channel masks along the axes that the layer really sums over and puts out."""

import numpy as np
import pytest

from studio_core.errors import InvalidRequestError
from studio_core.plans.plan import PruningPlan
from studio_core.pruning.masks import Granularity
from studio_core.pruning.weights import PlanMasks, make_orders

# The layer, the stored shape, and its axes: summed, outputs.
LAYERS = {
    "Gemm": ("y = Gemm (x, W)", (8, 6), 0, 1),
    "Gemm transB": ("y = Gemm <transB: int = 1> (x, W)", (6, 8), 1, 0),
    "Gemm as A": ("y = Gemm (W, x)", (6, 8), 1, 0),
    "Gemm as transA": ("y = Gemm <transA: int = 1> (W, x)", (8, 6), 0, 1),
    "MatMul": ("y = MatMul (x, W)", (8, 6), 0, 1),
    "MatMul left": ("y = MatMul (W, x)", (6, 8), 1, 0),
    "MatMul batched": ("y = MatMul (x, W)", (2, 8, 6), 1, 2),
    "Transpose": ("t = Transpose <perm = [1, 0]> (W) y = MatMul (x, t)", (6, 8), 1, 0),
    "Transpose, no perm": ("t = Transpose (W) y = MatMul (x, t)", (6, 8), 1, 0),
    "Transpose of three": (
        "t = Transpose <perm = [1, 2, 0]> (W) y = MatMul (x, t)", (6, 2, 8), 2, 0,
    ),
    "Conv": ("y = Conv (x, W)", (6, 8, 3, 3), 1, 0),
    "ConvTranspose": ("y = ConvTranspose (x, W)", (8, 6, 3, 3), 0, 1),
}  # fmt: skip


def _session(name, open_text, rank=None):
    body, shape, *_ = LAYERS[name]
    weight = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return open_text(f"g (float x) => (float y) {{ {body} }}", {"W": weight}), weight


def _mask(session, sparsity, granularity, group_size=4):
    plan = PruningPlan({"y": sparsity})
    orders = make_orders(session.layers, plan, granularity, group_size)
    return PlanMasks(session.model, session.layers, orders)["y"]


@pytest.mark.parametrize("name", LAYERS)
def test_two_of_four_along_the_summed_axis(name, open_text):
    session, weight = _session(name, open_text)
    mask = _mask(session, 0.5, Granularity.N_OF_M)
    summed = LAYERS[name][2]
    lines = np.moveaxis(mask, summed, -1).reshape(-1, 4)
    assert (lines.sum(axis=1) == 2).all()
    values = np.abs(np.moveaxis(weight, summed, -1).reshape(-1, 4))
    kept, removed = values[lines].reshape(-1, 2), values[~lines].reshape(-1, 2)
    assert (kept.min(axis=1) >= removed.max(axis=1)).all()


@pytest.mark.parametrize("name", LAYERS)
def test_channels_are_whole_outputs(name, open_text):
    session, weight = _session(name, open_text)
    mask = _mask(session, 0.5, Granularity.CHANNEL)
    outputs = LAYERS[name][3]
    by_channel = np.moveaxis(mask, outputs, 0).reshape(weight.shape[outputs], -1)
    assert (by_channel.all(axis=1) | ~by_channel.any(axis=1)).all()
    assert (~by_channel.any(axis=1)).sum() == weight.shape[outputs] // 2


@pytest.mark.parametrize(
    ("sparsity", "group_size", "kept"), [(0.25, 4, 3), (0.75, 4, 1), (0.5, 8, 4), (1.0, 4, 0)]
)
def test_other_patterns(sparsity, group_size, kept, open_text):
    session, _ = _session("Gemm", open_text)
    mask = _mask(session, sparsity, Granularity.N_OF_M, group_size)
    assert (mask.reshape(-1, group_size, 6).sum(axis=1) == kept).all()


def test_a_sparsity_between_two_patterns_is_refused(open_text):
    session, _ = _session("Gemm", open_text)
    with pytest.raises(InvalidRequestError, match=r"Choose one of 0, 0\.25, 0\.5, 0\.75, 1"):
        _mask(session, 0.6, Granularity.N_OF_M)


def test_an_unknown_axis_is_refused_with_the_operator(open_text):
    session = open_text(
        "g (float[N,8] x) => (float[N,6] y) { t = Reshape (W, s)  y = MatMul (x, t) }",
        {"W": np.ones((48, 1), np.float32), "s": np.array([8, 6], np.int64)},
    )
    with pytest.raises(InvalidRequestError, match="passes a Reshape"):
        _mask(session, 0.5, Granularity.N_OF_M)
    assert _mask(session, 0.5, Granularity.ELEMENT).sum() == 24


def test_a_depthwise_convolution_has_no_pattern(open_text):
    session = open_text(
        "g (float[1,8,9,9] x) => (float[1,8,7,7] y) { y = Conv <group: int = 8> (x, W) }",
        {"W": np.ones((8, 1, 3, 3), np.float32)},
    )
    with pytest.raises(InvalidRequestError, match="sums over 1 weights at a time"):
        _mask(session, 0.5, Granularity.N_OF_M)


def test_masks_are_made_when_asked_for(open_text):
    session, _ = _session("Gemm", open_text)
    orders = make_orders(session.layers, PruningPlan({"y": 0.5}))
    masks = PlanMasks(session.model, session.layers, orders)
    assert list(masks) == ["y"]
    assert "z" not in masks
    assert (~masks["y"]).sum() == 24
    assert not PlanMasks(
        session.model, session.layers, make_orders(session.layers, PruningPlan({"y": 0}))
    )
