"""The same model, data, settings and seed give the same numbers, to the last bit.

Each measurement is made twice, by threads, by processes, and in two halves; its record names
what it depends on, and two records that differ say in which words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pytest

from studio_core.analysis_runs import PREPARING, RunOptions, run_loss, run_perf
from studio_core.comparison import compare_analyses
from studio_core.comparison.documents import analysis_comparison_document
from studio_core.evaluation import conditions as recorded
from studio_core.evaluation.conditions import differences
from studio_core.evaluation.data import Samples, generate_samples, samples_from
from studio_core.plan_runs.documents import verification_document
from studio_core.plans.verification import Verification, verify
from studio_core.samples import sample_data, sample_path
from studio_core.sensitivity import Analysis, AnalysisKind, LossCurve
from studio_core.sensitivity.documents import from_document, to_document
from studio_core.session import Session

LEVELS = (0.5, 0.9)
RECORDED = {
    "modelSha256", "dataSha256", "generatedData", "seed", "numThreads", "executionProvider",
    "versions", "cpu", "platform", "metric", "granularity", "numSamples", "batchSize",
}  # fmt: skip


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.open(sample_path("digits_cnn"))


@pytest.fixture(scope="module")
def samples(session: Session) -> Samples:
    data = sample_data("digits_cnn")
    return samples_from({**data.inputs, "labels": data.labels}, session.model).first(12)


def sweep(session: Session, samples: Samples, **options: Any) -> Analysis:
    return last(run_loss(session.model, session.layers, samples, told(options), "swept"))


def told(options: Mapping[str, Any]) -> RunOptions:
    return RunOptions(**{"levels": LEVELS, "metric": "softmax_kl", "batch_size": 4, **options})


def last(run: Iterable[Any]) -> Analysis:
    *_, progress = run
    analysis: Analysis = progress.analysis()
    return analysis


def bits(analysis: Analysis) -> dict[str, tuple[bytes, ...]]:
    """The numbers of each curve as they are in memory."""
    return {
        curve.layer_id: (
            curve.losses.tobytes(),
            b"" if curve.standard_errors is None else curve.standard_errors.tobytes(),
        )
        for curve in analysis.curves
        if isinstance(curve, LossCurve)
    }


@pytest.fixture(scope="module")
def swept(session: Session, samples: Samples) -> Analysis:
    return sweep(session, samples)


def test_a_sweep_again_is_the_same_and_so_is_its_record(session, samples, swept):
    again = sweep(Session.open(session.model.path), samples)
    assert bits(again) == bits(swept)
    assert again.provenance == swept.provenance
    assert to_document(again) == to_document(swept)


def test_a_sweep_in_processes_is_the_same(session, samples, swept):
    assert bits(sweep(session, samples, workers=2)) == bits(swept)


def test_a_sweep_in_two_halves_through_its_document_is_the_same(session, samples, swept):
    options = told({})
    first = run_loss(session.model, session.layers, samples, options, "swept")
    for _ in range(len(session.prunable_layers) + 2):
        half = next(first)
    first.close()
    saved = json.loads(json.dumps(to_document(half.analysis())))
    earlier = from_document(AnalysisKind.LOSS, "swept", saved)
    rest = run_loss(session.model, session.layers, samples, options, "swept", earlier)
    begun = next(rest)
    assert begun.done == half.done > 0 and begun.message == PREPARING
    whole = last(rest)
    assert bits(whole) == bits(swept)
    assert whole.provenance == swept.provenance


def test_generated_data_is_the_same_for_the_same_seed(session):
    one, two = (generate_samples(session.model, 3, seed=7) for _ in range(2))
    assert one.sha256() == two.sha256() and one.seed == 7
    assert one.first(2).seed == one.after(1).seed == samples_from(one, session.model).seed == 7
    found = [sweep(session, data) for data in (one, two)]
    assert bits(found[0]) == bits(found[1]) and found[0].provenance["seed"] == 7


def test_the_estimate_from_data_again_is_the_same(session, samples):
    estimates = [last(session.estimate_from_data(samples, levels=LEVELS)) for _ in range(2)]
    assert bits(estimates[0]) == bits(estimates[1])
    assert all(np.isfinite(c.losses).all() for c in estimates[0].curves)
    assert estimates[0].provenance == estimates[1].provenance
    assert set(estimates[0].provenance) >= RECORDED


def test_a_verification_again_is_the_same_and_records_what_it_needs(session, samples):
    plan = session.planner.distribute(0.6)

    def run() -> Verification:
        return verify(session.model, session.layers, plan, samples, "cross_entropy")

    one, two = run(), run()
    assert one == two and one.loss.mean.hex() == two.loss.mean.hex()
    kept = verification_document(one)["provenance"]
    assert set(kept) >= RECORDED
    assert (kept["metric"], kept["numSamples"], kept["seed"]) == ("cross_entropy", 12, None)
    assert kept["dataSha256"] == samples.sha256()


def test_a_sweep_records_what_it_needs(session, samples, swept):
    kept = to_document(swept)["provenance"]
    assert set(kept) >= RECORDED
    assert set(kept["versions"]) == {"onnxruntime", "onnx", "numpy", "studio"}
    assert kept["executionProvider"] == "CPUExecutionProvider" and kept["numThreads"] == 1
    assert kept["modelSha256"] == session.model.sha256() and kept["cpu"]


# What differs, in words


def another_runtime(kept: dict[str, Any]) -> None:
    kept["versions"] = {**kept["versions"], "onnxruntime": "1.0.0"}


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "runtime": (another_runtime, r"another onnxruntime \(1\.0\.0 and "),
    "model": (lambda kept: kept.update(modelSha256="0"), "another model$"),
    "data": (lambda kept: kept.update(dataSha256="0"), "other data$"),
    "metric": (lambda kept: kept.update(metric="cosine"), r"metric \(cosine and softmax_kl\)"),
    "samples": (lambda kept: kept.update(numSamples=11), r"samples \(11 and 12\)"),
    "batch": (lambda kept: kept.update(batchSize=3), r"batch size \(3 and 4\)"),
    "pattern": (lambda kept: kept.update(granularity="2:4"), r"\(2:4 and element\)"),
    "processor": (lambda kept: kept.update(cpu="Abacus"), r"another processor \(Abacus and "),
    "no record": (lambda kept: kept.clear(), "no 'modelSha256' on record; "),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_measured_otherwise_is_measured_anew_and_why_is_said(
    session, samples, swept, name
):
    change, words = CHANGES[name]
    document = json.loads(json.dumps(to_document(swept)))
    change(document["provenance"])
    earlier = from_document(AnalysisKind.LOSS, "swept", document)
    run = run_loss(session.model, session.layers, samples, told({}), "swept", earlier)
    begun = next(run)
    run.close()
    assert begun.done == 0
    assert begun.message.startswith("measuring anew, since what was measured before is not ")
    assert re.search(words, begun.message), begun.message


def test_another_studio_goes_on_but_a_comparison_names_it(session, samples, swept):
    document = json.loads(json.dumps(to_document(swept)))
    document["provenance"]["versions"]["studio"] = "0.0.1"
    older = from_document(AnalysisKind.LOSS, "older", document)
    run = run_loss(session.model, session.layers, samples, told({}), "swept", older)
    assert next(run).done == 2 * len(session.prunable_layers)
    run.close()
    found = compare_analyses(older, swept)
    (note,) = analysis_comparison_document(found, 0.8)["notes"]
    assert note.startswith("Not measured alike: another Studio (0.0.1 and ")
    assert compare_analyses(swept, swept).notes == ()
    assert compare_analyses(session.loss, swept).notes == ()


def test_another_processor_is_not_taken_for_the_same(session):
    earlier = last(run_perf(session.model, session.layers, None, timed(), "timed"))
    again = run_perf(session.model, session.layers, None, timed(), "timed", earlier)
    assert next(again).done > 1
    moved = Analysis(**{**vars(earlier), "provenance": {**earlier.provenance, "cpu": "Abacus"}})
    fresh = run_perf(session.model, session.layers, None, timed(), "timed", moved)
    begun = next(fresh)
    assert begun.done == 0 and "another processor (Abacus and " in begun.message
    for run in (again, fresh):
        run.close()


def timed() -> RunOptions:
    return RunOptions(levels=[0.5], iterations=2, warmup=0, granularity="element")


def test_records_that_are_no_records_differ_in_nothing():
    odd = {"versions": [1], "cpu": {"a": 1}, "metric": "x" * 1000}
    assert differences(odd, {"versions": None}) == ()
    (words,) = differences(odd, {"metric": "y"})
    assert len(words) < 200
    assert set(recorded.measured_versions()) == {"onnxruntime", "onnx", "numpy", "studio"}
