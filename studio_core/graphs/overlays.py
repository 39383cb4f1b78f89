"""Overlays: a value by node, and the colour that each node takes from it.

Performance is in nanoseconds from yellow to red; accuracy is the correlation that was reached
less the one that was expected, red below 0 and green above: the contract's own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from studio_core.graphs.records import Graph, Overlay
from studio_core.sensitivity.analysis import Analysis, LossCurve

PERF_DATA = "perf_data"
ACCURACY_DATA = "accuracy_data"
SENSITIVITY_DATA = "sensitivity_data"

_NAMED = {
    "black": (0, 0, 0), "white": (255, 255, 255), "red": (255, 0, 0), "green": (0, 128, 0),
    "blue": (0, 0, 255), "yellow": (255, 255, 0), "orange": (255, 165, 0), "gray": (128, 128, 128),
}  # fmt: skip
_HEX = re.compile(r"#([0-9a-fA-F]{6})", re.ASCII)


@dataclass(frozen=True, slots=True)
class NodeValue:
    """One node with its value in an overlay, and its share of the sum of all."""

    node_id: str
    label: str
    value: float
    share: float


def perf_overlay(times_ns: Mapping[str, float]) -> Overlay:
    """Time by node in nanoseconds; a node without a time has none, never 0."""
    gradient = ((0.0, "yellow"), (1.0, "red"))
    return Overlay(PERF_DATA, _known(times_ns), gradient=gradient, unit="ns")


def accuracy_overlay(actual: Mapping[str, float], expected: Mapping[str, float]) -> Overlay:
    """Correlation with the reference (PCC) by node, reached less expected; unknown left out."""
    differences = {node: actual[node] - expected[node] for node in actual if node in expected}
    thresholds = ((0.0, "red"), (1.0, "green"))
    return Overlay(ACCURACY_DATA, _known(differences), thresholds=thresholds, unit="PCC")


def sensitivity_overlay(analysis: Analysis, sparsity: float) -> Overlay:
    """Loss of the model with one layer alone pruned to ``sparsity``, by layer id (a node's).

    Levels between the known ones are read off the curve, linearly.
    """
    curves = [curve for curve in analysis.curves if isinstance(curve, LossCurve)]
    losses = {curve.layer_id: curve.at(sparsity) for curve in curves}
    gradient = ((0.0, "#e8f4e8"), (0.5, "#ffd27f"), (1.0, "#d7301f"))
    unit = analysis.metric.unit
    return Overlay(SENSITIVITY_DATA, _known(losses), gradient=gradient, unit=unit)


def slowest(graph: Graph, overlay: Overlay, most: int = 10) -> tuple[NodeValue, ...]:
    """The nodes with the largest values, the largest first; shares are of the sum of all."""
    values = {n: v for n, v in overlay.values.items() if isinstance(v, (int, float))}
    total = sum(values.values())
    found = sorted((n for n in values if n in graph.by_id), key=lambda n: (-values[n], n))
    return tuple(
        NodeValue(n, graph.by_id[n].label, values[n], values[n] / total if total else math.nan)
        for n in found[:most]
    )


def overlay_colours(overlay: Overlay) -> dict[str, str]:
    """The colour of each node, ``#rrggbb``; a node that has none keeps its own.

    As Model Explorer does it: a gradient spans from the least to the largest value; of thresholds
    the first that is not below the value counts, and a value above all has no colour.
    """
    values = {n: float(v) for n, v in overlay.values.items() if isinstance(v, (int, float))}
    values = {n: v for n, v in values.items() if math.isfinite(v)}
    if overlay.gradient:
        low, high = min(values.values(), default=0.0), max(values.values(), default=0.0)
        span = high - low
        shades = {n: _blend(overlay, (v - low) / span if span else 1.0) for n, v in values.items()}
    else:
        steps = sorted(overlay.thresholds)
        shades = {n: next((c for t, c in steps if v <= t), "") for n, v in values.items()}
        shades = {n: _hex(rgb) if (rgb := _rgb(c)) else "" for n, c in shades.items()}
    return {n: shade for n, shade in shades.items() if shade}


def _known(values: Mapping[str, float]) -> dict[str, float | str]:
    return {node: value for node, value in values.items() if math.isfinite(value)}


def _blend(overlay: Overlay, place: float) -> str:
    stops = [(at, rgb) for at, colour in sorted(overlay.gradient) if (rgb := _rgb(colour))]
    if not stops:
        return ""
    before = max((s for s in stops if s[0] <= place), default=stops[0])
    after = min((s for s in stops if s[0] >= place), default=stops[-1])
    span = after[0] - before[0]
    part = (place - before[0]) / span if span else 0.0
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(before[1], after[1], strict=True))
    return _hex((red, green, blue))


def _rgb(colour: str) -> tuple[int, int, int] | None:
    """The colour's parts; None for one that is not known here, as the name may be hostile."""
    found = _HEX.fullmatch(colour)
    if found is None:
        return _NAMED.get(colour.lower())
    number = int(found[1], 16)
    return number >> 16, number >> 8 & 255, number & 255


def _hex(rgb: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)
