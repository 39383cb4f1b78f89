"""Findings, reports and comparisons over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest

from tests.widgets.modules import TWO_LAYERS, two_layers

from .conftest import Api
from .test_openapi import check

HOSTILE = '<img src=x onerror="alert(1)">'


async def _save_plan(api: Api, project_url: str, name: str, sparsity: float) -> None:
    wanted = {"name": name, "goal": {"minSparsity": sparsity}}
    assert (await api("POST", project_url + "/plans", wanted)).status == 200


async def _save_estimate(api: Api, project_url: str, kind: str, name: str) -> None:
    url = f"{project_url}/sparse-analysis/{kind}/{name}"
    assert (await api("POST", url, {"source": "estimated"})).status == 200


async def test_findings_are_of_the_latest_plan_unless_another_is_named(
    api: Api, project_url: str
) -> None:
    url = project_url + "/findings"
    before = (await api("GET", url)).json
    check(before, "Findings")
    assert before["lookedAt"] == "Looked at: the weights of 4 layers."
    await _save_plan(api, project_url, "mild", 0.1)
    await _save_plan(api, project_url, "harsh", 0.9)
    latest, mild, harsh = [
        (await api("GET", url + query)).json for query in ("", "?plan=mild", "?plan=harsh@1")
    ]
    check(latest, "Findings")
    assert "the plan" in latest["lookedAt"]
    assert latest == harsh
    assert latest["findings"] != before["findings"]
    assert mild["findings"] != before["findings"]
    order = [("error", "warning", "note").index(f["severity"]) for f in latest["findings"]]
    assert order == sorted(order)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("/findings?plan=none", 404),
        ("/findings?plan=..%2fx", 400),
        ("/findings?plan=a@b", 400),
        ("/findings?loss=none", 404),
        ("/report?perf=none", 404),
        ("/report?format=pdf", 400),
        ("/comparison/models", 400),
        ("/comparison/models?with=none", 404),
        ("/comparison/plans?left=a", 400),
        ("/comparison/plans?left=a&right=b", 404),
        ("/comparison/sparse-analysis/loss?left=a&right=b", 404),
        ("/comparison/sparse-analysis/loss?left=approx&right=approx&sparsity=nan", 400),
        ("/comparison/sparse-analysis/loss?left=approx&right=approx&sparsity=2", 400),
        ("/comparison/sparse-analysis/size?left=approx&right=approx", 404),
    ],
)
async def test_what_is_not_there_or_wrong_is_said(
    api: Api, project_url: str, query: str, status: int
) -> None:
    answer = await api("GET", project_url + query)
    assert answer.status == status, answer.body
    assert len(answer.message) > 10
    assert "Content-Disposition" not in answer.headers


async def test_a_report_comes_as_a_file_that_no_browser_runs(
    api: Api, jp_root_dir: Path, model_file: Path
) -> None:
    proto = onnx.load(model_file)
    proto.producer_name = HOSTILE
    onnx.save(proto, model_file)
    wanted = {"modelPath": model_file.name, "projectConfig": {"projectName": HOSTILE}}
    project_id = (await api("POST", "/api/projects", wanted)).json["projectId"]
    url = f"/api/projects/{project_id}/report"
    answer = await api("GET", f"{url}?title=A%20title")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy.split("; ")
    assert "script-src" not in policy and "allow-scripts" not in policy
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="')
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    text = answer.body.decode("utf-8")
    assert "<h1>A title</h1>" in text
    assert HOSTILE not in text
    assert "&lt;img src=x" in text
    markdown = await api("GET", f"{url}?format=markdown")
    assert markdown.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert markdown.headers["Content-Disposition"].endswith('-report.md"')
    assert markdown.body.decode("utf-8").startswith("# ")


async def test_two_plans_two_analyses_and_two_models_side_by_side(
    api: Api, project_url: str, model_file: Path
) -> None:
    await _save_plan(api, project_url, "mild", 0.1)
    await _save_plan(api, project_url, "mild", 0.9)
    url = project_url + "/comparison"
    plans = (await api("GET", url + "/plans?left=mild@1&right=mild")).json
    check(plans, "Comparison")
    assert plans["kind"] == "plans" and plans["numChanged"] > 0
    assert any(row["difference"] > 0 for row in plans["layers"])

    await _save_estimate(api, project_url, "perf", "monday")
    path = "/sparse-analysis/perf?left=monday&right=approx&sparsity=0.5"
    analyses = (await api("GET", url + path)).json
    check(analyses, "Comparison")
    assert analyses["rankCorrelation"] == {"sparsity": 0.5, "value": pytest.approx(1.0)}
    assert len(analyses["layers"]) > 1

    wanted = {"modelPath": model_file.name, "projectConfig": {}}
    other = (await api("POST", "/api/projects", wanted)).json["projectId"]
    models = (await api("GET", f"{url}/models?with={other}")).json
    check(models, "Comparison")
    assert [row["isChanged"] for row in models["layers"]] == [False] * len(models["layers"])
    assert models["match"]["certainty"] == 1.0


async def test_a_plan_and_an_analysis_may_be_named_comparison(api: Api, project_url: str) -> None:
    await _save_plan(api, project_url, "comparison", 0.5)
    await _save_estimate(api, project_url, "loss", "comparison")
    plan = await api("GET", project_url + "/plans/comparison")
    assert plan.json["plan"]["name"] == "comparison"
    analysis = await api("GET", project_url + "/sparse-analysis/loss/comparison")
    assert "layerSensitivities" in analysis.json or "loss" in analysis.json


async def test_a_module_is_asked_about_by_its_path(api: Api, jp_root_dir: Path) -> None:
    name = two_layers(jp_root_dir).name
    found = (await api("POST", "/api/studio/findings", {"modelPath": name})).json
    check(found, "Findings")
    assert found["lookedAt"] == "Looked at: the memory of 8 operations."
    assert {"chip assumed"} <= {f["name"] for f in found["findings"]}
    report = await api("POST", "/api/studio/report", {"modelPath": name, "title": "Mine"})
    assert report.headers["Content-Disposition"] == 'attachment; filename="two_layers-report.html"'
    assert b"<h1>Mine</h1>" in report.body
    assert "sandbox" in report.headers["Content-Security-Policy"]
    text = await api("POST", "/api/studio/report", {"modelPath": name, "format": "markdown"})
    assert text.body.startswith(b"# two\\_layers") or text.body.startswith(b"# two_layers")


async def test_two_modules_and_two_models_by_their_paths(
    api: Api, jp_root_dir: Path, model_file: Path
) -> None:
    left = two_layers(jp_root_dir).name
    (jp_root_dir / "other.mlir").write_text(
        TWO_LAYERS.replace("dimension = 1 : si32", "dimension = 0 : si32"), encoding="utf-8"
    )
    url = "/api/studio/comparison"
    graphs = (await api("POST", url, {"left": left, "right": "other.mlir"})).json
    check(graphs, "Comparison")
    assert [change["rightLabel"] for change in graphs["changes"]] == ["ttnn.softmax"]
    models = (await api("POST", url, {"left": model_file.name, "right": model_file.name})).json
    assert models["kind"] == "models"
    mixed = await api("POST", url, {"left": left, "right": model_file.name})
    assert mixed.status == 400
    assert "two of a kind" in mixed.message


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({}, 400),
        ({"modelPath": 3}, 400),
        ({"modelPath": "absent.mlir"}, 404),
        ({"modelPath": "../outside.mlir"}, 403),
        ({"modelPath": "/etc/passwd"}, 403),
        ({"modelPath": "notes.txt"}, 400),
        ({"modelPath": "."}, 400),
        ({"modelPath": "broken.mlir"}, 400),
        ({"modelPath": "sample:digits_cnn", "policy": "x"}, 400),
    ],
)
async def test_a_path_that_cannot_be_asked_about_is_refused(
    api: Api, jp_root_dir: Path, document: Any, status: int
) -> None:
    (jp_root_dir / "notes.txt").write_text("a secret")
    (jp_root_dir / "broken.mlir").write_text("module {")
    (jp_root_dir.parent / "outside.mlir").write_text(TWO_LAYERS, encoding="utf-8")
    for path in ("/api/studio/findings", "/api/studio/report"):
        answer = await api("POST", path, document)
        assert answer.status == status, (path, answer.body)
        assert b"secret" not in answer.body
        assert answer.message
