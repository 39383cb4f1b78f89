"""The sections about an opened module: its graph, memory, roofline, run and overrides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from studio_core import quantities
from studio_core.explorer.exploration import Exploration
from studio_core.explorer.opened import OpenedGraph
from studio_core.explorer.running import ExecutedRun
from studio_core.graphs.overlays import ACCURACY_DATA, PERF_DATA, slowest
from studio_core.graphs.records import Graph
from studio_core.hardware.liveness import OpMemory
from studio_core.hardware.memory import l1_limit_bytes
from studio_core.mlir.records import Operation
from studio_core.reports.numbers import milliseconds
from studio_core.reports.records import (
    Bar,
    BarChart,
    Block,
    Code,
    Column,
    Fact,
    Facts,
    LineChart,
    Meter,
    Paragraph,
    Section,
    Series,
    Table,
)

_MOST_ROWS = 15
_MOST_OVERRIDES = 200


def summary_section(exploration: Exploration) -> Section:
    graph = exploration.graph
    num_edges = sum(len(node.incoming) for node in graph.nodes)
    groups = {node.namespace for node in graph.nodes if node.namespace}
    main = (
        Fact("Nodes", f"{len(graph.nodes):,}"),
        Fact("Edges", f"{num_edges:,}"),
        Fact("Groups", f"{len(groups):,}"),
        Fact("Chip", exploration.system.arch, f"{_grid(exploration)}, {exploration.system.origin}"),
    )
    about = graph.group_attributes.get("", {})
    said = tuple(
        Fact(k, v) for k, v in about.items() if k != "system" and not k.startswith("chip#")
    )[:_MOST_ROWS]
    blocks: list[Block] = [Facts(main, is_main=True)]
    blocks += [Facts(said)] if said else []
    blocks.append(_operators(graph))
    blocks += [Paragraph(note) for note in graph.notes[:_MOST_ROWS]]
    return Section("Graph", tuple(blocks))


def _grid(exploration: Exploration) -> str:
    rows, columns = exploration.system.chip.grid
    return f"{rows} × {columns} cores"


def _operators(graph: Graph) -> BarChart:
    counts = Counter("argument" if n.label.startswith("%") else n.label for n in graph.nodes)
    shown = counts.most_common(_MOST_ROWS)
    rest = len(counts) - len(shown)
    note = f"{rest} more kinds are not shown." if rest else ""
    bars = tuple(Bar(label, count, f"{count:,}") for label, count in shown)
    return BarChart("Nodes by operator", bars, note=note)


def memory_section(opened: OpenedGraph) -> Section | None:
    """Live L1 along the module, and its fullest ops; None where no layout is known."""
    found = [(o, m) for o, m in opened.memory.items() if o in opened.node_ids]
    known = [(o, m) for o, m in found if m.l1_bytes is not None]
    if not known:
        return None
    limit = l1_limit_bytes(opened.system)
    peak = max(known, key=lambda pair: pair[1].l1_bytes or 0)
    dram = max((m.dram_bytes or 0 for _, m in known), default=0)
    facts = (
        Fact("Most L1 of a core", quantities.size(peak[1].l1_bytes), peak[1].certainty),
        Fact("Limit", quantities.size(limit), "0.95 of usable L1"),
        Fact("Most DRAM of a bank", quantities.size(dram), "live tensors"),
        Fact("Ops without layout", f"{len(found) - len(known):,}", f"of {len(found):,}"),
    )
    blocks: list[Block] = [Facts(facts, is_main=True), _memory_chart(found, limit, opened)]
    blocks += [Paragraph(peak[1].note)] if peak[1].note else []
    return Section("Memory", tuple(blocks))


def _memory_chart(
    found: list[tuple[Operation, OpMemory]], limit: int, opened: OpenedGraph
) -> LineChart:
    values = tuple(None if m.l1_bytes is None else m.l1_bytes / 1024 for _, m in found)
    fullest = sorted(found, key=lambda pair: -(pair[1].l1_bytes or 0))[:_MOST_ROWS]
    columns = (
        Column("Op", is_name=True),
        Column("Operator", is_name=True),
        Column("L1 of a core", is_number=True),
        Column("Of the limit", is_number=True),
        Column("Certainty"),
    )
    rows = tuple(_memory_row(operation, memory, limit, opened) for operation, memory in fullest)
    places = tuple(float(number) for number in range(len(found)))
    return LineChart(
        "L1 of a core that live tensors take, op by op",
        "op, in the order of the module",
        "kB",
        (Series("live L1", places, values),),
        Table(columns, rows, "The fullest first."),
        is_share=False,
        limit=(limit / 1024, "limit"),
    )


def _memory_row(
    operation: Operation, memory: OpMemory, limit: int, opened: OpenedGraph
) -> tuple[str | Meter, ...]:
    share = None if memory.l1_bytes is None or not limit else memory.l1_bytes / limit
    return (
        op_name(opened, operation),
        operation.name,
        quantities.size(memory.l1_bytes),
        Meter(quantities.percent(share), share),
        memory.certainty,
    )


def op_name(opened: OpenedGraph, operation: Operation) -> str:
    """The named location, by which people know an op, or else its node's id."""
    location = operation.location
    if location is not None and location.name:
        return location.name
    return opened.node_ids.get(operation, operation.name)


def roofline_section(exploration: Exploration) -> Section | None:
    """The best times of the ops; None where none is known."""
    roofline = exploration.roofline()
    if roofline is None or roofline.total.roofline_ms is None:
        return None
    total = roofline.total
    facts = (
        Fact("Roofline", milliseconds(total.roofline_ms), "no implementation is faster"),
        Fact("Estimate", milliseconds(total.estimate_ms), "roofline ÷ 0.7"),
        Fact("FLOPs", quantities.count(roofline.total_flops)),
        Fact("Bound by", f"{total.num_dram_bound} DRAM, {total.num_compute_bound} compute", "ops"),
        Fact("Not counted", f"{roofline.num_unknown:,}", "ops whose time is not in the sums"),
    )
    known = [(o, r) for o, r in roofline.ops.items() if r.roofline_ms is not None]
    known.sort(key=lambda pair: -(pair[1].roofline_ms or 0.0))
    bars = tuple(
        Bar(
            op_name(exploration.opened, operation),
            op.roofline_ms or 0.0,
            f"{milliseconds(op.roofline_ms)}, {op.bound}",
        )
        for operation, op in known[:_MOST_ROWS]
    )
    chart = BarChart("The ops with the longest roofline", bars)
    return Section("Roofline", (Facts(facts, is_main=True), chart))


def run_section(run: ExecutedRun | None) -> Section | None:
    """Time and accuracy by op; None where nothing was run."""
    if run is None:
        return None
    result, overlay = run.result, run.graph.overlays.get(PERF_DATA)
    total = None if result.total_ns is None else result.total_ns / 1e6
    rest = None if result.unattributed_ns is None else result.unattributed_ns / 1e6
    where = result.cpu or "this machine's CPU"
    facts = [Fact("Time of a run", milliseconds(total), f"on {where}")]
    facts.append(Fact("Of no op", milliseconds(rest), "the runtime's own work"))
    facts.append(Fact("Policy", run.policy))
    blocks: list[Block] = [Facts(tuple(facts), is_main=True)]
    if overlay is not None:
        bars = tuple(
            Bar(
                _node_name(run.graph, value.node_id),
                value.value,
                f"{milliseconds(value.value / 1e6)}, {quantities.percent(value.share)}",
            )
            for value in slowest(run.graph, overlay, _MOST_ROWS)
        )
        blocks.append(BarChart("The slowest ops, with their share of all", bars))
    accuracy = _accuracy_table(run)
    blocks += [accuracy] if accuracy is not None else []
    blocks += [Paragraph(note) for note in result.notes[:_MOST_ROWS]]
    return Section("Run", tuple(blocks))


def _accuracy_table(run: ExecutedRun) -> Table | None:
    overlay = run.graph.overlays.get(ACCURACY_DATA)
    values = {} if overlay is None else overlay.values
    numbers = {n: v for n, v in values.items() if isinstance(v, (int, float))}
    lowest = sorted(numbers, key=lambda n: (numbers[n], n))[:_MOST_ROWS]
    if not lowest:
        return None
    columns = (
        Column("Op", is_name=True),
        Column("Operator", is_name=True),
        Column("Correlation less expected", is_number=True),
    )
    rows = tuple(
        (_node_name(run.graph, n), run.graph.by_id[n].label, f"{numbers[n]:+.2g}")
        for n in lowest
        if n in run.graph.by_id
    )
    return Table(columns, rows, "Below 0 the op is less accurate than expected.", "Least accurate")


def _node_name(graph: Graph, node_id: str) -> str:
    node = graph.by_id.get(node_id)
    for key in ("named_location", "name"):
        attribute = node.attribute(key) if node is not None else None
        if attribute is not None and attribute.value:
            return attribute.value
    return node_id


def overrides_section(exploration: Exploration, policy: str) -> Section | None:
    """What is asked and what became of it; None where nothing is asked."""
    if not exploration.overrides:
        return None
    rows = tuple(_override_rows(exploration))
    columns = (
        Column("Op", is_name=True),
        Column("Attribute"),
        Column("Requested", is_name=True),
        Column("In the last run"),
    )
    shown = rows[:_MOST_OVERRIDES]
    note = f"The first {len(shown)} of {len(rows)}." if len(rows) > len(shown) else ""
    blocks: list[Block] = [Table(columns, shown, note)]
    text = exploration.options(policy).text
    if text:
        blocks += [Paragraph("As options of the compiler:"), Code(text)]
    return Section("Overrides", tuple(blocks))


def _override_rows(exploration: Exploration) -> Iterator[tuple[str, ...]]:
    run = exploration.executed
    applied = {(a.node_id, a.key): a for a in run.applied} if run is not None else {}
    for override in exploration.overrides:
        node_id = exploration.node_of(override.key)
        for key, value in override.attributes.items():
            found = applied.get((node_id or "", key))
            outcome = "not run" if run is None else "not asked of it"
            if found is not None:
                outcome = "applied" if found.is_applied else f"not applied: {found.reason}"
            yield override.named_location or override.key, key, value, outcome
