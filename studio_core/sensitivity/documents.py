"""Analyses as JSON documents with the seed's own keys, both ways.

A document is what REST answers and what a project keeps on disk. A document that a caller
saves is checked here and kept word for word, so that it comes back equal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from studio_core.errors import InvalidRequestError
from studio_core.sensitivity.analysis import (
    Analysis,
    AnalysisKind,
    ChannelCurve,
    FloatArray,
    IntArray,
    LossCurve,
    Metric,
    PerfCurve,
    Source,
)
from studio_core.sensitivity.flops import FLOPS
from studio_core.sensitivity.magnitude import METRICS, MagnitudeMetric
from studio_core.sensitivity.point_documents import (
    CHANNEL_KEYS,
    channel_columns,
    read_stored,
    read_stored_levels,
    stored_document,
)

Document = dict[str, Any]
"""A JSON object; ``layerSensitivities`` holds the curves."""


def to_document(analysis: Analysis) -> Document:
    """The analysis as JSON-ready values; unknown numbers are null."""
    return {
        "layerSensitivities": [
            _loss_entry(c) if isinstance(c, LossCurve) else _perf_entry(c, analysis.source)
            for c in analysis.curves
        ],
        "kind": str(analysis.kind),
        "source": str(analysis.source),
        "metric": {
            "name": analysis.metric.name,
            "label": analysis.metric.label,
            "unit": analysis.metric.unit,
            "higherIsBetter": analysis.metric.higher_is_better,
            "description": analysis.metric.description,
            "additivePower": analysis.metric.additive_power,
        },
        "provenance": dict(analysis.provenance),
    }


def _loss_entry(curve: LossCurve) -> Document:
    return {
        "id": curve.layer_id,
        "name": curve.layer_name,
        "baseline": {"sparsity": 0.0, "loss": _known(curve.baseline_loss)},
        "sparse": [_loss_point(curve, i) for i in range(curve.sparsities.size)],
    }


def _loss_point(curve: LossCurve, i: int) -> Document:
    point: Document = {
        "sparsity": float(curve.sparsities[i]),
        "loss": _known(float(curve.losses[i])),
    }
    if curve.standard_errors is not None:
        point["standardError"] = _known(float(curve.standard_errors[i]))
    if curve.num_samples is not None:
        point["numSamples"] = int(curve.num_samples[i])
    return point


def _perf_entry(curve: PerfCurve, source: Source) -> Document:
    baseline = _perf_point(0.0, curve.baseline_flops, curve.baseline_timing_ms, source)
    if curve.baseline_spread_ms is not None:
        baseline["timingSpread"] = _known(curve.baseline_spread_ms)
    if curve.baseline_stored is not None:
        baseline["bytes"] = stored_document(curve.baseline_stored)
    return {
        "id": curve.layer_id,
        "name": curve.layer_name,
        "baseline": baseline,
        "sparse": [_sparse_point(curve, i, source) for i in range(curve.sparsities.size)],
    }


def _sparse_point(curve: PerfCurve, i: int, source: Source) -> Document:
    timing = None if curve.timings_ms is None else float(curve.timings_ms[i])
    point = _perf_point(float(curve.sparsities[i]), float(curve.flops[i]), timing, source)
    if curve.spreads_ms is not None:
        point["timingSpread"] = _known(float(curve.spreads_ms[i]))
    if curve.stored is not None:
        point["bytes"] = stored_document(curve.stored[i])
    if curve.channels is not None:
        columns = channel_columns(curve.channels)
        point["channels"] = {key: _known(float(column[i])) for key, column in columns.items()}
    return point


def _perf_point(
    sparsity: float, flops: float | None, timing: float | None, source: Source
) -> Document:
    point: Document = {"sparsity": sparsity, "flops": _known(flops), "timing": _known(timing)}
    if source is Source.ESTIMATED:
        point["timings"] = None  # the seed's spelling in estimates
    return point


def _known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def from_document(kind: AnalysisKind | str, name: str, document: Mapping[str, Any]) -> Analysis:
    """The analysis in a document; raises `InvalidRequestError` naming the first fault.

    Each entry needs ``id``, ``baseline`` and ``sparse``; each point a ``sparsity`` and
    ``loss`` (loss) or ``flops`` and ``timing`` (perf), null where unknown.
    """
    kind = AnalysisKind(kind)
    entries = document.get("layerSensitivities") if isinstance(document, Mapping) else None
    if not isinstance(entries, list):
        raise InvalidRequestError("An analysis needs a list of layer sensitivities.")
    read = _read_loss if kind is AnalysisKind.LOSS else _read_perf
    curves = tuple(read(entry, position) for position, entry in enumerate(entries))
    _check_unique([curve.layer_id for curve in curves])
    source = Source(document["source"]) if _names_a_source(document) else Source.UPLOADED
    provenance = document.get("provenance")
    return Analysis(
        kind,
        name,
        source,
        _read_metric(kind, document.get("metric")),
        curves,  # type: ignore[arg-type]
        provenance if isinstance(provenance, dict) else {},
    )


def _names_a_source(document: Mapping[str, Any]) -> bool:
    return document.get("source") in [s.value for s in Source]


def _check_unique(ids: list[str]) -> None:
    seen: set[str] = set()
    for layer_id in ids:
        if layer_id in seen:
            raise InvalidRequestError(f"Layer '{layer_id}' has two entries; give it one.")
        seen.add(layer_id)


def _read_loss(entry: Any, position: int) -> LossCurve:
    layer_id, baseline, points = _parts(entry, position)
    where = f"layer '{layer_id}'"
    return LossCurve(
        layer_id,
        str(entry.get("name", layer_id)),
        _column(points, "sparsity", where),
        _column(points, "loss", where),
        baseline_loss=_or_nan(_number(baseline, "loss", where)),
        standard_errors=_column_if_any(points, "standardError", where),
        num_samples=_counts(points, where),
    )


def _read_perf(entry: Any, position: int) -> PerfCurve:
    layer_id, baseline, points = _parts(entry, position)
    where = f"layer '{layer_id}'"
    timings = _column(points, "timing", where)
    return PerfCurve(
        layer_id,
        str(entry.get("name", layer_id)),
        _column(points, "sparsity", where),
        _column(points, "flops", where),
        baseline_flops=_number(baseline, "flops", where),
        timings_ms=None if np.all(np.isnan(timings)) else timings,
        baseline_timing_ms=_number(baseline, "timing", where),
        spreads_ms=_column_if_any(points, "timingSpread", where),
        baseline_spread_ms=_number(baseline, "timingSpread", where),
        stored=read_stored_levels(points),
        baseline_stored=read_stored(baseline),
        channels=_read_channels(points, where),
    )


def _read_channels(points: list[dict[str, Any]], where: str) -> ChannelCurve | None:
    parts = [point.get("channels") for point in points]
    if not all(isinstance(part, dict) for part in parts) or not parts:
        return None
    given = [part for part in parts if isinstance(part, dict)]
    return ChannelCurve(*(_column(given, key, where) for key in CHANNEL_KEYS))


def _parts(entry: Any, position: int) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str) or not entry["id"]:
        raise InvalidRequestError(f"Entry {position} needs an 'id': the layer's id, a string.")
    baseline, points = entry.get("baseline"), entry.get("sparse")
    if not isinstance(baseline, dict) or not isinstance(points, list):
        raise InvalidRequestError(
            f"Entry {position} (layer '{entry['id']}') needs a 'baseline' object and a "
            "'sparse' list."
        )
    if not all(isinstance(point, dict) for point in points):
        raise InvalidRequestError(f"The points of layer '{entry['id']}' must be objects.")
    return entry["id"], baseline, sorted(points, key=_sparsity_of)


def _sparsity_of(point: dict[str, Any]) -> float:
    sparsity = point.get("sparsity")
    if isinstance(sparsity, bool) or not isinstance(sparsity, (int, float)):
        raise InvalidRequestError("Each point needs a 'sparsity': a fraction from 0 to 1.")
    if not 0.0 <= sparsity <= 1.0:
        raise InvalidRequestError(f"Sparsity {sparsity} is not a fraction from 0 to 1.")
    return float(sparsity)


def _column(points: list[dict[str, Any]], key: str, where: str) -> FloatArray:
    values = (_number(point, key, where) for point in points)
    return np.array([_or_nan(v) for v in values], np.float64)


def _column_if_any(points: list[dict[str, Any]], key: str, where: str) -> FloatArray | None:
    return _column(points, key, where) if any(key in point for point in points) else None


def _counts(points: list[dict[str, Any]], where: str) -> IntArray | None:
    if not any("numSamples" in point for point in points):
        return None
    counts = [_number(point, "numSamples", where) or 0.0 for point in points]
    if not all(0 <= count < 2**53 and count == int(count) for count in counts):
        raise InvalidRequestError(f"'numSamples' of {where} must be whole numbers from 0 up.")
    return np.array(counts, np.int64)


def _power(given: Any) -> float:
    is_number = isinstance(given, (int, float)) and not isinstance(given, bool)
    if not is_number or not 0.1 <= given <= 10:
        raise InvalidRequestError("'additivePower' of a metric must be a number from 0.1 to 10.")
    return float(given)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _number(point: Mapping[str, Any], key: str, where: str) -> float | None:
    value = point.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not _is_finite(value):
        raise InvalidRequestError(f"'{key}' of {where} must be a finite number or null.")
    return float(value)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number with hundreds of digits
        return False


def _read_metric(kind: AnalysisKind, given: Any) -> Metric:
    known = {metric.name: metric for metric in (*METRICS.values(), FLOPS)}
    if isinstance(given, dict) and given.get("name") in list(known):
        return known[given["name"]]
    if isinstance(given, dict) and isinstance(given.get("name"), str):
        return Metric(
            given["name"],
            str(given.get("label", given["name"])),
            str(given.get("unit", "")),
            bool(given.get("higherIsBetter", False)),
            str(given.get("description", "")),
            _power(given.get("additivePower", 1.0)),
        )
    if kind is AnalysisKind.PERF:
        return FLOPS
    return METRICS[MagnitudeMetric.MAGNITUDE]
