"""From the bundled model's file to a verified pruned model over HTTP alone, as with curl."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnx
import onnxruntime as ort
import pytest

from studio_core.exports import FORMATS
from studio_core.samples import sample_data
from studio_server import openapi
from studio_server.app import StudioApp

DATA = "sample:digits_cnn"
PLANNING, PROVING = 24, 36


def check(document: Any, schema_name: str) -> Any:
    components = openapi.as_document()["components"]
    schema = {**components["schemas"][schema_name], "components": components}
    jsonschema.Draft202012Validator(schema).validate(document)
    return document


@pytest.fixture
def post(api: Any) -> Any:
    async def call(path: str, document: Any = None) -> Any:
        answer = await api("POST", path, document)
        assert answer.status == 200, answer.body
        return answer.json

    return call


def accuracy(model: bytes) -> float:
    data = sample_data("digits_cnn")
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    part = slice(PLANNING, PLANNING + PROVING)
    (logits,) = session.run(None, {name: array[part] for name, array in data.inputs.items()})
    return float((logits.argmax(axis=1) == data.labels[part]).mean())


async def test_from_file_to_verified_pruned_model(api: Any, post: Any) -> None:
    created = await post("/api/projects", {"modelPath": DATA, "projectConfig": {}})
    project = f"/api/projects/{created['projectId']}"
    run = {"data": DATA, "samples": PLANNING, "sparsityLevels": [0.5, 0.8], "metric": "softmax_kl"}
    await post(f"{project}/sparse-analysis/loss/measured", run)

    # Solved for, with a reason for each layer, and kept with a note.
    wanted = {"name": "first", "note": "a try", "analysis": "measured", "goal": {"maxLoss": 0.05}}
    first = check((await post(project + "/plans", wanted))["plan"], "SavedPlan")
    assert (first["version"], first["note"], first["parent"]) == (1, "a try", None)
    assert first["predicted"]["source"] == "measured" and first["predicted"]["standardError"] > 0
    assert first["predicted"]["value"] <= 0.05
    assert len(first["solution"]["reasons"]) == len(first["plan"]["layers"]) == 14

    # Proven on samples that it was not made from.
    proof = {"data": DATA, "skip": PLANNING, "samples": PROVING}
    answer = await post(project + "/plans/first/verify", proof)
    verified = check(answer["verification"], "Verification")
    assert verified["loss"]["numSamples"] == PROVING and verified["isComparable"]
    assert verified["accuracy"]["dense"] == pytest.approx(accuracy(model_bytes()))
    assert verified["keepsGoal"] is (verified["loss"]["mean"] <= 0.05)

    # What was learnt corrects the next prediction, which is the plan's second version.
    second = (await post(project + "/plans", {**wanted, "note": "corrected"}))["plan"]
    assert (second["version"], second["parent"]) == (2, {"name": "first", "version": 1})
    assert second["calibration"]["numPoints"] == 1
    assert "Calibrated by 1 verified plan" in second["predicted"]["statement"]
    history = (await api("GET", project + "/plans/first/history")).json["versions"]
    assert [(v["version"], v["numVerifications"]) for v in history] == [(1, 1), (2, 0)]

    # Applied, downloaded, and its accuracy is the one that was verified.
    pruned = (await post(project + "/plans/first/apply", {"version": 1}))["pruned"]
    check(pruned, "PrunedModel")
    assert pruned["sparsity"] == pytest.approx(verified["costs"]["sparsity"])
    model = await api("GET", project + "/plans/first/model?version=1")
    assert model.headers["Content-Disposition"] == 'attachment; filename="first-1.onnx"'
    assert len(model.body) == pruned["bytesAfter"]
    onnx.checker.check_model(onnx.load_from_string(model.body))
    assert accuracy(model.body) == pytest.approx(verified["accuracy"]["pruned"])
    assert (await api("GET", project + "/plans/first/model")).status == 404, "version 2 is not"

    names = set()
    for name, kind in FORMATS.items():
        export = await api("GET", f"{project}/plans/first/exports/{name}?version=1")
        assert (export.status, export.headers["Content-Type"]) == (200, kind.media_type)
        assert f'{kind.suffix}"' in export.headers["Content-Disposition"]
        names.add(export.headers["Content-Disposition"])
        assert export.body
    assert len(names) == len(FORMATS), "kept side by side, none overwrites another"
    masks = np.load(io.BytesIO((await api("GET", f"{project}/plans/first/exports/npz")).body))
    assert "studio.masks" in masks.files


def model_bytes() -> bytes:
    from studio_core.samples import sample_path

    return sample_path("digits_cnn").read_bytes()


async def test_a_plan_that_keeps_its_accuracy_is_found_by_running(api: Any, post: Any) -> None:
    created = await post("/api/projects", {"modelPath": DATA, "projectConfig": {}})
    project = f"/api/projects/{created['projectId']}"
    run = {"source": "estimated", "sparsityLevels": [0.3, 0.6, 0.9]}
    await post(f"{project}/sparse-analysis/loss/coarse", run)
    goal = {"maxAccuracyLoss": 0.05}
    wanted = {"goal": goal, "data": DATA, "samples": 40, "analysis": "coarse"}
    plan = check((await post(project + "/plans", wanted))["plan"], "SavedPlan")
    assert plan["name"] == "plan-1"
    (proof,) = plan["verifications"]
    assert proof["keepsGoal"] is True
    assert proof["accuracy"]["dense"] - proof["accuracy"]["pruned"] <= 0.05
    assert plan["estimate"]["sparsity"] > 0.2
    jobs = (await api("GET", project + "/jobs")).json["jobs"]
    assert [(j["kind"], j["title"]) for j in jobs] == [("plan", "search for plan 'plan-1'")]


async def test_a_goal_is_judged_without_saving(api: Any, project_url: str) -> None:
    answer = await api("POST", project_url + "/plan", {"goal": {"minSparsity": 0.5}})
    assert answer.status == 200, answer.body
    assert answer.json["solution"]["isOptimal"]
    assert (await api("GET", project_url + "/plans")).json == {"plans": []}
    points = (await api("POST", project_url + "/pareto", {"points": 5})).json["points"]
    assert 2 <= len(points) <= 5 and check(points[0]["loss"], "PredictedLoss")


async def test_plans_are_listed_annotated_and_deleted(api: Any, project_url: str) -> None:
    plans = project_url + "/plans"
    for sparsity in (0.5, 0.6):
        await api("POST", plans, {"name": "mine", "goal": {"sparsity": sparsity}})
    (listed,) = (await api("GET", plans + "/")).json["plans"]
    assert (check(listed, "PlanSummary")["version"], "plan" in listed) == (2, False)
    noted = await api("PATCH", plans + "/mine?version=1", {"note": "half"})
    assert (noted.status, noted.json["plan"]["note"]) == (200, "half")
    assert (await api("GET", plans + "/mine?version=1")).json == noted.json
    assert (await api("GET", plans + "/mine")).json["plan"]["note"] == ""
    for path in ("/mine?version=3", "/other", "/mine/model", "/mine/exports/csv?version=9"):
        assert (await api("GET", plans + path)).status == 404, path
    for path in ("/mine?version=x", "/a%2Fb", "/..%2F..", "/mine/exports/pdf", "/nul"):
        assert (await api("GET", plans + path)).status == 400, path
    for body in ({"note": 3}, {}, {"note": "x", "name": "y"}, {"note": "x" * 4001}):
        assert (await api("PATCH", plans + "/mine", body)).status == 400, body
    assert (await api("DELETE", plans + "/mine")).status == 204
    assert (await api("DELETE", plans + "/mine")).status == 404


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 400, "Give 'goal'"),
        ({"goal": {}}, 400, "a bound such as"),
        ({"goal": {"minSparsity": 0.99}}, 422, "the best that known levels"),
        ({"goal": {"minSparsity": 0.5}, "name": "../x"}, 400, "cannot be the name"),
        ({"goal": {"minSparsity": 0.5}, "analysis": "none"}, 404, "'none'"),
        ({"goal": {"maxLatencyMs": 1}}, 400, "No latency was measured"),
        ({"goal": {"maxAccuracyLoss": 0.01}, "samples": 0}, 400, "'samples'"),
        ({"goal": {"minSparsity": 0.5}, "plan": {}}, 400, "Give 'goal'"),
        ({"plan": {"layers": [{"id": "x", "sparsity": 0.5}]}}, 400, "does not fit"),
        ({"goal": {"minSparsity": 0.5}, "colour": "red"}, 400, "no field 'colour'"),
    ],
    ids=str,
)
async def test_what_is_wrong_is_said(
    api: Any, project_url: str, body: Any, status: int, said: str
) -> None:
    answer = await api("POST", project_url + "/plans", body)
    assert (answer.status, said in answer.message) == (status, True), answer.message


class TestJobsOfPlans:
    @pytest.fixture
    def jp_server_config(self, jp_server_config: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.syspath_prepend(Path(__file__).parent)
        monkeypatch.setattr(StudioApp, "job_work", "small_job:slow")
        return jp_server_config

    async def test_one_at_a_time_for_one_plan(self, api: Any, project_url: str) -> None:
        plans = project_url + "/plans"
        for name in ("mine", "other"):
            await api("POST", plans, {"name": name, "goal": {"sparsity": 0.5}})
        accepted = await api("POST", plans + "/mine/verify", {"async": True, "samples": 3})
        assert accepted.status == 202
        job = check(accepted.json["job"], "Job")
        assert job["title"] == "verification of plan 'mine'"
        assert job["options"] == {"samples": 3, "version": 1}
        for method, path in (("POST", "/verify"), ("POST", "/apply"), ("DELETE", "")):
            answer = await api(method, f"{plans}/mine{path}")
            assert (answer.status, job["id"] in answer.message) == (409, True), path
        assert (await api("POST", plans + "/other/apply", {"async": True})).status == 202
        for body in ({"samples": 0}, {"version": "1"}, {"speed": 1}, {"async": 1}):
            assert (await api("POST", plans + "/other/verify", body)).status == 400, body
        assert (await api("POST", plans + "/none/verify")).status == 404
        cancelled = await api("DELETE", f"/api/jobs/{job['id']}")
        assert cancelled.json["job"]["state"] == "cancelled"
        assert (await api("GET", plans + "/mine")).json["plan"]["verifications"] == []
