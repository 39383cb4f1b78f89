"""Tensors that go from L1 out to interleaved DRAM and come back into L1."""

from __future__ import annotations

from collections.abc import Iterator

from studio_core.explorer.opened import OpenedGraph
from studio_core.finding import Finding
from studio_core.findings.gathering import gathered
from studio_core.hardware.layouts import Layout
from studio_core.hardware.liveness import layout_of
from studio_core.hardware.memory import quotient
from studio_core.hardware.placement import IN_L1
from studio_core.mlir.records import Operation, Value
from studio_core.quantities import size


def dram_spill(opened: OpenedGraph) -> Iterator[Finding]:
    """The largest first: a tensor that is made from L1, kept in DRAM, and read for L1."""
    if opened.module is None:
        return
    users = _users(opened.module)
    spilled = [
        (value, layout)
        for value in users
        if (layout := layout_of(value)) is not None and _is_spilled(value, layout, users[value])
    ]
    spilled.sort(key=lambda pair: -(_num_bytes(pair[1]) or 0))
    yield from gathered(_finding(opened, value, layout) for value, layout in spilled)


def _users(module: Operation) -> dict[Value, list[Operation]]:
    found: dict[Value, list[Operation]] = {}
    for operation in module.walk():
        for value in operation.operands:
            found.setdefault(value, []).append(operation)
    return found


def _is_spilled(value: Value, layout: Layout, users: list[Operation]) -> bool:
    if layout.buffer_type != "dram" or layout.is_sharded or value.producer is None:
        return False
    return any(map(_is_in_l1, value.producer.operands)) and any(
        _is_in_l1(result) for user in users for result in user.results
    )


def _is_in_l1(value: Value) -> bool:
    layout = layout_of(value)
    return layout is not None and layout.buffer_type in IN_L1


def _num_bytes(layout: Layout) -> int | None:
    shard = layout.shard_bytes
    return shard * layout.num_shards if shard is not None else None


def _finding(opened: OpenedGraph, value: Value, layout: Layout) -> Finding:
    assert value.producer is not None  # as _is_spilled asks
    num_bytes = _num_bytes(layout)
    both_ways = None if num_bytes is None else 2 * num_bytes
    seconds = quotient(both_ways, opened.system.chip.dram_bandwidth)
    cost = f" At best {1e6 * seconds:.3g} µs." if seconds is not None else ""
    return Finding(
        "spilled to DRAM",
        "warning",
        f"{value.producer.name} puts a tensor into DRAM between ops that work in L1.",
        f"{size(both_ways)} are written to interleaved DRAM and read back.{cost}",
        "Ask for buffer_type l1 and a sharded tensor_memory_layout, if it fits.",
        subject=opened.node_ids.get(value.producer),
    )
