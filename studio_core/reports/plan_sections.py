"""The sections about a plan: what it asks of each layer, what it should bring, and its proof."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from studio_core import quantities
from studio_core.documents import Document
from studio_core.layers import Layer
from studio_core.plan_runs.removal import Removal
from studio_core.plans import PruningPlan
from studio_core.reports.model_sections import MOST_ROWS, left_out
from studio_core.reports.numbers import known, milliseconds, part, significant, with_error
from studio_core.reports.records import (
    Block,
    Column,
    Fact,
    Facts,
    Interval,
    IntervalChart,
    Meter,
    Paragraph,
    Section,
    Table,
)
from studio_core.sensitivity import Analysis, LossCurve
from studio_core.session import Session

_CAPITAL = re.compile("[A-Z]")


def plan_section(
    session: Session,
    plan: PruningPlan,
    removal: Removal,
    loss: Analysis,
    expected: Mapping[str, Any],
    goal: Mapping[str, Any] | None = None,
) -> Section:
    """``expected`` is what a saved plan keeps of its making: prediction, solution, notes."""
    estimate = session.planner.estimate(plan)
    predicted = part(expected, "predicted")
    facts = [
        Fact("Sparsity", quantities.percent(estimate.sparsity), "of the prunable weights"),
        Fact("Work left", quantities.percent(estimate.flops_share), "if every zero were skipped"),
        Fact(
            "Weights on disk",
            quantities.size(estimate.bytes_sparse),
            f"as mask and values; dense {quantities.size(estimate.bytes_dense)}",
        ),
    ]
    if predicted:
        value, unit = known(predicted.get("value")), str(predicted.get("metric", ""))
        facts.append(_loss_fact("Predicted loss", value, predicted, unit))
    blocks: list[Block] = [
        Facts(tuple(facts), is_main=True),
        Facts(tuple(_asked(plan, removal, goal))),
    ]
    blocks += [Paragraph(str(note)) for note in _list(expected.get("notes"))]
    if estimate.note:
        blocks.append(Paragraph(estimate.note))
    blocks.append(_layer_table(session, plan, removal, loss))
    blocks += list(_reason_table(session, plan, _reasons(expected)))
    return Section("Pruning plan", tuple(blocks))


def _loss_fact(label: str, value: float | None, said: Mapping[str, Any], note: str) -> Fact:
    error = known(said.get("standardError"))
    return Fact(label, significant(value), note if error is None else f"± {error:.2g}, {note}")


def _asked(plan: PruningPlan, removal: Removal, goal: Mapping[str, Any] | None) -> Iterator[Fact]:
    asked = "set by hand" if plan.target is None else f"sparsity {quantities.percent(plan.target)}"
    yield Fact("Asked for", _goal_text(goal) or asked)
    yield Fact("Removed as one", str(removal.default))
    yield Fact("Locked layers", f"{len(plan.locked):,}")


def _goal_text(goal: Mapping[str, Any] | None) -> str:
    """``minSparsity: 0.8`` → ``min sparsity 0.8``."""
    said = {k: v for k, v in (goal or {}).items() if isinstance(v, (int, float, str))}
    shown = {k: v for k, v in said.items() if k != "maxSparsity"}  # a limit of single layers
    return ", ".join(f"{_CAPITAL.sub(_as_word, key)} {value}" for key, value in shown.items())


def _as_word(capital: re.Match[str]) -> str:
    return f" {capital[0].lower()}"


def _reasons(expected: Mapping[str, Any]) -> dict[str, str]:
    """Why each layer got its sparsity, by layer id, where the plan was solved for."""
    given = _list(part(expected, "solution").get("reasons"))
    told = [reason for reason in given if isinstance(reason, Mapping)]
    return {str(r.get("id")): str(r["text"]) for r in told if isinstance(r.get("text"), str)}


def _layer_table(session: Session, plan: PruningPlan, removal: Removal, loss: Analysis) -> Table:
    layers = [x for x in session.prunable_layers if x.id in plan.sparsities]
    columns = (
        Column("Layer", is_name=True),
        Column("Weights", is_number=True),
        Column("Sparsity", is_number=True),
        Column(f"Loss alone ({loss.source})", is_number=True),
        Column("Removed"),
    )
    rows = tuple(_layer_row(layer, plan, removal, loss) for layer in layers[:MOST_ROWS])
    note = f"Loss alone: with this layer pruned and no other.{left_out(len(layers))}"
    return Table(columns, rows, note)


def _reason_table(
    session: Session, plan: PruningPlan, reasons: Mapping[str, str]
) -> Iterator[Table]:
    """Why each layer got its sparsity, where the plan was solved for."""
    rows = tuple(
        (layer.name, quantities.percent(plan.sparsities[layer.id]), reasons[layer.id])
        for layer in session.prunable_layers
        if layer.id in reasons and layer.id in plan.sparsities
    )
    if rows:
        columns = (
            Column("Layer", is_name=True),
            Column("Sparsity", is_number=True),
            Column("Why"),
        )
        folded = "Why each layer got its sparsity"
        yield Table(columns, rows[:MOST_ROWS], left_out(len(rows)).strip(), folded=folded)


def _layer_row(
    layer: Layer, plan: PruningPlan, removal: Removal, loss: Analysis
) -> tuple[str | Meter, ...]:
    sparsity, curve = plan.sparsities[layer.id], loss.curve(layer.id)
    value = curve.at(sparsity) if isinstance(curve, LossCurve) else None
    lock = ", locked" if layer.id in plan.locked else ""
    return (
        layer.name,
        quantities.count(layer.weight_size),
        Meter(quantities.percent(sparsity), sparsity),
        significant(value),
        f"{removal.of(layer.id)}{lock}" if sparsity > 0 else f"nothing{lock}",
    )


def proof_section(verifications: Sequence[Document]) -> Section | None:
    """Predicted beside actual of the last run, and all runs; None where there was none."""
    if not verifications:
        return None
    last = verifications[-1]
    blocks: list[Block] = [Facts(tuple(_proof_facts(last)), is_main=True)]
    chart = _predicted_and_actual(last)
    blocks += [chart] if chart is not None else []
    blocks.append(Paragraph(_circumstances(last)))
    if len(verifications) > 1:
        blocks.append(_runs(verifications))
    return Section("Verification", tuple(blocks))


def _proof_facts(found: Document) -> Iterator[Fact]:
    loss, accuracy, latency = (part(found, key) for key in ("loss", "accuracy", "latency"))
    of = f"{loss.get('metric', '')}, {loss.get('numSamples')} samples"
    yield _loss_fact("Actual loss", known(loss.get("mean")), loss, of)
    if accuracy:
        dense, pruned = (known(accuracy.get(key)) for key in ("dense", "pruned"))
        yield Fact("Accuracy", quantities.percent(pruned), f"dense {quantities.percent(dense)}")
    costs = part(found, "costs")
    if costs:
        yield Fact("Sparsity", quantities.percent(known(costs.get("sparsity"))), "counted")
        compressed = known(costs.get("bytesCompressed"))
        if compressed is not None:
            dense_bytes = quantities.size(known(costs.get("bytesCompressedDense")))
            yield Fact("Compressed weights", quantities.size(compressed), f"dense {dense_bytes}")
    if latency:
        dense_ms = milliseconds(known(latency.get("denseMs")))
        shown = milliseconds(known(latency.get("prunedMs")))
        yield Fact("Time of a batch", shown, f"dense {dense_ms}")
    if found.get("keepsGoal") is not None:
        yield Fact("Goal", "kept" if found["keepsGoal"] else "missed")


def _predicted_and_actual(found: Document) -> IntervalChart | None:
    predicted, actual = part(found, "predicted"), part(found, "loss")
    value, mean = known(predicted.get("value")), known(actual.get("mean"))
    if not found.get("isComparable") or value is None or mean is None:
        return None
    errors = [known(document.get("standardError")) for document in (predicted, actual)]
    return IntervalChart(
        "Loss predicted before the run, and seen in it (± 2 standard errors)",
        str(actual.get("metric", "loss")),
        (
            Interval("predicted", value, errors[0], with_error(value, errors[0])),
            Interval("actual", mean, errors[1], with_error(mean, errors[1])),
        ),
    )


def _circumstances(found: Document) -> str:
    data = found.get("data")
    on = "generated data" if found.get("onRandomData") else (f"the data '{data}'" if data else "")
    predicted = part(found, "predicted").get("statement")
    words = [f"Run on {on}." if on else "", str(predicted) if predicted else ""]
    if part(found, "predicted") and not found.get("isComparable"):
        words.append("The prediction has another unit than the loss and cannot be compared.")
    return " ".join(filter(None, words)) or "Run on the samples that were given."


def _runs(verifications: Sequence[Document]) -> Table:
    columns = (
        Column("Run"),
        Column("Samples", is_number=True),
        Column("Predicted", is_number=True),
        Column("Actual", is_number=True),
        Column("Accuracy", is_number=True),
    )
    return Table(columns, tuple(map(_run_row, verifications)), caption="All runs of this plan")


def _run_row(found: Document) -> tuple[str, ...]:
    predicted, loss, accuracy = (part(found, key) for key in ("predicted", "loss", "accuracy"))
    return (
        str(found.get("createdAt") or "–")[:16].replace("T", " "),
        str(loss.get("numSamples", "–")),
        with_error(known(predicted.get("value")), known(predicted.get("standardError"))),
        with_error(known(loss.get("mean")), known(loss.get("standardError"))),
        quantities.percent(known(accuracy.get("pruned"))),
    )


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []
