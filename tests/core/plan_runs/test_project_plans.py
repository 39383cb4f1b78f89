"""Plans of a project: solved, kept with their history, proven, applied, exported."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import onnx.numpy_helper
import onnxruntime as ort
import pytest

from studio_core.errors import (
    ForbiddenPathError,
    InfeasibleError,
    InvalidRequestError,
    NotFoundError,
)
from studio_core.plan_runs.request import ParetoRequest
from studio_core.plan_runs.verifying import VerifyOptions
from studio_core.workbench import Workbench


def verified(plans, project, name, version=None, **options):
    for _ in plans.verify_iter(project, name, VerifyOptions(**options), version):
        pass
    return plans.verification(project, name, version)


def applied(plans, project, name):
    for _ in plans.apply_iter(project, name):
        pass
    return plans.pruned(project, name), plans.pruned_file(project, name)


def error_of(plans, project, path):
    """The mean relative L2 error of the model in a file, run on its own."""
    samples = plans.samples(project, VerifyOptions())
    source = plans._projects.session(project).model.path
    before, after = (
        ort.InferenceSession(p).run(None, dict(samples.inputs))[0].reshape(samples.num_samples, -1)
        for p in (source, path)
    )
    return (np.linalg.norm(after - before, axis=1) / np.linalg.norm(before, axis=1)).mean()


def weights(path):
    return {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}


def test_a_goal_is_solved_for_by_the_analysis_that_is_named(plans, project, wanted):
    solved = plans.solve(project, wanted(goal={"maxLoss": 0.15}, analysis="measured"))
    assert solved.plan.sparsities == {"a": 0.25, "b": 0.75, "y": 0.0}
    assert solved.predicted.value == pytest.approx(0.15)
    assert solved.predicted.standard_error == pytest.approx(np.hypot(0.01, 0.01))
    assert [reason.layer_id for reason in solved.solution.reasons] == ["a", "b", "y"]
    assert plans.summaries(project) == [], "nothing is saved"


def test_layers_are_limited_by_id_or_weight_name(plans, project, wanted):
    goal = {
        "minSparsity": 0.3, "locked": {"first_weight": 0.6}, "highest": {"b": 0.25},
        "lowest": {"third_weight": 0.5},
    }  # fmt: skip
    plan = plans.solve(project, wanted(goal=goal, analysis="measured")).plan
    assert plan.sparsities == {"a": 0.6, "b": 0.25, "y": 0.5}
    assert plan.locked == {"a"}
    with pytest.raises(NotFoundError, match="no layer 'first'"):
        plans.solve(project, wanted(goal={"minSparsity": 0.1, "highest": {"first": 0}}))


def test_what_cannot_be_reached_says_what_can(plans, project, wanted):
    goal = {"maxLoss": 0.1, "minSparsity": 0.7}
    with pytest.raises(InfeasibleError, match="the best that known levels"):
        plans.solve(project, wanted(goal=goal, analysis="measured"))
    with pytest.raises(InvalidRequestError, match="No latency was measured"):
        plans.solve(project, wanted(goal={"maxLatencyShare": 0.5}))
    with pytest.raises(NotFoundError, match="'other'"):
        plans.solve(project, wanted(goal={"maxLoss": 1}, analysis="other"))


def test_measured_times_bound_a_plan(plans, project, wanted, workbench):
    def point(sparsity, timing):
        return {"sparsity": sparsity, "flops": 1.0, "timing": timing}

    layers = [
        {"id": i, "baseline": point(0, 1.0), "sparse": [point(s, 1 - s) for s in (0.25, 0.5, 0.75)]}
        for i in ("a", "b", "y")
    ]
    workbench.save_analysis(project, "perf", "timed", {"layerSensitivities": layers})
    request = wanted(goal={"maxLatencyMs": 2.3}, analysis="measured", perfAnalysis="timed")
    assert plans.solve(project, request).plan.sparsities == {"a": 0.0, "b": 0.75, "y": 0.0}


def test_every_save_is_a_version_and_nothing_is_lost(plans, project, wanted):
    request = {"name": "mild", "analysis": "measured"}
    first = plans.save(project, wanted(**request, note="ä first", goal={"maxLoss": 0.05}))
    second = plans.save(project, wanted(**request, goal={"maxLoss": 0.5}))
    other = plans.save(project, wanted(goal={"sparsity": 0.5}, parent="mild"))
    assert (first.version, first.parent) == (1, None)
    assert (second.version, second.parent) == (2, {"name": "mild", "version": 1})
    assert (other.name, other.parent) == ("plan-1", {"name": "mild", "version": 2})
    assert [p["name"] for p in plans.summaries(project)] == ["plan-1", "mild"]
    assert [p["note"] for p in plans.history(project, "mild")] == ["ä first", ""]
    assert plans.get(project, "mild", 1) == first and plans.get(project, "mild") == second
    assert first.goal["maxLoss"] == 0.05 and first.analysis == "measured"
    noted = plans.annotate(project, "mild", "better", 1)
    assert noted.note == plans.get(project, "mild", 1).note == "better"
    assert plans.get(project, "mild").note == ""
    plans.delete(project, "mild")
    assert [p["name"] for p in plans.summaries(project)] == ["plan-1"]
    with pytest.raises(NotFoundError, match="No pruning plan named 'mild'"):
        plans.history(project, "mild")
    with pytest.raises(InvalidRequestError, match="at most 4000"):
        plans.annotate(project, "plan-1", "x" * 4001)


def test_several_write_to_one_plan(plans, project, wanted):
    plans.save(project, wanted(name="p", goal={"sparsity": 0.5}))

    def write(number):
        plans.save(project, wanted(name="p", note=str(number), goal={"sparsity": 0.5}))
        verified(plans, project, "p", 1, metric="relative_l2", samples=2)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(8)))
    history = plans.history(project, "p")
    assert {p["note"] for p in history[1:]} == set(map(str, range(8)))
    assert history[0]["numVerifications"] == 8


def test_plans_without_a_name_that_are_saved_at_once_are_plans_of_their_own(plans, project, wanted):
    with ThreadPoolExecutor(6) as pool:
        saved = list(
            pool.map(lambda _: plans.save(project, wanted(goal={"sparsity": 0.5})), range(6))
        )
    assert sorted(plan.name for plan in saved) == [f"plan-{n}" for n in range(1, 7)]
    assert {(plan.version, plan.parent) for plan in saved} == {(1, None)}


def test_a_plan_by_hand_is_fitted_to_the_model(plans, project, wanted):
    layers = [{"id": "second_weight", "sparsity": 0.4, "locked": True}]
    saved = plans.save(project, wanted(plan={"layers": layers}))
    assert (saved.plan.sparsities, saved.plan.locked, saved.goal) == ({"b": 0.4}, {"b"}, None)
    for layers, said in (
        ([{"id": "none", "sparsity": 0.4}], "The plan does not fit this model"),
        ([{"id": "b", "sparsity": 4}], "a fraction from 0 to 1"),
        ([{"id": i, "sparsity": 0.4} for i in ("b", "second_weight")], "names one layer twice"),
    ):
        with pytest.raises(InvalidRequestError, match=said):
            plans.solve(project, wanted(plan={"layers": layers}))


def test_a_run_stands_beside_the_prediction_and_corrects_the_next(plans, project, wanted):
    request = {"name": "p", "analysis": "measured", "goal": {"maxLoss": 0.4}}
    saved = plans.save(project, wanted(**request))
    found = verified(plans, project, "p")
    assert found["isComparable"] and found["loss"]["numSamples"] == 20
    assert found["predicted"]["value"] == saved.expected["predicted"]["value"]
    assert found["keepsGoal"] is (found["loss"]["mean"] <= 0.4)
    assert plans.get(project, "p").verifications == (found,)

    plan = saved.to_document()["plan"]
    again = plans.solve(project, wanted(plan=plan, analysis="measured"))
    assert again.calibration.num_points == 1
    assert again.predicted.value == pytest.approx(found["loss"]["mean"])
    plain = plans.solve(project, wanted(plan=plan, analysis="measured", calibrate=False))
    assert plain.predicted.value == pytest.approx(saved.expected["predicted"]["value"])
    verified(plans, project, "p", metric="cosine")
    assert len(plans.proven(project)) == 2
    more = plans.solve(project, wanted(plan=plan, analysis="measured"))
    assert more.calibration.num_points == 1, "another metric teaches nothing here"


def test_samples_can_be_left_out(plans, project, wanted):
    plans.save(project, wanted(name="p", goal={"sparsity": 0.5}))
    assert verified(plans, project, "p", skip=15)["loss"]["numSamples"] == 5
    assert verified(plans, project, "p", skip=4, samples=3)["loss"]["numSamples"] == 3
    with pytest.raises(InvalidRequestError, match="There are 20 samples"):
        verified(plans, project, "p", skip=20)


def test_a_plan_outlives_its_analysis(plans, project, wanted, workbench):
    plans.save(project, wanted(name="p", analysis="measured", goal={"maxLoss": 0.4}))
    folder = workbench.project(project).folder
    (folder / "analyses" / "loss" / "measured.json").unlink()
    found = verified(plans, project, "p")
    assert found["predicted"]["source"] == "estimated" and not found["isComparable"]


def test_a_damaged_plan_hides_no_other(plans, project, wanted, workbench):
    for name in ("good", "bad", "worse"):
        plans.save(project, wanted(name=name, goal={"sparsity": 0.5}))
    folder = workbench.project(project).folder / "plans"
    (folder / "bad" / "1.json").write_text("{")
    (folder / "worse" / "1.json").write_text("{}")
    faults = {p["name"]: p["fault"] for p in plans.summaries(project)}
    assert faults["good"] is None
    assert "damaged" in faults["bad"] and "damaged" in faults["worse"]


def test_the_pruned_model_is_what_was_verified(plans, project, wanted, workbench):
    saved = plans.save(project, wanted(name="p", goal={"sparsity": 0.5}))
    with pytest.raises(NotFoundError, match="was not applied yet"):
        plans.pruned(project, "p")
    found = verified(plans, project, "p", metric="relative_l2")
    document, path = applied(plans, project, "p")
    assert (document["folder"], path.name) == ("plans/p", "p-1.onnx")
    assert document["sparsity"] == pytest.approx(found["costs"]["sparsity"])
    assert document["bytesBefore"] == workbench.project(project).model_path.stat().st_size
    assert document["bytesAfter"] == path.stat().st_size == document["files"][0]["bytes"]

    assert found["loss"]["mean"] == pytest.approx(error_of(plans, project, path), rel=1e-4)
    zeros = {n: float((w == 0).mean()) for n, w in weights(path).items()}
    asked = {saved.plan.weight_names[i]: s for i, s in saved.plan.sparsities.items()}
    assert {n: zeros[n] for n in asked} == pytest.approx(asked, abs=0.05)
    for file in ("../project.json", "1.json", "p-1.onnx/"):
        with pytest.raises(NotFoundError, match="no such file"):
            plans.pruned_file(project, "p", file=file)
    path.unlink()
    with pytest.raises(NotFoundError, match="Apply the plan again"):
        plans.pruned_file(project, "p")
    applied(plans, project, "p")
    path.unlink()
    path.symlink_to(workbench.project(project).model_path)
    with pytest.raises(ForbiddenPathError):
        plans.pruned_file(project, "p")


def test_n_of_m_is_planned_run_and_written_as_a_pattern(plans, convs, wanted):
    goal = {"minSparsity": 0.3, "granularity": {"layers": {"wa": "2:4", "wb": "2:4"}}}
    saved = plans.save(convs, wanted(name="p", goal=goal))
    assert {saved.plan.sparsities[i] for i in ("a", "b")} <= {0.0, 0.5}
    assert any("pruned by 2:4" in note for note in saved.expected["notes"])
    found = verified(plans, convs, "p", metric="relative_l2")
    document, path = applied(plans, convs, "p")
    assert document["sparsity"] == pytest.approx(found["costs"]["sparsity"])
    assert found["loss"]["mean"] == pytest.approx(error_of(plans, convs, path), rel=1e-4)
    for layer_id, name in (("a", "wa"), ("b", "wb")):
        groups = weights(path)[name].reshape(32, -1, 4)
        kept = np.count_nonzero(groups, axis=-1)
        assert (kept == (2 if saved.plan.sparsities[layer_id] else 4)).all()


def test_channels_are_removed_and_what_runs_is_the_smaller_model(plans, convs, wanted):
    goal = {"sparsity": 0.5, "granularity": {"layers": {"a": "channel"}}, "locked": {"a": 0.5}}
    saved = plans.save(convs, wanted(name="p", goal=goal))
    found = verified(plans, convs, "p", metric="relative_l2")
    document, path = applied(plans, convs, "p")
    assert weights(path)["wa"].shape[0] == 16 and weights(path)["wb"].shape[:2] == (32, 16)
    assert document["sparsity"] == pytest.approx(found["costs"]["sparsity"])
    assert document["bytesAfter"] < document["bytesBefore"]
    left = {name: np.count_nonzero(w) for name, w in weights(path).items()}
    total = 32 * 16 + 32 * 32 + 16 * 32
    assert found["costs"]["numZeros"] == total - sum(left.values())
    assert found["costs"]["flops"] == 16 * sum(left.values())

    assert found["loss"]["mean"] == pytest.approx(error_of(plans, convs, path), rel=1e-4)
    assert saved.removal.of("b").granularity == "element"


def test_what_a_pattern_cannot_prune_stays_dense_or_is_refused(plans, convs, wanted):
    solved = plans.solve(convs, wanted(goal={"minSparsity": 0.2, "granularity": "channel"}))
    assert solved.plan.sparsities["y"] == 0.0
    assert any("'y' stays dense" in note and "output" in note for note in solved.notes)
    layers = {"granularity": {"layers": {"y": "channel"}}}
    with pytest.raises(InvalidRequestError, match="'y' cannot be pruned by channel"):
        plans.solve(convs, wanted(goal={"minSparsity": 0.2, **layers}))
    mixed = {"granularity": {"default": "2:4", "layers": {"a": "4:8"}}}
    with pytest.raises(InvalidRequestError, match="the same M"):
        plans.solve(convs, wanted(goal={"minSparsity": 0.2, **mixed}))


@pytest.mark.parametrize("name", ["sparseml", "llm-compressor", "json", "csv", "pytorch", "npz"])
def test_exports_say_what_is_to_be_known(plans, project, wanted, name):
    plans.save(project, wanted(name="p", goal={"sparsity": 0.5}))
    kind, exported, file_name = plans.export(project, "p", name, {})
    assert exported.content and file_name in (f"p-1{kind.suffix}", f"p-1.{name}{kind.suffix}")
    if name == "json":
        assert len(json.loads(exported.content)["layers"]) == 3


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("yaml", {}),
        ("csv", {"epochs": 3}),
        ("sparseml", {"training_epochs": "many"}),
        ("sparseml", {"state_dict": "/etc/passwd"}),
        ("llm-compressor", {"start": 3, "end": 1}),
        ("pytorch", {"method": "guess"}),
    ],
)
def test_wrong_exports_are_refused(plans, project, wanted, name, options):
    plans.save(project, wanted(name="p", goal={"sparsity": 0.5}))
    with pytest.raises(InvalidRequestError):
        plans.export(project, "p", name, options)


def test_the_trade_off(plans, project):
    points = plans.pareto(project, ParetoRequest.from_document({"analysis": "measured"}))
    losses = [point.loss.value for point in points]
    assert losses == sorted(losses) and losses[0] == 0 and len(points) > 4
    goal = {"maxLoss": 0.2, "highest": {"a": 0.0}}
    request = ParetoRequest.from_document({"analysis": "measured", "goal": goal, "points": 5})
    bounded = plans.pareto(project, request)
    assert all(p.loss.value <= 0.2 and p.plan.sparsities["a"] == 0 for p in bounded)
    for document in ({"quantity": "loss"}, {"points": 1}, {"points": 500}, {"quantities": "x"}):
        with pytest.raises(InvalidRequestError):
            ParetoRequest.from_document(document)


def test_the_accuracy_bound_is_kept_by_a_plan_that_was_run(tmp_path, wanted):
    plans = (workbench := Workbench(tmp_path)).plans
    project = workbench.create_project("sample:digits_cnn", {}).id
    workbench.run_estimate(project, "loss", "coarse", levels=[0.3, 0.6, 0.9])
    data = {"data": "sample:digits_cnn", "samples": 40, "analysis": "coarse"}
    found = {}
    for bound in (0.0, 0.1):
        request = wanted(name="p", goal={"maxAccuracyLoss": bound}, **data)
        steps = list(plans.search_iter(project, request))
        assert steps[-1].done == steps[-1].total and "accuracy" in steps[-1].message
        saved = plans.get(project, "p")
        (proof,) = saved.verifications
        accuracy = proof["accuracy"]
        assert accuracy["dense"] - accuracy["pruned"] <= bound + 1e-12 and proof["keepsGoal"]
        found[bound] = proof["costs"]["sparsity"]
        again = verified(plans, project, "p", data="sample:digits_cnn", samples=40)
        assert again["accuracy"] == accuracy
    assert 0.1 < found[0.0] < found[0.1]
    for change, said in (({"data": None}, "labels"), ({"goal": {"maxAccuracyLoss": 0.1,
                         "minimize": "loss"}}, "something else than loss")):  # fmt: skip
        request = wanted(**{"goal": {"maxAccuracyLoss": 0.1}, **data, **change})
        with pytest.raises(InvalidRequestError, match=said):
            list(plans.search_iter(project, request))
