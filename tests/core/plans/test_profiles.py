"""The four profiles of the original Studio, by examples worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from studio_core.errors import InvalidRequestError
from studio_core.plans.profiles import ExportSettings, Profile, sparsities_by_weight

LEVELS = [0.4, 0.875, 0.95]
#           a0 is the first layer, which is never pruned
IDS = ["a0", "b1", "c2", "d3", "e4", "f5", "g6", "h7"]
# The greatest loss of each: g6 > b1 > e4 > h7 > c2 > f5 > d3
LOSS = dict(zip(IDS, [9, 0.8, 0.3, 0.1, 0.6, 0.2, 0.9, 0.5], strict=True))
# What 0.875 saves, in milliseconds: c2 < h7 < d3 < b1 < g6 < e4 < f5
GAIN = dict(zip(IDS, [9, 0.4, 0.1, 0.3, 0.6, 0.7, 0.5, 0.2], strict=True))


@pytest.fixture
def layers(make_layer):
    return [make_layer(i) for i in IDS]


@pytest.fixture
def loss(loss_of):
    # The greatest loss need not be at the last level.
    return loss_of(LEVELS, {i: [v / 2, v, v / 3] for i, v in LOSS.items()})


@pytest.fixture
def perf(perf_of):
    work = {i: (100.0, [50.0, 50.0, 50.0]) for i in IDS}
    timings = {i: (10.0, [10.0, 10.0 - g, 10.0 - g]) for i, g in GAIN.items()}
    return perf_of(LEVELS, work, timings)


def weights(fields, layers, loss, perf) -> dict[str, float]:
    settings = ExportSettings.from_fields({"sparsities": [0.5, 0.7, 0.9], **fields})
    found = sparsities_by_weight(settings, layers, loss, perf)
    return {name.removesuffix(".weight"): s for name, s in found.items()}


def test_uniform(layers, loss, perf):
    found = weights({"pruning_profile": "uniform"}, layers, loss, perf)
    assert found == dict.fromkeys(IDS[1:], 0.5)


def test_loss(layers, loss, perf):
    # g6 is dropped as the most sensitive; b1 e4 | h7 c2 | f5 d3.
    found = weights({"pruning_profile": "loss"}, layers, loss, perf)
    assert found == {"b1": 0.5, "e4": 0.5, "h7": 0.7, "c2": 0.7, "f5": 0.9, "d3": 0.9}


def test_performance(layers, loss, perf):
    # c2 is dropped, it saves least; h7 d3 | b1 g6 | e4 f5.
    found = weights({"pruning_profile": "performance"}, layers, loss, perf)
    assert found == {"h7": 0.5, "d3": 0.5, "b1": 0.7, "g6": 0.7, "e4": 0.9, "f5": 0.9}


def test_balanced(layers, loss, perf):
    # Ranks by loss: g6 0, b1 1, e4 2, h7 3, c2 4, f5 5, d3 6; by saving: c2 0, h7 1, d3 2,
    # b1 3, g6 4, e4 5, f5 6. Half the sum, halves to even: b1 2, c2 2, d3 4, e4 3.5→4,
    # f5 5.5→6, g6 2, h7 2. In the order of the layers where equal: b1 c2 g6 h7 d3 e4 f5.
    found = weights({"pruning_profile": "balanced"}, layers, loss, perf)
    assert found == {"c2": 0.5, "g6": 0.5, "h7": 0.7, "d3": 0.7, "e4": 0.9, "f5": 0.9}


def test_a_remainder_is_dropped(layers, loss, perf):
    # 7 candidates, one dropped, 6 left in parts of 6 // 4 = 1: two layers stay dense.
    fields = {"pruning_profile": "loss", "sparsities": [0.2, 0.4, 0.6, 0.8]}
    found = weights(fields, layers, loss, perf)
    assert found == {"b1": 0.2, "e4": 0.4, "h7": 0.6, "c2": 0.8}


def test_sparsities_are_taken_low_to_high(layers, loss, perf):
    fields = {"pruning_profile": "loss", "sparsities": [0.9, 0.5, 0.7]}
    assert weights(fields, layers, loss, perf)["b1"] == 0.5


def test_few_layers(layers, loss, perf):
    for profile in Profile:
        for count in range(4):
            found = weights({"pruning_profile": profile}, layers[:count], loss, perf)
            assert set(found) <= set(IDS[1:count])


def test_layers_that_an_analysis_does_not_hold_are_left_out(layers, loss_of, perf_of, perf, loss):
    part = loss_of(LEVELS, {i: [LOSS[i]] * 3 for i in IDS if i not in ("b1", "g6")})
    found = weights({"pruning_profile": "loss"}, layers, part, perf)
    assert not {"b1", "g6"} & set(found)
    balanced = weights({"pruning_profile": "balanced"}, layers, part, perf)
    assert not {"b1", "g6"} & set(balanced)


def test_unknown_values_are_left_out(layers, loss_of, perf):
    rows = {i: [LOSS[i], np.nan, LOSS[i] / 2] for i in IDS}
    rows["g6"] = [np.nan] * 3
    found = weights({"pruning_profile": "loss"}, layers, loss_of(LEVELS, rows), perf)
    # Now b1 is the most sensitive; e4 h7 c2 f5 d3 in parts of 5 // 3 = 1.
    assert found == {"e4": 0.5, "h7": 0.7, "c2": 0.9}


def test_flops_stand_in_for_timings(layers, loss, perf_of):
    work = {i: (10.0, [10.0, 10.0 - g, 10.0 - g]) for i, g in GAIN.items()}
    found = weights({"pruning_profile": "performance"}, layers, loss, perf_of(LEVELS, work))
    assert found == {"h7": 0.5, "d3": 0.5, "b1": 0.7, "g6": 0.7, "e4": 0.9, "f5": 0.9}


def test_layers_that_cannot_be_pruned_are_no_candidates(make_layer, layers, loss, perf):
    mixed = [make_layer("z", prunable=False), *layers]
    assert weights({"pruning_profile": "uniform"}, mixed, loss, perf) == dict.fromkeys(IDS[1:], 0.5)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Missing required field 'sparsities'"),
        ({"sparsities": [0.5]}, "Missing required field 'pruning_profile'"),
        ({"sparsities": 0.5, "pruning_profile": "loss"}, "'sparsities'"),
        ({"sparsities": [], "pruning_profile": "loss"}, "'sparsities'"),
        ({"sparsities": ["a"], "pruning_profile": "loss"}, "'sparsities'"),
        ({"sparsities": [True], "pruning_profile": "loss"}, "'sparsities'"),
        ({"sparsities": [2], "pruning_profile": "loss"}, "'sparsities'"),
        ({"sparsities": [float("nan")], "pruning_profile": "loss"}, "'sparsities'"),
        ({"sparsities": [0.1] * 101, "pruning_profile": "loss"}, "'sparsities'"),
        ({"sparsities": [0.5], "pruning_profile": "best"}, "uniform, loss, performance, balanced"),
        ({"sparsities": [0.5], "pruning_profile": ["loss"]}, "'pruning_profile'"),
        ({"sparsities": [0.5], "pruning_profile": None}, "'pruning_profile'"),
        ({"sparsities": [0.5], "pruning_profile": "loss", "loss_analysis": 5}, "'loss_analysis'"),
        ({"sparsities": [0.5], "pruning_profile": "loss", "perf_analysis": []}, "'perf_analysis'"),
        ({"sparsities": [0.5], "pruning_profile": "loss", "training_epochs": "9"}, "epochs"),
        ({"sparsities": [0.5], "pruning_profile": "loss", "training_epochs": 1.5}, "epochs"),
        ({"sparsities": [0.5], "pruning_profile": "loss", "training_epochs": True}, "epochs"),
        ({"sparsities": [0.5], "pruning_profile": "loss", "init_training_lr": "x"}, "_lr"),
        ({"sparsities": [0.5], "pruning_profile": "loss", "final_training_lr": -1}, "_lr"),
        (
            {"sparsities": [0.5], "pruning_profile": "loss",
             "pruning_update_frequency": float("inf")},
            "frequency",
        ),
    ],
)  # fmt: skip
def test_the_field_at_fault_is_named(fields, said):
    with pytest.raises(InvalidRequestError) as error:
        ExportSettings.from_fields(fields)
    assert said in str(error.value)


def test_fields_that_are_left_out_or_null_take_defaults():
    fields = {"sparsities": [0.5], "pruning_profile": "loss", "training_epochs": None}
    settings = ExportSettings.from_fields(fields)
    assert settings.schedule.training_epochs == 100
    assert settings.loss_analysis is None and settings.perf_analysis is None
