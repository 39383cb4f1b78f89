"""Analyses as JSON: the contract's own keys, there and back."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from studio_core.errors import InvalidRequestError
from studio_core.sensitivity import (
    Analysis,
    AnalysisKind,
    LossCurve,
    PerfCurve,
    Source,
    estimate_loss,
    estimate_perf,
)
from studio_core.sensitivity.documents import from_document, to_document
from studio_core.sensitivity.flops import FLOPS
from studio_core.sensitivity.magnitude import METRICS, MagnitudeMetric

# The contract's examples, their numbers included.
LOSS = {
    "layerSensitivities": [
        {
            "baseline": {"loss": 0.0, "sparsity": 0.0},
            "id": "LAYER_ID",
            "sparse": [{"loss": 5.665469759996711e-10, "sparsity": 0.09566326530612244}],
        }
    ]
}
PERF_APPROX = {
    "layerSensitivities": [
        {
            "baseline": {"flops": 118013952.0, "timings": None},
            "id": "LAYER_ID",
            "sparse": [{"flops": 117901056.0, "sparsity": 0.09566326530612244, "timings": None}],
        }
    ]
}
PERF = {
    "layerSensitivities": [
        {
            "baseline": {"flops": 236027904, "sparsity": 0.0, "timing": 0.34226666666666666},
            "id": "LAYER_ID",
            "sparse": [{"flops": 236027904, "sparsity": 0.4, "timing": 0.3799}],
        }
    ]
}


def keys(value: object) -> object:
    """The keys of a document, level by level."""
    if isinstance(value, dict):
        return {key: keys(item) for key, item in value.items()}
    if isinstance(value, list):
        return [keys(item) for item in value[:1]]
    return None


def holds(found: object, wanted: object) -> bool:
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            key in found and holds(found[key], item) for key, item in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(found, list) and all(map(holds, found, wanted))
    return True


def test_estimates_have_the_keys_of_the_contract(mlp):
    loss = to_document(estimate_loss(mlp.layers))
    perf = to_document(estimate_perf(mlp.layers))
    assert holds(keys(loss), keys(LOSS))
    assert holds(keys(perf), keys(PERF_APPROX)) and holds(keys(perf), keys(PERF))
    for entry in loss["layerSensitivities"]:
        assert entry["baseline"] == {"loss": 0.0, "sparsity": 0.0}
        assert {"id", "name"} <= set(entry)
    for entry in perf["layerSensitivities"]:
        points = [entry["baseline"], *entry["sparse"]]
        assert all(p["timing"] is None and p["timings"] is None for p in points)


@pytest.mark.parametrize(
    ("kind", "document"), [("loss", LOSS), ("perf", PERF), ("perf", PERF_APPROX)]
)
def test_the_contract_examples_are_read(kind, document):
    analysis = from_document(kind, "mine", document)
    assert analysis.layer_ids == ("LAYER_ID",)
    assert analysis.source is Source.UPLOADED and analysis.name == "mine"
    assert analysis.kind is AnalysisKind(kind)
    curve = analysis.curves[0]
    (point,) = document["layerSensitivities"][0]["sparse"]
    assert curve.sparsities.tolist() == [point["sparsity"]]
    if kind == "loss":
        assert curve.losses.tolist() == [point["loss"]]
    else:
        assert curve.flops.tolist() == [point["flops"]]
        if "timing" in point:
            assert curve.timings_ms.tolist() == [0.3799]
            assert curve.baseline_timing_ms == 0.34226666666666666
        else:
            assert curve.timings_ms is None


@pytest.mark.parametrize("kind", ["loss", "perf"])
@pytest.mark.parametrize("resolution", ["default", "full"])
def test_there_and_back(mlp, kind, resolution):
    estimate = estimate_loss if kind == "loss" else estimate_perf
    analysis = estimate(mlp.layers, resolution=resolution)
    text = json.dumps(to_document(analysis), allow_nan=False)
    again = from_document(kind, "approx", json.loads(text))
    assert to_document(again) == json.loads(text)
    assert again.metric == analysis.metric and again.source is Source.ESTIMATED
    assert again.provenance == analysis.provenance


def test_measured_documents_say_timing_only():
    curve = PerfCurve("a", "w", np.array([0.5]), np.array([4.0]), 8.0, np.array([0.1]), 0.2)
    analysis = Analysis(AnalysisKind.PERF, "x", Source.MEASURED, FLOPS, (curve,))
    (entry,) = to_document(analysis)["layerSensitivities"]
    assert entry["baseline"] == {"sparsity": 0.0, "flops": 8.0, "timing": 0.2}
    assert entry["sparse"] == [{"sparsity": 0.5, "flops": 4.0, "timing": 0.1}]


def test_unknown_numbers_are_null_and_come_back_unknown():
    losses = np.array([0.1, np.nan, np.inf])
    curve = LossCurve("a", "w", np.array([0.25, 0.5, 1.0]), losses)
    metric = METRICS[MagnitudeMetric.MAGNITUDE]
    document = to_document(Analysis(AnalysisKind.LOSS, "x", Source.MEASURED, metric, (curve,)))
    text = json.dumps(document, allow_nan=False)
    assert [p["loss"] for p in document["layerSensitivities"][0]["sparse"]] == [0.1, None, None]
    (again,) = from_document("loss", "x", json.loads(text)).curves
    assert again.losses[0] == 0.1 and np.isnan(again.losses[1:]).all()

    unknown = PerfCurve("a", "w", np.array([0.5]), np.array([np.nan]), None)
    document = to_document(Analysis(AnalysisKind.PERF, "x", Source.ESTIMATED, FLOPS, (unknown,)))
    (entry,) = document["layerSensitivities"]
    assert entry["baseline"]["flops"] is None and entry["sparse"][0]["flops"] is None
    (again,) = from_document("perf", "x", document).curves
    assert again.baseline_flops is None and np.isnan(again.flops[0])


def test_points_are_sorted_when_read():
    points = [{"sparsity": s, "loss": s * 2} for s in (0.9, 0.1, 0.5)]
    document = {"layerSensitivities": [{"id": "a", "baseline": {"loss": 0}, "sparse": points}]}
    (curve,) = from_document("loss", "x", document).curves
    assert curve.sparsities.tolist() == [0.1, 0.5, 0.9]
    assert curve.losses.tolist() == [0.2, 1.0, 1.8]


def entry(**changes: object) -> dict[str, object]:
    return {"id": "a", "baseline": {"loss": 0.0, "flops": 1.0}, "sparse": [], **changes}


def points(**values: object) -> list[dict[str, object]]:
    return [{"sparsity": 0.5, "loss": 0.1, "flops": 1.0, **values}]


HUGE = 10**400  # JSON has no limit on the digits of a whole number

FAULTS = [
    ({}, "list of layer sensitivities"),
    ({"layerSensitivities": {}}, "list of layer sensitivities"),
    ({"layerSensitivities": None}, "list of layer sensitivities"),
    ([entry(), 5], "Entry 1 needs an 'id'"),
    ([entry(id=7)], "'id'"),
    ([entry(id="")], "'id'"),
    ([{"id": "a"}], r"'baseline' object and a\s+'sparse' list"),
    ([entry(sparse={})], "layer 'a'"),
    ([entry(baseline=[])], "layer 'a'"),
    ([entry(sparse=[1])], "points of layer 'a'"),
    ([entry(sparse=[{}])], "needs a 'sparsity'"),
    ([entry(sparse=points(sparsity=None))], "needs a 'sparsity'"),
    ([entry(sparse=points(sparsity="0.5"))], "needs a 'sparsity'"),
    ([entry(sparse=points(sparsity=True))], "needs a 'sparsity'"),
    ([entry(sparse=points(sparsity=1.5))], "not a fraction"),
    ([entry(sparse=points(sparsity=-0.1))], "not a fraction"),
    ([entry(sparse=points(sparsity=math.nan))], "not a fraction"),
    ([entry(sparse=points(sparsity=HUGE))], "not a fraction"),
    ([entry(), entry()], "Layer 'a' has two entries"),
    ([entry(baseline={"loss": "0", "flops": "0"})], "of layer 'a' must be a finite number"),
    ([entry(sparse=points(loss="1", flops="1"))], "must be a finite number"),
    ([entry(sparse=points(loss=math.inf, flops=math.inf))], "must be a finite number"),
    ([entry(sparse=points(loss=True, flops=True))], "must be a finite number"),
    ([entry(sparse=points(loss=HUGE, flops=HUGE))], "must be a finite number"),
    ([entry(sparse=points(loss=[], flops=[]))], "must be a finite number"),
]


@pytest.mark.parametrize("kind", ["loss", "perf"])
@pytest.mark.parametrize(("document", "said"), FAULTS, ids=range(len(FAULTS)))
def test_the_fault_is_named(kind, document, said):
    if isinstance(document, list):
        document = {"layerSensitivities": document}
    with pytest.raises(InvalidRequestError, match=said):
        from_document(kind, "x", document)


@pytest.mark.parametrize("odd", [7, "x", [], {}, ["measured"], None, {"name": 3}, {"name": "m"}])
def test_odd_extras_do_not_disturb(odd):
    document = {"layerSensitivities": [entry()], "source": odd, "metric": odd, "provenance": odd}
    analysis = from_document("loss", "x", document)
    assert analysis.source is Source.UPLOADED
    assert isinstance(analysis.metric.name, str)
    json.dumps(to_document(analysis), allow_nan=False)


def test_a_list_is_no_document():
    with pytest.raises(InvalidRequestError, match="list of layer sensitivities"):
        from_document("loss", "x", [])  # type: ignore[arg-type]
