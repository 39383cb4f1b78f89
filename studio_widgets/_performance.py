"""A measured performance analysis as what a person looks at: bars, one layer's curves, words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from studio_core.layers import Layer
from studio_core.pruning.storage_bytes import StorageBytes
from studio_core.sensitivity import Analysis, PerfCurve
from studio_core.sensitivity.analysis import FloatArray
from studio_core.sensitivity.sweep.perf_documents import run_profile_of
from studio_core.sensitivity.sweep.profile import RuntimeProfile
from studio_widgets import _format

BUSY_SHARE = 0.1
"""Share of a run beyond the medians of its parts, from which on the machine was busy."""

WIDE_SPREAD = 0.25
"""Interquartile range of the run as a share of its median, from which on it is no good."""

_EQUAL = 1e-9


def bars_document(analysis: Analysis, layers: Sequence[Layer]) -> dict[str, Any]:
    """Where the time of a run goes: layers, what is none, and the run that they add up to."""
    profile = run_profile_of(analysis)
    if profile is None:
        return {"bars": [], "ops": [], "total": None, "words": "", "warnings": []}
    bars = [_layer_bar(layer, profile) for layer in layers if layer.id in profile.layers]
    bars.sort(key=lambda bar: -bar["ms"])
    rest = _rest(profile)
    ops = sorted([*_by_operator(bars), *rest], key=lambda bar: -bar["ms"])
    return {
        "bars": [*bars, *rest],
        "ops": ops,
        "total": profile.total_ms,
        "spread": profile.total.spread_ms,
        "words": _conditions(profile),
        "warnings": list(warnings_of(profile)),
    }


def _layer_bar(layer: Layer, profile: RuntimeProfile) -> dict[str, Any]:
    time = profile.layers[layer.id]
    return {
        "id": layer.id,
        "name": layer.name,
        "op": layer.op_type,
        "ms": time.median_ms,
        "spread": time.spread_ms,
    }


def _rest(profile: RuntimeProfile) -> list[dict[str, Any]]:
    """The part of the run that is no layer's; with the layers it adds up to the run."""
    others = profile.other_kernels.items()
    kernels = [_rest_bar(f"other kernels: {name}", t.median_ms, t.spread_ms) for name, t in others]
    between = profile.between_kernels
    return [
        *sorted(kernels, key=lambda bar: -bar["ms"]),
        _rest_bar("between kernels", between.median_ms, between.spread_ms),
        _rest_bar("in no median", profile.disturbance_ms, None),
    ]


def _rest_bar(name: str, milliseconds: float, spread: float | None) -> dict[str, Any]:
    return {"id": "", "name": name, "op": "", "ms": milliseconds, "spread": spread}


def _by_operator(bars: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    sums: dict[str, list[float]] = {}
    for bar in bars:
        sums.setdefault(bar["op"], []).append(bar["ms"])
    for op, times in sums.items():
        name = f"{op}, {len(times)} layer{'s' * (len(times) != 1)}"
        yield {"id": "", "name": name, "op": op, "ms": sum(times), "spread": None}


def _conditions(profile: RuntimeProfile) -> str:
    threads = f"{profile.num_threads} thread{'s' * (profile.num_threads != 1)}"
    return (
        f"{profile.engine} {profile.version} on {profile.cpu}, {threads}, batch of "
        f"{profile.batch_size}; medians of {profile.iterations} runs with their middle half"
    )


def warnings_of(profile: RuntimeProfile) -> Iterator[str]:
    """What makes the times doubtful, in sentences."""
    total = profile.total_ms
    if total > 0 and profile.disturbance_ms > BUSY_SHARE * total:
        yield (
            f"The machine was busy: {time_text(profile.disturbance_ms)} of the run are in the "
            "median of no kernel. Measure again when it is quiet."
        )
    elif total > 0 and profile.total.spread_ms > WIDE_SPREAD * total:
        yield (
            f"The runs differ by {_format.percent(profile.total.spread_ms / total)} in their "
            "middle half; only large differences can be told. Measure again when it is quiet."
        )
    if profile.unattributed:
        count = len(profile.unattributed)
        yield f"Without a time of their own: {count} layer{'s' * (count != 1)}."


def layer_document(analysis: Analysis, layer_id: str) -> dict[str, Any] | None:
    """One layer's times, work and bytes against its sparsity; None where it was not measured."""
    curve = analysis.curve(layer_id)
    if not isinstance(curve, PerfCurve):
        return None
    dense = curve.baseline_timing_ms
    return {
        "name": curve.layer_name,
        "dense": dense,
        "denseSpread": curve.baseline_spread_ms,
        "element": _points(curve.sparsities, curve.timings_ms, curve.spreads_ms),
        "channel": _channel_points(curve),
        "work": _work(curve),
        "bytes": _bytes_rows(curve),
        "words": _words(analysis, curve),
    }


def _points(
    sparsities: FloatArray, times: FloatArray | None, spreads: FloatArray | None
) -> list[list[float | None]]:
    """[sparsity, ms, spread] of each level that is known."""
    if times is None:
        return []
    widths = np.full(times.size, np.nan) if spreads is None else spreads
    rows = zip(sparsities.tolist(), times.tolist(), widths.tolist(), strict=True)
    return [[s, t, None if np.isnan(w) else w] for s, t, w in rows if not np.isnan(t)]


def _channel_points(curve: PerfCurve) -> list[list[float | None]]:
    if curve.channels is None:
        return []
    return _points(curve.sparsities, curve.channels.timings_ms, curve.channels.spreads_ms)


def _work(curve: PerfCurve) -> list[list[float]]:
    """[sparsity, share of the FLOPs left] if the sparsity were exploited."""
    if not curve.baseline_flops:
        return []
    shares = (curve.flops / curve.baseline_flops).tolist()
    return [[s, f] for s, f in zip(curve.sparsities.tolist(), shares, strict=True) if f == f]


def _bytes_rows(curve: PerfCurve) -> list[list[str]]:
    """Sparsity and the bytes of each form of storing the weight, in words."""
    if curve.stored is None:
        return []
    smaller = None if curve.channels is None else curve.channels.num_bytes.tolist()
    rows = [] if curve.baseline_stored is None else [_bytes_row(0.0, curve.baseline_stored, None)]
    for i, (level, stored) in enumerate(zip(curve.sparsities.tolist(), curve.stored, strict=True)):
        rows.append(_bytes_row(level, stored, None if smaller is None else smaller[i]))
    return rows


def _bytes_row(level: float, stored: StorageBytes, smaller: float | None) -> list[str]:
    sizes = (stored.dense, stored.sparse_initializer, stored.compressed, smaller)
    return [_format.fraction(level), *(_format.size(size) for size in sizes)]


def _words(analysis: Analysis, curve: PerfCurve) -> list[str]:
    dense = curve.baseline_timing_ms
    if dense is None:
        reason = str(analysis.provenance.get("notMeasured", {}).get(curve.layer_id, ""))
        return [f"No time was measured for this layer. {reason}".strip()]
    engine = str(analysis.provenance.get("engine", "the runtime"))
    words = [_element_words(curve, dense, engine)]
    refused = analysis.provenance.get("channelsNotMeasured", {}).get(curve.layer_id)
    if refused:
        words.append(f"Channels were not removed: {refused}")
    else:
        words.append(_channel_words(curve, dense))
    return [text for text in words if text]


def _element_words(curve: PerfCurve, dense: float, engine: str) -> str:
    points = _points(curve.sparsities, curve.timings_ms, None)
    if not points:
        return ""
    level, best = min(((s or 0.0, t or 0.0) for s, t, _ in points), key=lambda point: point[1])
    if best < dense * (1 - _EQUAL):
        return (
            f"Single weights made zero: {_format.percent(1 - best / dense)} less time at a "
            f"sparsity of {_format.fraction(level)}."
        )
    return f"Single weights made zero bring no gain: {engine} computes with the zeros."


def _channel_words(curve: PerfCurve, dense: float) -> str:
    points = _channel_points(curve)
    if not points:
        return ""
    level, best = min(((s or 0.0, t or 0.0) for s, t, _ in points), key=lambda point: point[1])
    if best >= dense * (1 - _EQUAL):
        return "Channels really removed brought no gain that could be told from noise."
    return (
        f"Channels really removed: down to {time_text(best)} from {time_text(dense)} at "
        f"a sparsity of {_format.fraction(level)}."
    )


def time_text(milliseconds: float | None) -> str:
    """0.0619 → '61.9 µs'."""
    if milliseconds is None or not np.isfinite(milliseconds):
        return _format.UNKNOWN
    if abs(milliseconds) < 1 and milliseconds:
        return f"{1000 * milliseconds:.3g}\u2009µs"
    return f"{milliseconds:.3g}\u2009ms"
