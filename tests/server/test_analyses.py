from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from typing import Any

import pytest

from studio_core.errors import InvalidRequestError
from studio_server.requests import RunRequest


@pytest.fixture
def analyses(project_url: str) -> str:
    return project_url + "/sparse-analysis"


async def test_the_estimated_loss(api: Any, analyses: str) -> None:
    answer = await api("GET", analyses + "/loss/approx")
    assert answer.status == 200
    layers = answer.json["layerSensitivities"]
    assert [layer["id"] for layer in layers] == ["features", "depthwise", "hidden", "scores"]
    for layer in layers:
        assert layer["baseline"] == {"loss": 0.0, "sparsity": 0.0}
        losses = [point["loss"] for point in layer["sparse"]]
        assert all(a <= b for a, b in pairwise(losses))
        assert all(0 < point["sparsity"] <= 1 for point in layer["sparse"])
        assert 24 <= len(losses) <= 60


async def test_the_estimated_performance_and_the_seeds_figures(api: Any, analyses: str) -> None:
    answer = await api("GET", analyses + "/perf/approx?resolution=full")
    layers = {layer["id"]: layer for layer in answer.json["layerSensitivities"]}
    first = layers["features"]
    assert first["baseline"]["flops"] == 118013952.0
    assert first["baseline"]["timing"] is None
    assert first["baseline"]["timings"] is None
    point = first["sparse"][0]  # the seed's own point: 9 of 9408 weights
    assert point["sparsity"] == pytest.approx(9 / 9408)
    assert point["flops"] == pytest.approx(117901056.0)
    assert point["timing"] is None and point["timings"] is None
    for layer in layers.values():
        assert all(a["flops"] >= b["flops"] for a, b in pairwise(layer["sparse"]))


async def test_the_full_grid_is_the_originals(api: Any, analyses: str) -> None:
    answer = await api("GET", analyses + "/loss/approx/?resolution=full")
    counts = {layer["id"]: len(layer["sparse"]) for layer in answer.json["layerSensitivities"]}
    assert counts == {"features": 1046, "depthwise": 576, "hidden": 1024, "scores": 320}


async def test_the_normalised_loss_compares_layers(api: Any, analyses: str) -> None:
    answer = await api("GET", analyses + "/loss/approx?metric=l2_share")
    assert answer.json["metric"]["name"] == "l2_share"
    for layer in answer.json["layerSensitivities"]:
        assert layer["sparse"][-1]["loss"] == pytest.approx(1.0)
    plain = await api("GET", analyses + "/loss/approx")
    assert plain.json["metric"]["name"] == "magnitude"


@pytest.mark.parametrize("query", ["resolution=some", "metric=some"])
async def test_an_unknown_choice_is_refused(api: Any, analyses: str, query: str) -> None:
    answer = await api("GET", f"{analyses}/loss/approx?{query}")
    assert answer.status == 400
    assert answer.message.startswith(f"'{query.split('=')[0]}' must be one of")


@pytest.mark.parametrize("kind", ["loss", "perf"])
async def test_run_saves_and_get_reads(api: Any, analyses: str, kind: str) -> None:
    url = f"{analyses}/{kind}/run-1"
    assert (await api("GET", url)).status == 404
    # With no body at all a run takes the defaults; a few iterations are enough for a test.
    ran = await api("POST", url, None if kind == "loss" else {"iterations": 1, "warmup": 0})
    assert ran.status == 200
    assert ran.json["source"] == "measured"
    assert [len(layer["sparse"]) > 5 for layer in ran.json["layerSensitivities"]] == [True] * 4
    for path in (url, url + "/", f"{analyses}/{kind}", f"{analyses}/{kind}/"):
        assert (await api("GET", path)).json == ran.json


async def test_a_measured_performance_adds_up_to_the_run(api: Any, analyses: str) -> None:
    options = {"sparsityLevels": [0.5], "iterations": 2, "warmup": 1, "numThreads": 1}
    answer = await api("POST", analyses + "/perf/timed", options)
    assert answer.status == 200, answer.body
    document = answer.json
    assert document["source"] == "measured" and document["complete"] is True
    layers = {layer["id"]: layer for layer in document["layerSensitivities"]}
    first = layers["features"]["baseline"]
    assert first["flops"] == 236027904.0  # the seed's own figure of a measurement: 2 × MACs
    run = document["provenance"]["run"]
    total = sum(layer["baseline"]["timing"] for layer in layers.values())
    assert total + run["unattributedMs"] == pytest.approx(run["total"]["median"])
    for layer in layers.values():
        (point,) = layer["sparse"]
        assert point["timing"] > 0 and point["timingSpread"] >= 0
        assert point["bytes"]["compressed"] < layer["baseline"]["bytes"]["compressed"]
        assert point["channels"]["numChannels"] > 0
    known = document["provenance"]
    assert (known["iterations"], known["warmup"], known["numThreads"]) == (2, 1, 1)
    assert known["versions"]["onnxruntime"] and known["cpu"]


async def test_a_measured_performance_can_be_a_job(api: Any, analyses: str) -> None:
    options = {"sparsityLevels": [0.5], "iterations": 1, "warmup": 0, "async": True}
    answer = await api("POST", analyses + "/perf/later", options)
    assert answer.status == 202
    job = answer.json["job"]
    for _ in range(600):
        job = (await api("GET", f"/api/jobs/{job['id']}")).json["job"]
        if job["finishedAt"]:
            break
        await asyncio.sleep(0.05)
    assert (job["state"], job["done"]) == ("done", job["total"])
    saved = (await api("GET", analyses + "/perf/later")).json
    assert saved["complete"] is True and saved["source"] == "measured"


async def test_one_granularity_alone_and_none_that_cannot_be_timed(api: Any, analyses: str) -> None:
    options = {"sparsityLevels": [0.5], "iterations": 1, "warmup": 0, "granularity": "channel"}
    answer = await api("POST", analyses + "/perf/channels", options)
    (point,) = answer.json["layerSensitivities"][0]["sparse"]
    assert point["timing"] is None and point["channels"]["timing"] > 0
    refused = await api("POST", analyses + "/perf/pattern", {"granularity": "2:4"})
    assert refused.status == 400
    assert "'2:4' is neither" in refused.message
    assert (await api("POST", analyses + "/perf/x", {"numThreads": 0})).status == 400


async def test_the_estimate_can_still_be_saved(api: Any, analyses: str) -> None:
    answer = await api("POST", analyses + "/perf/guess", {"source": "estimated"})
    assert answer.json["source"] == "estimated"
    assert answer.json["layerSensitivities"][0]["baseline"]["timing"] is None


async def test_a_sweep_by_pattern_in_passes_and_processes(api: Any, analyses: str) -> None:
    options = {"granularity": "2:4", "samples": 2, "passes": [1], "workers": 1, "stopError": "5%"}
    answer = await api("POST", analyses + "/loss/pattern", options)
    assert answer.status == 200, answer.body
    known = answer.json["provenance"]
    assert (known["granularity"], known["passes"], known["stopError"]) == ("2:4", [1, 2], "5%")
    (point,) = answer.json["layerSensitivities"][0]["sparse"]
    assert (point["sparsity"], point["numSamples"]) == (0.5, 2)
    assert "fewer than the 4" in known["notMeasured"]["depthwise"]


async def test_a_data_aware_estimate_is_a_run(api: Any, analyses: str) -> None:
    options = {"source": "data-aware", "samples": 2, "metric": "relative_l2"}
    answer = await api("POST", analyses + "/loss/guess", options)
    assert answer.status == 200, answer.body
    assert answer.json["source"] == "data-aware"
    assert answer.json["complete"] is True
    assert answer.json["provenance"]["probeLevels"] == [0.7, 0.95]
    assert "estimated from 2 samples of random data" in answer.json["metric"]["label"]
    assert answer.json["layerSensitivities"][0]["sparse"][-1]["loss"] > 0
    refused = await api("POST", analyses + "/perf/guess", options)
    assert refused.status == 400
    assert "Only a loss" in refused.message


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"source": "data-aware", "workers": 1}, "takes no option 'workers'"),
        ({"source": "data-aware", "stopError": 0.1}, "takes no option 'stopError'"),
        ({"scheduler": "tcp://169.254.169.254:80"}, "StudioApp.schedulers"),
        ({"workers": 0}, "at least 1"),
        ({"workers": 100_000}, "at most"),
        ({"passes": [0]}, "'passes'"),
        ({"passes": 3}, "'passes'"),
        ({"stopError": 0}, "cannot stop"),
        ({"stopError": "much"}, "cannot stop"),
        ({"stopError": True}, "a number or a text"),
        ({"granularity": "4:2"}, "no granularity '4:2'"),
        ({"granularity": "2:4", "sparsityLevels": [0.9]}, "one sparsity"),
    ],
)
async def test_sweeps_that_cannot_be_run(
    api: Any, analyses: str, options: dict[str, Any], said: str
) -> None:
    answer = await api("POST", analyses + "/loss/refused", options)
    assert answer.status == 400, answer.body
    assert said in answer.message


def test_only_the_schedulers_of_the_configuration_are_taken() -> None:
    listed = "tcp://cluster:8786"
    body = json.dumps({"scheduler": listed}).encode()
    assert RunRequest.read(body, [listed]).options["scheduler"] == listed
    for other in ([], ["tcp://cluster:87"], ["tcp://cluster:8786/"]):
        with pytest.raises(InvalidRequestError, match="configuration lists"):
            RunRequest.read(body, other)


async def test_run_takes_levels(api: Any, analyses: str) -> None:
    options = {"sparsityLevels": [0.9, 0, 0.5], "samples": 5, "async": False, "data": None}
    answer = await api("POST", analyses + "/loss/levels", options)
    levels = [point["sparsity"] for point in answer.json["layerSensitivities"][0]["sparse"]]
    assert levels == [0.5, 0.9]


@pytest.mark.parametrize(
    "options",
    [
        {"sparsityLevels": "0.5"},
        {"sparsityLevels": [2]},
        {"sparsityLevels": [-0.1]},
        {"sparsityLevels": [True]},
        {"sparsityLevels": [None]},
        {"samples": 0},
        {"samples": True},
        {"warmup": -1},
        {"metric": 3},
        {"levels": [0.5]},
        {"source": "guessed"},
        {"resume": 1},
        {"async": 1},
    ],
    ids=str,
)
async def test_run_refuses_wrong_options(api: Any, analyses: str, options: Any) -> None:
    answer = await api("POST", analyses + "/loss/wrong", options)
    assert answer.status == 400, answer.body
    assert next(iter(options)) in answer.message
    assert (await api("GET", analyses + "/loss/wrong")).status == 404


LOSS = [
    {
        "id": "LAYER_ID",
        "baseline": {"loss": 0.0, "sparsity": 0.0},
        "sparse": [{"loss": 5.665469759996711e-10, "sparsity": 0.09566326530612244}],
    }
]
PERF = [
    {
        "id": "LAYER_ID",
        "baseline": {"flops": 236027904, "sparsity": 0.0, "timing": 0.34226666666666666},
        "sparse": [{"flops": 236027904, "sparsity": 0.4, "timing": 0.3799}],
    }
]


@pytest.mark.parametrize(
    ("kind", "key", "sent"),
    [("loss", "loss", LOSS), ("perf", "perf", PERF), ("perf", "loss", PERF)],
)
async def test_a_saved_analysis_comes_back_equal(
    api: Any, analyses: str, kind: str, key: str, sent: Any
) -> None:
    url = f"{analyses}/{kind}/mine_1.0"
    saved = await api("PUT", url, {key: sent})
    assert saved.status == 200, saved.body
    assert saved.json["layerSensitivities"] == sent
    assert (await api("GET", url)).json == saved.json
    assert (await api("GET", f"{analyses}/{kind}")).json == saved.json


async def test_the_latest_is_of_its_own_kind(api: Any, analyses: str) -> None:
    await api("PUT", analyses + "/loss/first", {"loss": LOSS})
    await api("PUT", analyses + "/loss/second", {"loss": []})
    await api("PUT", analyses + "/perf/third", {"perf": PERF})
    assert (await api("GET", analyses + "/loss")).json["layerSensitivities"] == []
    assert (await api("GET", analyses + "/perf")).json["layerSensitivities"] == PERF


@pytest.mark.parametrize("kind", ["loss", "perf"])
async def test_none_saved_yet(api: Any, analyses: str, kind: str) -> None:
    answer = await api("GET", f"{analyses}/{kind}")
    assert (answer.status, answer.message) == (
        404,
        f"No {kind} analysis is saved in this project yet.",
    )


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("slash", ["", "/"])
async def test_approx_is_reserved(api: Any, analyses: str, method: str, slash: str) -> None:
    document = {"loss": LOSS} if method == "PUT" else None
    answer = await api(method, f"{analyses}/loss/approx{slash}", document)
    assert answer.status == 400
    assert "'approx' is reserved" in answer.message


BAD_NAMES = [
    "..",
    ".hidden",
    "a.",
    "a%2Fb",
    "..%2F..%2Fetc",
    "a%00",
    "a%20b",
    "%C3%A9",
    "nul",
    "x" * 101,
]


@pytest.mark.parametrize("name", BAD_NAMES)
async def test_an_analysis_name_is_never_a_path(api: Any, analyses: str, name: str) -> None:
    for method, document in (("GET", None), ("POST", None), ("PUT", {"loss": LOSS})):
        answer = await api(method, f"{analyses}/loss/{name}", document)
        assert answer.status == 400, (method, answer.body)
        assert "cannot be the name of a loss analysis" in answer.message


WRONG_ANALYSES: dict[str, Any] = {
    "no key": {},
    "perf for loss": {"perf": []},
    "no list": {"loss": {"layerSensitivities": []}},
    "no object": {"loss": [1]},
    "no id": {"loss": [{"baseline": {}, "sparse": []}]},
    "no points": {"loss": [{"id": "a", "baseline": {}}]},
    "no sparsity": {"loss": [{"id": "a", "baseline": {}, "sparse": [{"loss": 1}]}]},
    "percent": {"loss": [{"id": "a", "baseline": {}, "sparse": [{"sparsity": 50, "loss": 1}]}]},
    "text": {"loss": [{"id": "a", "baseline": {}, "sparse": [{"sparsity": 0.5, "loss": "1"}]}]},
}


@pytest.mark.parametrize("document", WRONG_ANALYSES.values(), ids=WRONG_ANALYSES)
async def test_a_wrong_analysis_is_refused(api: Any, analyses: str, document: Any) -> None:
    answer = await api("PUT", analyses + "/loss/wrong", document)
    assert answer.status == 400, answer.body
    assert answer.message
    assert (await api("GET", analyses + "/loss/wrong")).status == 404
