"""What is noticed about a model: each rule with what makes it speak and what keeps it silent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from studio_core.finding import Finding
from studio_core.findings import model_findings
from studio_core.findings.gathering import MOST_OF_A_KIND
from studio_core.plan_runs.removal import Removal
from studio_core.plans import PruningPlan
from studio_core.sensitivity import Analysis, AnalysisKind, LossCurve, Metric, PerfCurve, Source
from studio_core.sensitivity.analysis import ChannelCurve
from studio_core.session import Session

OpenText = Callable[..., Session]

LEVELS = np.array([0.25, 0.5, 0.75])
METRIC = Metric("relative_error", "relative error", "", False, "", additive_power=1.0)


def names(findings: Sequence[Finding]) -> list[str]:
    return [finding.name for finding in findings]


def found(findings: Sequence[Finding], name: str) -> Finding:
    """The one finding of that name."""
    (finding,) = [f for f in findings if f.name == name]
    return finding


def losses(
    session: Session,
    values: Sequence[Sequence[float]],
    errors: float | None = None,
    source: Source = Source.MEASURED,
    **provenance: Any,
) -> Analysis:
    curves = tuple(
        LossCurve(
            layer.id,
            layer.name,
            LEVELS,
            np.array(row, float),
            standard_errors=None if errors is None else np.full(3, errors),
        )
        for layer, row in zip(session.prunable_layers, values, strict=False)
    )
    return Analysis(AnalysisKind.LOSS, "night", source, METRIC, curves, provenance)


def times(
    session: Session, rows: Sequence[Sequence[float]], channels: bool = False, **provenance: Any
) -> Analysis:
    """A perf analysis in which every layer takes 1 ms dense."""
    unknown = np.full(3, np.nan)
    curves = tuple(
        PerfCurve(
            layer.id, layer.name, LEVELS, unknown, None, np.array(row), 1.0,
            channels=ChannelCurve(unknown, unknown, unknown, np.array(row) / 2, unknown)
            if channels else None,
        )
        for layer, row in zip(session.prunable_layers, rows, strict=True)
    )  # fmt: skip
    return Analysis(AnalysisKind.PERF, "clock", Source.MEASURED, METRIC, curves, provenance)


def plan(session: Session, *sparsities: float) -> PruningPlan:
    pairs = zip(session.prunable_layers, sparsities, strict=True)
    return PruningPlan({layer.id: sparsity for layer, sparsity in pairs})


FLAT = [[1.0, 1.0, 1.0]] * 3


def test_a_plain_model_has_nothing_to_tell(mlp: Session) -> None:
    assert model_findings(mlp) == ()


# Sensitive layers


def test_a_layer_that_costs_more_than_it_brings_is_named(mlp: Session) -> None:
    # 'third_weight' has 8 of 44 weights and 0.9 of 1.1 of the loss.
    night = losses(mlp, [[0, 0.1, 0.2], [0, 0.1, 0.2], [0.1, 0.9, 1.0]])
    finding = found(model_findings(mlp, plan(mlp, 0.5, 0.5, 0.5), night), "sensitive layer")
    assert finding.subject == mlp.prunable_layers[2].id
    assert finding.severity == "warning"
    assert "81.8 %" in finding.evidence
    assert "18.2 %" in finding.evidence
    assert "Lock it at 25.0 %" in finding.remedy


def test_a_loss_within_its_error_makes_no_layer_sensitive(mlp: Session) -> None:
    night = losses(mlp, [[0, 0.1, 0.2], [0, 0.1, 0.2], [0.1, 0.9, 1.0]], errors=0.6)
    assert "sensitive layer" not in names(model_findings(mlp, plan(mlp, 0.5, 0.5, 0.5), night))


def test_layers_that_cost_what_they_bring_are_not_sensitive(mlp: Session) -> None:
    night = losses(mlp, [[0.1, 0.12, 0.2], [0.1, 0.24, 0.3], [0.01, 0.08, 0.1]])
    assert "sensitive layer" not in names(model_findings(mlp, plan(mlp, 0.5, 0.5, 0.5), night))


# Time


def test_sparsity_that_brings_nothing_is_told_once_for_the_model(mlp: Session) -> None:
    clock = times(mlp, FLAT, engine="onnxruntime")
    finding = found(model_findings(mlp, plan(mlp, 0.5, 0.5, 0.5), perf=clock), "no gain")
    assert finding.subject is None
    assert "None of the 3" in finding.evidence
    assert "onnxruntime" in finding.evidence


def test_the_one_layer_that_gets_no_faster_is_named(mlp: Session) -> None:
    clock = times(mlp, [[0.9, 0.6, 0.4], [1.0, 1.0, 0.5], [0.9, 0.6, 0.4]])
    finding = found(model_findings(mlp, plan(mlp, 0.5, 0.5, 0.5), perf=clock), "no gain")
    assert finding.subject == mlp.prunable_layers[1].id


def test_channels_are_judged_by_their_own_times(mlp: Session) -> None:
    clock, half = times(mlp, FLAT, channels=True), plan(mlp, 0.5, 0.5, 0.5)
    removal = Removal.from_document("channel")
    assert "no gain" in names(model_findings(mlp, half, perf=clock))
    assert "no gain" not in names(model_findings(mlp, half, perf=clock, removal=removal))


def test_a_plan_without_measured_times_says_so(mlp: Session) -> None:
    assert "time not measured" in names(model_findings(mlp, plan(mlp, 0.5, 0.5, 0.5)))
    assert "time not measured" in names(model_findings(mlp, plan(mlp, 0.5, 0, 0), perf=mlp.perf))
    assert "time not measured" not in names(model_findings(mlp, plan(mlp, 0, 0, 0)))
    clock = times(mlp, FLAT)
    assert "time not measured" not in names(
        model_findings(mlp, plan(mlp, 0.5, 0.5, 0.5), perf=clock)
    )


@pytest.mark.parametrize(("high", "is_noisy"), [(1.3, True), (1.05, False)])
def test_a_busy_machine_is_noticed(mlp: Session, high: float, is_noisy: bool) -> None:
    clock = times(mlp, FLAT, run={"total": {"median": 1.0, "q1": 1.0, "q3": high}})
    assert ("noisy times" in names(model_findings(mlp, perf=clock))) is is_noisy


def test_a_provenance_of_nonsense_is_passed_over(mlp: Session) -> None:
    clock = times(mlp, FLAT, run={"total": {"median": "x", "q1": None}}, notMeasured=["?"])
    assert names(model_findings(mlp, perf=clock)) == []


# Weights


def zeroed(open_text: OpenText, a: np.ndarray, b: np.ndarray) -> Session:
    text = "g (float[N,4] x) => (float[N,4] y) { h = MatMul (x, a)  y = MatMul (h, b) }"
    return open_text(text, {"a": a.astype(np.float32), "b": b.astype(np.float32)})


def test_weights_that_are_zero_already_are_counted(open_text: OpenText) -> None:
    half = np.ones((4, 4))
    half[:2] = 0
    session = zeroed(open_text, half, np.zeros((4, 4)))
    findings = model_findings(session)
    assert names(findings) == ["all weights zero", "zero weights"]
    assert findings[0].subject == "y"
    assert findings[1].evidence == "8 of 16 weights (50.0 %) are zero."


def test_a_target_below_the_zeros_that_are_there_changes_nothing(open_text: OpenText) -> None:
    half = np.ones((4, 4))
    half[:2] = 0
    session = zeroed(open_text, half, np.ones((4, 4)))
    low = PruningPlan({"h": 0.4, "y": 0.4})
    finding = found(model_findings(session, low), "target below present zeros")
    assert finding.subject == "h"
    more = PruningPlan({"h": 0.6, "y": 0.4})
    assert "target below present zeros" not in names(model_findings(session, more))


def shared(open_text: OpenText) -> Session:
    text = "g (float[N,2] x) => (float[N,2] y) { h = MatMul (x, w)  y = MatMul (h, w) }"
    return open_text(text, {"w": np.ones((2, 2), np.float32)})


def test_layers_with_one_weight_are_told_together(open_text: OpenText) -> None:
    finding = found(model_findings(shared(open_text)), "shared weight")
    assert finding.severity == "note"
    assert "h, y" in finding.evidence


def test_one_weight_cannot_have_two_targets(open_text: OpenText) -> None:
    findings = model_findings(shared(open_text), PruningPlan({"h": 0.5, "y": 0.25}))
    assert findings[0].name == "one weight, several targets"
    assert findings[0].severity == "error"


def test_many_findings_of_a_kind_become_one(open_text: OpenText) -> None:
    number = MOST_OF_A_KIND + 3
    steps = "".join(f"v{i + 1} = MatMul (v{i}, w{i}) " for i in range(number))
    text = f"g (float[N,2] v0) => (float[N,2] v{number}) {{ {steps} }}"
    half = np.array([[0, 1], [0, 1]], np.float32)
    session = open_text(text, {f"w{i}": half + 0 for i in range(number)})
    findings = model_findings(session)
    assert names(findings) == ["zero weights"] * (MOST_OF_A_KIND + 1)
    assert "3 more" in findings[-1].hazard
    assert findings[-1].evidence == "w8, w9, w10"
    assert findings[-1].subject is None


# Channels


def test_channels_go_in_whole_blocks(open_text: OpenText) -> None:
    text = "g (float[N,4] x) => (float[N,40] y) { h = MatMul (x, a)  y = MatMul (h, b) }"
    rng = np.random.default_rng(0)
    session = open_text(
        text,
        {
            "a": rng.normal(size=(4, 8)).astype(np.float32),
            "b": rng.normal(size=(8, 40)).astype(np.float32),
        },
    )
    findings = model_findings(
        session, PruningPlan({"h": 0.3, "y": 0.5}), removal=Removal.from_document("channel")
    )
    assert found(findings, "no whole block of channels").subject == "h"
    assert found(findings, "uneven channels").subject == "y"
    unstructured = model_findings(session, PruningPlan({"h": 0.3, "y": 0.5}))
    assert "uneven channels" not in names(unstructured)


# Measurements


def test_random_data_are_named(mlp: Session) -> None:
    rows = [[0.1, 0.2, 0.3], [1, 2, 3], [10, 20, 30]]
    night = losses(mlp, rows, errors=0.001, generatedData=True, numSamples=5)
    assert (
        "5 samples of generated data"
        in found(model_findings(mlp, None, night), "random data").evidence
    )
    own = losses(mlp, rows, errors=0.001, generatedData=False)
    assert model_findings(mlp, None, own) == ()


@pytest.mark.parametrize(("error", "is_told"), [(5.0, True), (0.01, False)])
def test_errors_as_large_as_the_differences_are_told(
    mlp: Session, error: float, is_told: bool
) -> None:
    night = losses(mlp, [[0, 0, 1], [0, 1, 2], [0, 2, 3]], errors=error, numSamples=2)
    assert ("too few samples" in names(model_findings(mlp, None, night))) is is_told


def test_one_sample_has_no_errors(mlp: Session) -> None:
    night = losses(mlp, FLAT, errors=float("nan"), numSamples=1)
    assert names(model_findings(mlp, None, night)) == ["no errors known"]


def test_layers_that_were_not_measured_are_told_with_the_reason(mlp: Session) -> None:
    last = mlp.prunable_layers[2]
    night = losses(mlp, FLAT[:2], errors=0.0, notMeasured={last.id: "It is in a loop."})
    finding = found(model_findings(mlp, None, night), "layer not measured")
    assert (finding.severity, finding.subject) == ("note", last.id)
    planned = found(model_findings(mlp, plan(mlp, 0, 0, 0.5), night), "layer not measured")
    assert planned.severity == "warning"
    assert planned.evidence == "It is in a loop. The plan prunes it to 50.0 %."


def test_layers_without_a_curve_and_missing_points_are_told(mlp: Session) -> None:
    night = losses(mlp, [[0, 1, np.nan], [0, 1, 2]], errors=0.0)
    findings = model_findings(mlp, None, night)
    assert found(findings, "layers without a curve").evidence == (
        "1 of 3 have no curve: third_weight."
    )
    assert "1 of 6 points" in found(findings, "unfinished analysis").evidence


def test_an_analysis_of_another_file_is_noticed(mlp: Session) -> None:
    rows = [[0, 1, 2], [2, 4, 6], [5, 7, 9]]
    other = losses(mlp, rows, errors=0.0, modelSha256="0" * 64)
    assert names(model_findings(mlp, None, other)) == ["other model"]
    own = losses(mlp, rows, errors=0.0, modelSha256=mlp.model.sha256())
    assert model_findings(mlp, None, own) == ()


# Runs of the plan


def run_of_plan(**changed: Any) -> Mapping[str, Any]:
    return {
        "loss": {"mean": 0.1, "standardError": 0.01, "metric": "m", "numSamples": 9},
        "accuracy": None,
        "latency": None,
        "predicted": {"value": 0.11, "standardError": 0.01},
        "isComparable": True,
        "onRandomData": False,
        "skipped": {},
        "keepsGoal": True,
        **changed,
    }


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"predicted": {"value": 0.9, "standardError": 0.01}}, "far from prediction"),
        ({"onRandomData": True}, "random data in proof"),
        ({"keepsGoal": False}, "goal missed"),
        ({"skipped": {"gone": "It is not there."}}, "layer left out"),
        (
            {"latency": {"denseMs": 2.0, "prunedMs": 1.99, "denseSpreadMs": 0.1,
                         "prunedSpreadMs": 0.1}},
            "no faster",
        ),
    ],
)  # fmt: skip
def test_what_the_run_of_a_plan_tells(mlp: Session, changed: dict[str, Any], name: str) -> None:
    half = plan(mlp, 0.5, 0.5, 0.5)
    good = model_findings(mlp, half, verifications=[run_of_plan()])
    assert "plan not verified" not in names(good)
    assert name not in names(good)
    assert name in names(model_findings(mlp, half, verifications=[run_of_plan(**changed)]))
    # Only the last run counts.
    runs = [run_of_plan(**changed), run_of_plan()]
    assert name not in names(model_findings(mlp, half, verifications=runs))


def test_a_prediction_with_a_large_error_is_not_wrong(mlp: Session) -> None:
    vague = run_of_plan(predicted={"value": 0.9, "standardError": 0.8})
    half = plan(mlp, 0.5, 0.5, 0.5)
    assert "far from prediction" not in names(model_findings(mlp, half, verifications=[vague]))


def test_a_plan_that_was_never_run_is_only_predicted(mlp: Session) -> None:
    assert "plan not verified" in names(model_findings(mlp, plan(mlp, 0.5, 0.5, 0.5)))


def test_the_gravest_come_first_and_say_what_to_do(mlp: Session) -> None:
    runs = [run_of_plan(keepsGoal=False, skipped={"gone": "It is not there."})]
    findings = model_findings(mlp, plan(mlp, 0.5, 0.5, 0.5), verifications=runs)
    ranks = [("error", "warning", "note").index(f.severity) for f in findings]
    assert ranks == sorted(ranks)
    assert len(findings) >= 3
    assert all(f.hazard and f.evidence and f.remedy for f in findings)
