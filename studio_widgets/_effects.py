"""What the changes of a node do, in figures: fit, memory, time, and the rules that they break."""

from __future__ import annotations

import html

from studio_core.explorer.edits import NodeOutcome
from studio_core.explorer.opened import OpenedGraph
from studio_core.hardware.edits import EditOutcome
from studio_core.hardware.liveness import OpMemory
from studio_core.hardware.roofline import OpRoofline
from studio_widgets import _format
from studio_widgets._format import UNKNOWN

_THIN_SPACE = "\u2009"


def effect_html(opened: OpenedGraph, outcome: NodeOutcome) -> str:
    """The figures of a node under its changes; "" for one of which nothing is known."""
    operation = opened.operations.get(outcome.node_id)
    memory = opened.memory.get(operation) if operation is not None else None
    facts = []
    if memory is not None and (memory.l1_bytes is not None or outcome.layout is not None):
        facts += _memory_facts(outcome, memory)
    if outcome.layout is not None and (
        outcome.layout.dram_ms_before or outcome.layout.dram_ms_after
    ):
        facts.append(_dram_fact(outcome.layout))
    if outcome.roofline is not None and outcome.roofline.roofline_ms is not None:
        facts.append(_roofline_fact(outcome.roofline))
    grid = f'<div class="studio-facts" role="status">{"".join(facts)}</div>' if facts else ""
    return grid + (_rules(outcome.layout) if outcome.layout is not None else "")


def time_text(milliseconds: float | None) -> str:
    """0.0619 → '61.9 µs'."""
    if milliseconds is None:
        return UNKNOWN
    if 0 < milliseconds < 1:
        return f"{1000 * milliseconds:.3g}{_THIN_SPACE}µs"
    return f"{milliseconds:.3g}{_THIN_SPACE}ms"


def _memory_facts(outcome: NodeOutcome, memory: OpMemory) -> list[str]:
    word = {True: "yes", False: "no", None: "not known"}[outcome.fits]
    kind = {True: "good", False: "bad", None: ""}[outcome.fits]
    note = (
        "as far as the module tells" if outcome.fits and memory.certainty == "lower bound" else ""
    )
    is_changed = outcome.live_l1_bytes != memory.l1_bytes
    before = f"before: {_format.size(memory.l1_bytes)}" if is_changed else ""
    return [
        _fact("Fits in L1", word, note, kind),
        _fact("Live L1 of a core", _format.size(outcome.live_l1_bytes), before),
    ]


def _dram_fact(layout: EditOutcome) -> str:
    after, before = time_text(layout.dram_ms_after), time_text(layout.dram_ms_before)
    note = "" if after == before else f"before: {before}"
    return _fact("Through DRAM once", after, note)


def _roofline_fact(roofline: OpRoofline) -> str:
    bound = f"{roofline.bound}-bound" if roofline.bound else ""
    estimate = f"estimate {time_text(roofline.estimate_ms)}"
    return _fact("Best time", time_text(roofline.roofline_ms), ", ".join([bound, estimate]))


def _fact(title: str, value: str, note: str = "", kind: str = "") -> str:
    unknown = " studio-unknown" if value in (UNKNOWN, "not known") else ""
    mark = f" studio-fact-{kind}" if kind else ""
    return (
        f'<div class="studio-fact{mark}"><span class="studio-fact-title">{title}</span>'
        f'<span class="studio-fact-value{unknown}">{html.escape(value)}</span>'
        f'<span class="studio-fact-note">{html.escape(note)}</span></div>'
    )


def _rules(layout: EditOutcome) -> str:
    broken = "".join(
        f'<div class="studio-finding studio-finding-error"><strong>{html.escape(rule.reason)}'
        f'</strong><span class="studio-remedy">{html.escape(rule.remedy)}</span></div>'
        for rule in layout.broken
    )
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in layout.notes)
    return broken + (f'<ul class="studio-run-notes">{notes}</ul>' if notes else "")
