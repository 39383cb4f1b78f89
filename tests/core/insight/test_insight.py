from __future__ import annotations

from pathlib import Path

import pytest

from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.finding import SEVERITIES
from studio_core.findings import module_findings
from studio_core.guarded import Guard
from studio_core.insight import (
    ModelSubject,
    ModuleSubject,
    comparison_document,
    findings_document,
    open_subject,
)
from studio_core.plan_runs.request import PlanRequest
from studio_core.samples import module_path, sample_path
from studio_core.sensitivity import AnalysisKind
from studio_core.session import Session
from studio_core.workbench import Workbench


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path / "projects")


@pytest.fixture
def project_id(bench: Workbench) -> str:
    return bench.create_project("sample:digits_cnn", {"projectName": "digits"}).id


def _save(bench: Workbench, project_id: str, name: str, sparsity: float) -> None:
    document = {"name": name, "goal": {"minSparsity": sparsity}}
    bench.plans.save(project_id, PlanRequest.from_document(document))


def test_of_a_project_the_most_recent_is_taken_unless_another_is_named(
    bench: Workbench, project_id: str
) -> None:
    bare = bench.insight.subject(project_id)
    assert (bare.plan, bare.loss, bare.perf) == (None, None, None)
    _save(bench, project_id, "mild", 0.2)
    _save(bench, project_id, "mild", 0.4)
    _save(bench, project_id, "harsh", 0.9)
    bench.run_estimate(project_id, AnalysisKind.LOSS, "monday")
    latest = bench.insight.subject(project_id)
    assert latest.plan is not None and latest.loss is not None
    assert (latest.plan.name, latest.loss.name) == ("harsh", "monday")
    named = bench.insight.subject(project_id, plan="mild@1", loss="approx")
    assert (named.plan.name, named.plan.version) == ("mild", 1)
    assert named.loss is not None and named.loss.name != "monday"
    for wanted in ({"plan": "gone"}, {"plan": "mild@9"}, {"loss": "gone"}, {"perf": "gone"}):
        with pytest.raises(NotFoundError):
            bench.insight.subject(project_id, **wanted)


def test_two_versions_of_a_plan(bench: Workbench, project_id: str) -> None:
    _save(bench, project_id, "mild", 0.2)
    _save(bench, project_id, "mild", 0.9)
    found = bench.insight.compare_plans(project_id, "mild@1", "mild@2")
    assert found.num_changed > 0
    assert sum(row.difference for row in found.rows if row.difference is not None) > 0
    with pytest.raises(InvalidRequestError, match="no number of a version"):
        bench.insight.compare_plans(project_id, "mild@1", "mild@two")


def test_a_saved_plan_brings_its_removal_and_its_runs(bench: Workbench, project_id: str) -> None:
    goal = {"minSparsity": 0.3, "granularity": "channel"}
    document = {"name": "narrow", "goal": goal}
    bench.plans.save(project_id, PlanRequest.from_document(document))
    names = {finding.name for finding in bench.insight.subject(project_id).findings()}
    session = bench.session(project_id)
    saved = bench.plans.get(project_id, "narrow")
    without = {f.name for f in ModelSubject(session, plan=saved.plan).findings()}
    assert names != without, "channels are judged by other rules than single weights"
    report = bench.insight.subject(project_id).report("Mine")
    assert report.title == "Mine"
    assert "plan 'narrow' version 1" in report.subtitle


def test_a_file_is_a_model_or_a_module(tmp_path: Path) -> None:
    guard = Guard()
    try:
        module = open_subject(module_path("feed_forward"), guard)
        model = open_subject(sample_path("digits_cnn"), guard)
        with pytest.raises(InvalidRequestError, match="no model and no module"):
            open_subject(tmp_path / "x.json", guard)
    finally:
        guard.close()
    assert isinstance(module, ModuleSubject)
    assert isinstance(model, ModelSubject)
    found = findings_document(module)
    assert [f["name"] for f in found["findings"]] == [
        f.name for f in module_findings(module.exploration)
    ]
    order = [SEVERITIES.index(f["severity"]) for f in found["findings"]]
    assert order == sorted(order)
    assert "the memory of" in found["lookedAt"]
    assert findings_document(model)["lookedAt"] == "Looked at: the weights of 14 layers."
    assert comparison_document(model, model)["kind"] == "models"
    assert comparison_document(module, module)["changes"] == []
    with pytest.raises(InvalidRequestError, match="Give two of a kind"):
        comparison_document(module, model)


def test_what_was_looked_at_names_the_plan_and_what_was_run() -> None:
    session = Session.open(sample_path("digits_cnn"))
    subject = ModelSubject(session, loss=session.loss, plan=session.planner.distribute(0.5))
    assert subject.looked_at() == "Looked at: the weights of 14 layers and the plan."
