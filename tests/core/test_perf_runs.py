"""Measured performance through the use cases: run, kept while it runs, ended, gone on with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from studio_core.analysis_runs import RunOptions
from studio_core.errors import InvalidRequestError
from studio_core.jobs.analysis_work import run, run_options
from studio_core.jobs.order import Order
from studio_core.pruning.masks import Granularity
from studio_core.sensitivity import AnalysisKind, Source
from studio_core.sensitivity.sweep.perf_documents import perf_measurements_of, run_profile_of
from studio_core.sensitivity.sweep.profile import OnnxRuntimeEngine
from studio_core.sensitivity.sweep.timing import Verdict
from studio_core.workbench import Workbench

FAST = {"levels": (0.5, 0.9), "iterations": 2, "warmup": 0}


@pytest.fixture
def workbench(tmp_path) -> Workbench:
    return Workbench(tmp_path / "projects")


@pytest.fixture
def project(workbench, mlp):
    return workbench.create_project(mlp.model.path, {"projectName": "mine"})


def last(steps):
    found = list(steps)
    return found[-1]


def test_a_session_measures_and_says_how_far_it_is(mlp):
    steps = list(mlp.measure_perf(**FAST, num_threads=1))
    counts = [step.done for step in steps]
    assert counts == list(range(len(steps)))
    # The run, two levels of three layers each with zeros and with channels, three sizes.
    assert steps[-1].done == steps[-1].total == 1 + 2 * 3 * 2 + 3
    assert steps[1].message == "the run as it is"
    analysis = steps[-1].analysis()
    assert (analysis.kind, analysis.source) == (AnalysisKind.PERF, Source.MEASURED)
    profile = run_profile_of(analysis)
    assert profile.num_threads == 1 and profile.iterations == 2


def test_before_a_level_is_measured_it_is_unknown(mlp):
    steps = mlp.measure_perf(**FAST)
    assert next(steps).analysis().curves[0].baseline_timing_ms is None
    assert next(steps).message == "the run as it is"
    step = next(steps)
    early = step.analysis().curves[1]
    assert early.timings_ms is None and early.baseline_timing_ms is not None
    assert np.isnan(early.channels.timings_ms).all()


def test_a_workbench_keeps_what_it_measures_and_answers_it(workbench, project):
    step = last(workbench.run_analysis_iter(project.id, "perf", "timed", RunOptions(**FAST)))
    document = workbench.analysis_document(project.id, "perf", "timed")
    assert document["complete"] is True and document["source"] == "measured"
    saved = workbench.analysis(project.id, "perf", "timed")
    assert saved.run_ms == step.analysis().run_ms
    assert len(perf_measurements_of(saved)) == 12


def test_a_run_that_was_ended_goes_on_where_it_was(workbench, project):
    options = RunOptions(**FAST)
    steps = workbench.run_analysis_iter(project.id, "perf", "timed", options)
    for step in steps:
        if step.done == 6:
            break
    steps.close()
    document = workbench.analysis_document(project.id, "perf", "timed")
    assert document["complete"] is False
    before = {m["id"]: m for m in document["provenance"]["timings"]}
    resumed = RunOptions(**FAST, resume=True)
    first, *_, end = workbench.run_analysis_iter(project.id, "perf", "timed", resumed)
    assert (first.done, end.done, end.total) == (6, 16, 16)
    after = workbench.analysis_document(project.id, "perf", "timed")
    assert after["complete"] is True
    assert after["provenance"]["run"] == document["provenance"]["run"]
    assert [m for m in after["provenance"]["timings"] if m in before.values()] != []
    # Under other conditions the earlier times say nothing.
    other = RunOptions(**{**FAST, "iterations": 3}, resume=True)
    assert next(workbench.run_analysis_iter(project.id, "perf", "timed", other)).done == 0


def test_a_job_does_the_same_in_its_own_keys(workbench, project, tmp_path):
    given = {
        "sparsityLevels": [0.5],
        "iterations": 2,
        "warmup": 0,
        "numThreads": 2,
        "granularity": "element",
    }
    options = run_options(given)
    assert (options.num_threads, options.granularity) == (2, "element")
    order = Order(
        job_id="j",
        attempt=1,
        work="",
        project_root=str(tmp_path / "projects"),
        model_roots=None,
        project_id=project.id,
        kind="perf",
        name="job",
        options=given,
    )
    step = last(run(order))
    assert step.done == step.total == 1 + 3 + 3
    known = workbench.analysis_document(project.id, "perf", "job")["provenance"]
    assert known["numThreads"] == 2 and known["granularities"] == ["element"]


@pytest.mark.parametrize("name", ["n:m", "2:4", "block"])
def test_what_cannot_be_timed_is_refused(mlp, name):
    with pytest.raises(InvalidRequestError, match="Without a granularity both are"):
        next(mlp.measure_perf(granularity=name))


def test_an_engine_of_no_threads_is_refused(mlp):
    with pytest.raises(InvalidRequestError, match="number of threads"):
        next(mlp.measure_perf(num_threads=0))


@dataclass(frozen=True)
class OtherEngine(OnnxRuntimeEngine):
    """Another runtime by the small interface: onnxruntime, under another name."""

    @property
    def name(self) -> str:
        return "other"

    @property
    def version(self) -> str:
        return "7"


def test_another_engine_measures_by_the_same_interface(mlp):
    step = last(mlp.measure_perf(**FAST, engine=OtherEngine(2)))
    known = step.analysis().provenance
    assert (known["engine"], known["numThreads"], known["versions"]["other"]) == ("other", 2, "7")
    # What one engine measured is not gone on with by another.
    again = next(mlp.measure_perf(**FAST, earlier=step.analysis()))
    assert again.done == 0


def test_no_data_is_needed_and_data_given_is_used(mlp):
    def origin(data):
        return last(mlp.measure_perf(data, **FAST)).analysis().provenance["generatedData"]

    shape = [d if isinstance(d, int) else 1 for d in mlp.model.inputs[0].shape]
    assert origin(None) is True
    assert origin(np.zeros(shape, np.float32)) is False


def test_the_analysis_can_be_planned_with(mlp):
    perf = last(mlp.measure_perf(**FAST)).analysis()
    planner = mlp.planner_over(perf=perf)
    plan = planner.distribute(0.5)
    found = planner.predict_latency(plan)
    assert found.source is Source.MEASURED
    same = all(m.comparison.verdict is Verdict.SAME for m in perf_measurements_of(perf))
    assert found.dense_ms == pytest.approx(perf.run_ms)
    if same:  # two iterations prove no difference, so nothing is gained
        assert found.value_ms == pytest.approx(perf.run_ms)
    assert mlp.planner_over(perf=perf, granularity=Granularity.CHANNEL).granularity == "channel"
