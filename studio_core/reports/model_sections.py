"""The sections about a model itself: what it is, its layers, its sensitivities."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from studio_core import quantities
from studio_core.layers import Layer, ModelSummary
from studio_core.models.model import ValueInfo
from studio_core.pruning.masks import Granularity
from studio_core.reports.numbers import milliseconds, significant
from studio_core.reports.records import (
    Bar,
    BarChart,
    Block,
    Column,
    Fact,
    Facts,
    LineChart,
    Paragraph,
    Section,
    Series,
    Table,
)
from studio_core.sensitivity import Analysis, LossCurve, PerfCurve, Source
from studio_core.session import Session

MOST_ROWS = 250
"""Rows of a table; a page of thousands says less than the first few hundred."""

_MOST_REASONS = 4
_NUM_NAMED = 6
_MOST_BARS = 20
_LEVEL = 0.8
"""Where one number stands for a layer's whole curve."""


def summary_section(session: Session, about: Mapping[str, str]) -> Section:
    """The model card: what it is said to be, and what is counted."""
    summary = session.summary
    blocks: list[Block] = [Facts(tuple(_main_facts(summary)), is_main=True)]
    if about:
        blocks.append(Facts(tuple(Fact(key, value) for key, value in about.items())))
    blocks.append(Facts(tuple(_facts(summary))))
    blocks += [Paragraph(note) for note in summary.notes]
    return Section("Model", tuple(blocks))


def _main_facts(summary: ModelSummary) -> Iterator[Fact]:
    yield Fact("Parameters", quantities.count(summary.num_params))
    unknown = summary.num_macs_unknown
    note = f"without {unknown} layer(s) of unknown shape" if unknown else "for one sample"
    yield Fact("Multiply-accumulates", quantities.count(summary.macs), note)
    yield Fact("File size", quantities.size(summary.file_bytes))
    of = f"of {summary.num_layers:,} with weights or products"
    yield Fact("Prunable layers", f"{summary.num_prunable:,}", of)
    yield Fact("Zeros now", quantities.percent(summary.sparsity), "of the prunable weights")


def _facts(summary: ModelSummary) -> Iterator[Fact]:
    yield Fact("Nodes", f"{summary.num_nodes:,}")
    yield Fact("Operator set", summary.opset)
    yield Fact("Inputs", "; ".join(map(_value, summary.inputs)) or "none")
    yield Fact("Outputs", "; ".join(map(_value, summary.outputs)) or "none")


def _value(value: ValueInfo) -> str:
    return f"{value.name}: {value.dtype or '?'} {quantities.shape(value.shape)}"


def layers_section(session: Session, loss: Analysis) -> Section:
    columns = (
        Column("Layer", is_name=True),
        Column("Operator"),
        Column("Shape", is_number=True),
        Column("Parameters", is_number=True),
        Column("MACs", is_number=True),
        Column("Zeros", is_number=True),
        Column(f"Loss at {_LEVEL:g}", is_number=True),
        Column("Status"),
    )
    layers = session.layers
    rows = tuple(_layer_row(layer, loss) for layer in layers[:MOST_ROWS])
    note = (
        f"Loss at {_LEVEL:g}: {loss.metric.label}, {loss.source}, of the model with this layer "
        f"alone pruned to {quantities.percent(_LEVEL)}.{left_out(len(layers))}"
    )
    reasons = {layer.reason: layer.status.label for layer in layers if layer.reason}
    told = [f"{label.capitalize()}: {reason}" for reason, label in reasons.items()]
    return Section("Layers", (Table(columns, rows, " ".join([note, *told[:_MOST_REASONS]])),))


def left_out(number: int, most: int = MOST_ROWS) -> str:
    return f" The first {most:,} of {number:,} are shown." if number > most else ""


def _layer_row(layer: Layer, loss: Analysis) -> tuple[str, ...]:
    curve = loss.curve(layer.id)
    value = curve.at(_LEVEL) if isinstance(curve, LossCurve) else None
    return (
        layer.name,
        layer.op_type,
        quantities.shape(layer.weight_shape),
        quantities.count(layer.num_params) if layer.num_params else quantities.UNKNOWN,
        quantities.count(layer.macs),
        quantities.percent(layer.sparsity),
        significant(value),
        layer.status.label,
    )


def loss_section(loss: Analysis) -> Section | None:
    """The curves, the most fragile layers in colour; None where there is no curve."""
    curves = [c for c in loss.curves if isinstance(c, LossCurve) and np.isfinite(c.losses).any()]
    if not curves:
        return None
    fragile = sorted(curves, key=lambda c: -_height(c))[:_NUM_NAMED]
    main = {id(curve) for curve in fragile}
    kind = _kind(loss.source)
    shown = LineChart(
        f"{kind} loss of the model when one layer alone is pruned: {loss.metric.label}",
        "sparsity of the layer",
        loss.metric.label,
        tuple(_series(curve, id(curve) in main) for curve in _ordered(curves, fragile)),
        _curve_table(fragile),
    )
    named = f"The {len(fragile)} most fragile of {len(curves)} layers are named."
    return Section("Loss sensitivity", (Paragraph(f"{_sentence(loss)} {named}"), shown))


def _ordered(curves: list[LossCurve], first: list[LossCurve]) -> list[LossCurve]:
    """Those to be named in the order of the table, then the others."""
    named = {id(curve) for curve in first}
    return [*first, *(curve for curve in curves if id(curve) not in named)]


def _kind(source: Source) -> str:
    return str(source).capitalize()


def _sentence(analysis: Analysis) -> str:
    said = analysis.provenance
    if analysis.source is Source.ESTIMATED:
        return "Estimated from the weights alone; nothing was run."
    count, generated = said.get("numSamples"), said.get("generatedData")
    samples = f" on {count} samples" if count is not None else ""
    data = " of generated data" if generated is True else ""
    return f"{_kind(analysis.source)}{samples}{data}. {analysis.metric.description}".strip()


def _height(curve: LossCurve) -> float:
    value = curve.at(_LEVEL)
    return value if math.isfinite(value) else float(np.nanmax(curve.losses))


def _series(curve: LossCurve, is_main: bool) -> Series:
    values = [curve.baseline_loss, *curve.losses.tolist()]
    return Series(
        curve.layer_name,
        (0.0, *curve.sparsities.tolist()),
        tuple(v if math.isfinite(v) else None for v in values),
        is_main,
    )


def _curve_table(curves: list[LossCurve]) -> Table:
    """Rows are layers, columns levels: those of the first curve, at most 8 of them."""
    levels = curves[0].sparsities
    chosen = levels[np.unique(np.linspace(0, levels.size - 1, min(8, levels.size)).astype(int))]
    columns = (
        Column("Layer", is_name=True),
        *(Column(quantities.percent(level), is_number=True) for level in chosen.tolist()),
    )
    rows = tuple((c.layer_name, *(_at_level(c, s) for s in chosen.tolist())) for c in curves)
    return Table(columns, rows, "± is the standard error." if _has_errors(curves) else "")


def _at_level(curve: LossCurve, level: float) -> str:
    text = significant(curve.at(level))
    places = np.flatnonzero(np.isclose(curve.sparsities, level))
    if curve.standard_errors is None or not places.size:
        return text
    error = float(curve.standard_errors[places[0]])
    return text if math.isnan(error) else f"{text} ± {error:.1g}"


def _has_errors(curves: list[LossCurve]) -> bool:
    return any(c.standard_errors is not None for c in curves)


def perf_section(perf: Analysis) -> Section | None:
    """Where the time goes; where no time was measured, the work."""
    curves = [c for c in perf.curves if isinstance(c, PerfCurve)]
    timed = [(c, c.baseline_timing_ms) for c in curves if c.baseline_timing_ms]
    if not timed:
        return _work_section(curves)
    found = sorted(timed, key=lambda pair: -pair[1])
    total = perf.run_ms or sum(time for _, time in found)
    bars = tuple(_time_bar(curve, time, total) for curve, time in found[:_MOST_BARS])
    engine = perf.provenance.get("engine") or "the runtime"
    facts = Facts((Fact("Time of a run", milliseconds(total), f"on {engine}"),), is_main=True)
    note = f"The slowest {len(bars)} of {len(found)}." if len(found) > len(bars) else ""
    title = "Measured time of each layer, the slowest first"
    has_channels = any(bar.former is not None for bar in bars)
    legend = ("fewest channels timed", "dense") if has_channels else None
    return Section("Performance", (facts, BarChart(title, bars, legend, note)))


def _time_bar(curve: PerfCurve, dense: float, total: float) -> Bar:
    times = _fewest_channels(curve)
    share = f"{milliseconds(dense)}, {quantities.percent(dense / total)}"
    if times is None:
        return Bar(curve.layer_name, dense, share)
    return Bar(curve.layer_name, times, share, dense)


def _fewest_channels(curve: PerfCurve) -> float | None:
    """The time with the most channels removed that were timed; None where none was."""
    times = curve.timings_of(Granularity.CHANNEL)
    known = times[np.isfinite(times)] if times is not None else np.zeros(0)
    return float(known[-1]) if known.size else None


def _work_section(curves: list[PerfCurve]) -> Section | None:
    known = [(c, c.baseline_flops) for c in curves if c.baseline_flops]
    if not known:
        return None
    found = sorted(known, key=lambda pair: -pair[1])
    total = sum(work for _, work in found)
    bars = tuple(
        Bar(c.layer_name, w, f"{quantities.count(w)}, {quantities.percent(w / total)}")
        for c, w in found[:_MOST_BARS]
    )
    note = "No time was measured. Zeros save time only on a runtime that skips them."
    title = "Multiply-accumulates of each layer, the most first"
    return Section("Performance", (BarChart(title, bars, note=note),))
