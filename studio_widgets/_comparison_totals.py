"""The totals above a comparison: a number of each side, what lies between them, and the heading."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from studio_core.comparison import (
    AnalysisComparison,
    GraphComparison,
    ModelComparison,
    PlanComparison,
)
from studio_core.explorer.running import ExecutedRun
from studio_core.graphs.overlays import PERF_DATA
from studio_core.plan_runs.solving import PlanRoom
from studio_core.plans import PruningPlan
from studio_core.sensitivity.analysis import Source
from studio_widgets import _format
from studio_widgets._comparison_rows import Better, Comparison, relative, signed
from studio_widgets._overlay_wire import value_text


@dataclass(frozen=True, slots=True)
class Total:
    """One number of the whole on both sides; None where it is not known.

    ``better`` says which way is good, "" where neither is; ``is_relative`` whether the
    difference is told as a share of the left value.
    """

    title: str
    left: float | None
    right: float | None
    show: Callable[[float], str]
    better: Better = ""
    note: str = ""
    is_relative: bool = True


def totals_of(found: Comparison) -> tuple[Total, ...]:
    """What the records themselves know of the whole; plans need a room (`plan_totals`)."""
    if isinstance(found, ModelComparison):
        return _model_totals(found)
    if isinstance(found, GraphComparison):
        return tuple(_graph_totals(found))
    return ()


def plan_totals(found: PlanComparison, room: PlanRoom) -> tuple[Total, ...]:
    """Sparsity, loss, bytes and work of two plans of the room's model, by one and the same rule."""
    a, b = (room.solver.planner.estimate(plan) for plan in (found.left, found.right))
    losses = _predicted(room, found.left), _predicted(room, found.right)
    is_estimate = room.solver.planner.loss.source is Source.ESTIMATED
    source = "of the weights' norm; not measured" if is_estimate else "from single-layer losses"
    return (
        Total("Sparsity", a.sparsity, b.sparsity, _format.percent, note="of prunable weights",
              is_relative=False),
        Total("Predicted loss", *losses, _format.value, "lower", source),
        Total("Size", a.bytes_sparse, b.bytes_sparse, _format.size, "lower",
              "if zeros were not stored"),
        Total("MACs left", a.flops, b.flops, _format.count, "lower", "if every zero were skipped"),
    )  # fmt: skip


def run_totals(left: ExecutedRun, right: ExecutedRun) -> tuple[Total, ...]:
    """The time of two whole runs, and the lowest accuracy of an op in each."""
    times = left.result.total_ns, right.result.total_ns
    worst = min(left.pcc.values(), default=None), min(right.pcc.values(), default=None)
    return (
        Total("Whole run", *times, _nanoseconds, "lower", "on this machine's CPU; one run each"),
        Total("Lowest accuracy", *worst, lambda v: f"{v:.5f}", "higher",
              "correlation (PCC) of an op with full precision", is_relative=False),
    )  # fmt: skip


def _predicted(room: PlanRoom, plan: PruningPlan) -> float:
    return room.solver.predict(plan).value


def _nanoseconds(value: float) -> str:
    return value_text(value, "ns")


def _model_totals(found: ModelComparison) -> tuple[Total, ...]:
    a, b = found.left, found.right
    return (
        Total("Parameters", a.num_params, b.num_params, _format.count, "lower"),
        Total("MACs", a.macs, b.macs, _format.count, "lower", "for one sample"),
        Total("File size", a.file_bytes, b.file_bytes, _format.size, "lower"),
        Total(
            "Zeros",
            a.sparsity,
            b.sparsity,
            _format.percent,
            note="of prunable weights",
            is_relative=False,
        ),
    )


def _graph_totals(found: GraphComparison) -> Iterator[Total]:
    if PERF_DATA in found.values:
        left, right = found.totals(PERF_DATA)
        yield Total("Time of the ops", left, right, _nanoseconds, "lower", "their sum")
    a, b = len(found.left.nodes), len(found.right.nodes)
    if a != b:
        yield Total("Nodes", a, b, lambda v: f"{v:,.0f}")


def facts_of(found: Comparison) -> str:
    """How much is the same, in a line."""
    if isinstance(found, PlanComparison):
        return f"{found.num_changed:,} of {len(found.rows):,} layers differ"
    if isinstance(found, AnalysisComparison):
        return " · ".join(_analysis_facts(found))
    match = found.graphs.match if isinstance(found, ModelComparison) else found.match
    facts = []
    if isinstance(found, ModelComparison):
        changed = sum(row.is_changed for row in found.layers)
        facts.append(f"{changed:,} of {len(found.layers):,} layers differ")
    else:
        facts.append(f"{len(found.changes):,} of {len(match.pairs):,} matched nodes differ")
    if match.only_left or match.only_right:
        only = len(match.only_left), len(match.only_right)
        facts.append(f"nodes only in A {only[0]:,}, only in B {only[1]:,}")
    by_structure = sum(pair.how != "name" for pair in match.pairs)
    if by_structure:
        facts.append(f"{by_structure:,} matched by structure, certainty {match.certainty:.0%}")
    return " · ".join(facts)


def _analysis_facts(found: AnalysisComparison) -> Iterator[str]:
    yield f"{len(found.curves):,} layers in both"
    only = len(found.only_left), len(found.only_right)
    if any(only):
        yield f"only in A {only[0]:,}, only in B {only[1]:,}"
    order = found.rank_correlation()
    if order is not None:
        yield f"order of the layers: Spearman {order:.2f}"
    if not found.is_comparable:
        yield "their units differ, so only the order of the layers is compared"
    apart = [curve.is_apart for curve in found.curves]
    if any(state is not None for state in apart):
        yield f"{sum(bool(state) for state in apart):,} curves more than 2 standard errors apart"


def head_html(left: str, right: str, facts: str) -> str:
    """Which side is which, and how much is the same; safe HTML."""
    sides = "".join(
        f'<span class="studio-side"><b class="studio-side-{letter.lower()}">{letter}</b> '
        f"{html.escape(title)}</span>"
        for letter, title in (("A", left), ("B", right))
    )
    return (
        f'<div class="studio-sides">{sides}</div>'
        f'<div class="studio-hint" role="status">{html.escape(facts)}</div>'
    )


def totals_html(totals: Sequence[Total]) -> str:
    """The totals as safe HTML, "" without any."""
    cards = "".join(_card(total) for total in totals)
    return f'<div class="studio-estimates studio-totals">{cards}</div>' if cards else ""


def _card(total: Total) -> str:
    left, right = (math.nan if v is None else float(v) for v in (total.left, total.right))
    texts = [total.show(v) if math.isfinite(v) else _format.UNKNOWN for v in (left, right)]
    words = [w for w in (_difference(total, left, right), total.note) if w]
    left_text, right_text = (f"<span>{html.escape(text)}</span>" for text in texts)
    sides = f"{left_text} <i>→</i> {right_text}"
    return (
        f'<div class="studio-estimate"><span class="studio-card-title">{total.title}</span>'
        f'<span class="studio-card-value">{sides}</span>'
        f'<span class="studio-card-note">{" · ".join(words)}</span></div>'
    )


def _difference(total: Total, left: float, right: float) -> str:
    change = right - left
    if not math.isfinite(change) or not change:
        return "the same" if change == 0 else ""
    share = relative(left, right) if total.is_relative else ""
    text = share or signed(change, total.show)
    kind = "" if not total.better else _kind(change > 0, total.better)
    return f'<b class="{kind}">{html.escape(text)}</b>'


def _kind(is_more: bool, better: Better) -> str:
    return "studio-better" if is_more == (better == "higher") else "studio-worse"
