"""Ops whose live tensors do not fit into a core's L1."""

from __future__ import annotations

from collections.abc import Iterator

from studio_core.explorer.opened import OpenedGraph
from studio_core.finding import Finding
from studio_core.findings.gathering import gathered
from studio_core.hardware.liveness import OpMemory
from studio_core.hardware.memory import l1_limit_bytes
from studio_core.mlir.records import Operation
from studio_core.quantities import percent, size

_NEARLY = 0.9
"""Of the limit: circular buffers of the kernel come on top."""


def l1_over_limit(opened: OpenedGraph) -> Iterator[Finding]:
    """Those over it first, the fullest first, then those nearly full."""
    limit = l1_limit_bytes(opened.system)
    found = [
        (operation, memory)
        for operation, memory in opened.memory.items()
        if operation in opened.node_ids
        and memory.l1_bytes is not None
        and memory.l1_bytes > _NEARLY * limit
    ]
    found.sort(key=lambda pair: -(pair[1].l1_bytes or 0))
    over = [pair for pair in found if pair[1].fits is False]
    nearly = [pair for pair in found if pair[1].fits is not False]
    yield from gathered(_over(opened, *pair, limit) for pair in over)
    yield from gathered(_nearly(opened, *pair, limit) for pair in nearly)


def _over(opened: OpenedGraph, operation: Operation, memory: OpMemory, limit: int) -> Finding:
    least = "At least " if memory.certainty == "lower bound" else ""
    return Finding(
        "L1 over limit",
        "error",
        f"{operation.name} does not fit into L1.",
        f"{least}{size(memory.l1_bytes)} of a core are alive while it runs; {size(limit)} is the "
        f"limit on {opened.system.arch}.",
        "Shard its tensors over more cores, take a smaller data type, or move one to DRAM.",
        subject=opened.node_ids[operation],
    )


def _nearly(opened: OpenedGraph, operation: Operation, memory: OpMemory, limit: int) -> Finding:
    share = (memory.l1_bytes or 0) / limit
    return Finding(
        "L1 nearly full",
        "note",
        f"{operation.name} leaves little L1 for its kernel.",
        f"Its live tensors take {percent(share)} of the limit of {size(limit)}. {memory.note}",
        "Keep an eye on it: an edit nearby may push it over.",
        subject=opened.node_ids[operation],
    )
