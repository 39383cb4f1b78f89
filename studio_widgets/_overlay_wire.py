"""An overlay as the graph view draws it: values, their texts, and the colours between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

from studio_core.comparison.graphs import DIFFERENCE, MARKS, OF_FORMER, STRUCTURE
from studio_core.graphs.overlays import (
    ACCURACY_DATA,
    PERF_DATA,
    SENSITIVITY_DATA,
    overlay_colours,
)
from studio_core.graphs.records import Overlay

_NANOSECONDS = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))
_THIN_SPACE = "\u2009"
_MOST_LETTERS = 60
_RAMP = 12
_SOFT = {"yellow": "#fbe38e", "red": "#e0523f", "green": "#4fa86b"}
_LABELS = {
    PERF_DATA: "Time",
    ACCURACY_DATA: "Accuracy above what is expected",
    SENSITIVITY_DATA: "Sensitivity",
    f"{PERF_DATA}_{DIFFERENCE}": "Time, B less A",
    f"{ACCURACY_DATA}_{DIFFERENCE}": "Accuracy, B less A",
    f"{SENSITIVITY_DATA}_{DIFFERENCE}": "Sensitivity, B less A",
    STRUCTURE: "What differs",
}


class OverlayDocument(TypedDict):
    """Values in the order of the nodes, None where there is none.

    ``colours`` are numbers in ``palette``, -1 for none. ``ramp`` shows the colours of a gradient
    between the ``ends``, ``steps`` those of thresholds with their words.
    """

    label: str
    values: list[float | None]
    texts: list[str]
    palette: list[str]
    colours: list[int]
    ramp: list[str]
    ends: tuple[str, str]
    steps: list[tuple[str, str]]


def overlay_document(key: str, overlay: Overlay, node_ids: Sequence[str]) -> OverlayDocument:
    """``overlay`` for the nodes of a graph; nodes of another graph are left out."""
    here = set(node_ids)
    overlay = _softened(overlay)
    own = replace(overlay, values={n: v for n, v in overlay.values.items() if n in here})
    by_node, palette = overlay_colours(own), dict[str, int]()
    numbers = [_number(own.values.get(node_id)) for node_id in node_ids]
    known = [number for number in numbers if number is not None]
    ends = (min(known), max(known)) if known else (None, None)
    return OverlayDocument(
        label=overlay_label(key, overlay),
        values=numbers,
        texts=[value_text(own.values.get(node_id), overlay.unit) for node_id in node_ids],
        colours=[
            palette.setdefault(by_node[n], len(palette)) if n in by_node else -1 for n in node_ids
        ],
        palette=list(palette),
        ramp=_ramp(overlay) if known else [],
        ends=(value_text(ends[0], overlay.unit), value_text(ends[1], overlay.unit)),
        steps=_steps(overlay),
    )


def _softened(overlay: Overlay) -> Overlay:
    """The contract's pure yellow, red and green as they can be borne on a whole graph."""
    return replace(
        overlay,
        gradient=tuple((at, _SOFT.get(colour, colour)) for at, colour in overlay.gradient),
        thresholds=tuple((to, _SOFT.get(colour, colour)) for to, colour in overlay.thresholds),
    )


def overlay_label(key: str, overlay: Overlay) -> str:
    """What an overlay is called: its own name where it has one, else that of its kind."""
    name = "" if overlay.name == key else overlay.name
    return (name or _LABELS.get(key, key))[:_MOST_LETTERS]


def _ramp(overlay: Overlay) -> list[str]:
    if not overlay.gradient:
        return []
    places = {str(k): k / (_RAMP - 1) for k in range(_RAMP)}
    colours = overlay_colours(replace(overlay, values=places))
    return [colours[k] for k in places if k in colours]


def value_text(value: float | str | None, unit: str) -> str:
    """A value as it stands on a node, such as ``12.4 µs``; "" where there is none."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value[:_MOST_LETTERS]
    number = _number(value)
    if number is None:
        return ""
    if unit == MARKS:
        return "changed" if number < 1 else "only here"
    if unit == OF_FORMER:
        return f"{100 * number:+.3g}{_THIN_SPACE}%".replace("-", "\u2212")
    if unit == "ns":
        scale, unit = next((s for s in _NANOSECONDS if abs(number) >= s[0]), (1.0, "ns"))
        number /= scale
    text = f"{number:.3g}" if abs(number) < 1000 else f"{number:,.0f}"
    return f"{text}{_THIN_SPACE}{unit}" if unit else text


def _number(value: float | str | None) -> float | None:
    if value is None or isinstance(value, str) or not math.isfinite(value):
        return None
    return float(value)


def _steps(overlay: Overlay) -> list[tuple[str, str]]:
    if overlay.gradient:
        return []
    steps = []
    for limit, _ in sorted(overlay.thresholds):
        colour = overlay_colours(replace(overlay, values={"": limit})).get("", "")
        words = value_text(limit, overlay.unit)
        steps.append((colour, words if overlay.unit == MARKS else f"≤ {words}"))
    return steps
