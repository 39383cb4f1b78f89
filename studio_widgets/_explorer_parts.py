"""Pieces of the explorer that only draw: title, sections, slowest operations, code."""

from __future__ import annotations

import html
from typing import Any

import ipywidgets
import traitlets

from studio_core.explorer.exploration import Exploration
from studio_core.explorer.running import ExecutedRun
from studio_core.graphs.overlays import PERF_DATA, slowest
from studio_widgets._attribute_rows import Mark
from studio_widgets._effects import time_text
from studio_widgets._graph_wire import name_of
from studio_widgets._overlay_wire import value_text
from studio_widgets.op_times import OpTimes
from studio_widgets.run_panel import SlowOp

_MOST_SLOW = 15


def section(title: str, part: Any) -> Any:
    """``part`` under a heading."""
    heading = ipywidgets.HTML(f'<div class="studio-section-title">{title}</div>')
    section = ipywidgets.VBox([heading, part])
    section.add_class("studio-section")
    return section


def times_toggle(times: OpTimes) -> Any:
    """A button that opens the chart of ``times``; not there before a run."""
    button = ipywidgets.ToggleButton(description="Times by operator", icon="bar-chart")
    button.layout.width, button.layout.align_self = "auto", "flex-start"
    traitlets.link((button, "value"), (times, "is_shown"))
    box = ipywidgets.VBox([button, times])

    def show(_change: Any = None) -> None:
        box.layout.display = "none" if times.executed is None else ""
        times.layout.display = "" if times.is_shown else "none"

    times.observe(show, ["executed", "is_shown"])
    show()
    return box


def slow_ops(executed: ExecutedRun) -> list[SlowOp]:
    """The operations that took longest, the slowest first."""
    total, overlay = executed.result.total_ns, executed.graph.overlays.get(PERF_DATA)
    if overlay is None:
        return []
    return [
        SlowOp(
            op.node_id,
            f"{op.label}  {name_of(executed.graph.by_id[op.node_id])}",
            value_text(op.value, overlay.unit),
            op.value / total if total else None,
        )
        for op in slowest(executed.graph, overlay, _MOST_SLOW)
    ]


def _peak_html(exploration: Exploration) -> str:
    """Whether the module fits, at the op where one core holds most; "" where it is unknown."""
    peak = exploration.peak()
    if peak is None or not peak.l1_bytes:
        return ""
    node = exploration.opened.node(peak.node_id)
    named = node.attribute("named_location")
    name = f"{node.label} {named.value}" if named is not None else node.label
    where = f"Most L1: {peak.fraction:.0%} of a core at {html.escape(name)}"
    if not peak.fits:
        return f' · <strong class="studio-bad">{where}, which does not fit</strong>'
    return f" · {where}"


def title_html(exploration: Exploration) -> str:
    """The file's name, the chip that is counted for, and the estimate of the whole."""
    graph = exploration.opened.graph
    facts = [f"{len(graph.nodes):,} nodes", f"Chip: {exploration.system.sentence.rstrip('.')}"]
    roofline = exploration.roofline()
    if roofline is not None and roofline.total.estimate_ms is not None:
        unknown = f", {roofline.num_unknown:,} ops not counted" if roofline.num_unknown else ""
        facts.append(f"Estimate: {time_text(roofline.total.estimate_ms)}{unknown}")
    words = " · ".join(html.escape(fact) for fact in facts)
    words += _peak_html(exploration)
    return (
        f'<div class="studio-explorer-title">{html.escape(exploration.path.name)}</div>'
        f'<div class="studio-hint">{words}</div>'
    )


def marks_of(exploration: Exploration, node_id: str) -> dict[str, tuple[Mark, str]]:
    """What the last run did with what is asked now; what it was not asked is changed."""
    executed = exploration.executed
    asked = exploration.changes(node_id)
    if executed is None:
        return {}
    return {
        a.key: ("applied", "") if a.is_applied else ("rejected", a.reason)
        for a in executed.applied
        if a.node_id == node_id and asked.get(a.key) == a.requested
    }


def code_of(exploration: Exploration, opened_by: str, selected: str) -> str:
    """The cell that opens the file, looks at the same graph and asks for the same."""
    lines = ["import studio_widgets as studio", "", f"ex = {opened_by}"]
    shown, executed = exploration.opened.graph, exploration.executed
    if shown.id != exploration.graphs[0].id:
        lines.append(f"ex.show_graph({shown.id!r})")
    for key, override in exploration.overrides.by_key.items():
        node_id = exploration.node_of(key)
        for name, value in override.attributes.items() if node_id is not None else ():
            lines.append(f"ex.edit({node_id!r}, {name!r}, {value!r})")
    if executed is not None:
        lines.append(f"ex.run({executed.policy!r}).wait()")
    if selected:
        lines.append(f"ex.selected = {selected!r}")
    return "\n".join([*lines, "ex"])
