"""Whether a whole module fits: the op at which one core holds most, under all changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from studio_core.explorer.edits import layout_outcome
from studio_core.explorer.opened import OpenedGraph
from studio_core.hardware.memory import Certainty, fits, l1_fraction


@dataclass(frozen=True, slots=True)
class PeakMemory:
    """The node at which the live L1 of one core is largest.

    ``fraction`` is of the usable L1. ``certainty`` is the weakest of all nodes: a lower bound
    that does not fit is certain, one that fits is not.
    """

    node_id: str
    l1_bytes: int
    fraction: float
    fits: bool
    certainty: Certainty


def peak_of(opened: OpenedGraph, changes: Mapping[str, Mapping[str, str]]) -> PeakMemory | None:
    """The peak under ``changes`` by node; None where no node has known bytes."""
    live = {
        operation: memory.l1_bytes
        for operation, memory in opened.memory.items()
        if memory.l1_bytes is not None and operation in opened.node_ids
    }
    for node_id, asked in changes.items():
        producer = opened.operations.get(node_id)
        outcome = layout_outcome(opened, opened.node(node_id), asked, None)
        if producer is None or outcome is None:
            continue
        before, after = outcome.before.l1_bytes, outcome.after.l1_bytes
        span = opened.spans[producer]
        for operation in live:
            if span.covers(opened.spans[operation]):
                if before is None or after is None:
                    return None
                live[operation] += after - before
    if not live:
        return None
    worst = max(live, key=lambda operation: live[operation])
    return _peak(opened, opened.node_ids[worst], live[worst])


def _peak(opened: OpenedGraph, node_id: str, l1_bytes: int) -> PeakMemory:
    kinds = {memory.certainty for memory in opened.memory.values()}
    order: tuple[Certainty, ...] = ("unknown", "lower bound", "exact")
    certainty = next(kind for kind in order if kind in kinds)
    fraction, is_fit = l1_fraction(l1_bytes, opened.system), fits(l1_bytes, opened.system)
    assert fraction is not None and is_fit is not None  # the bytes are known
    return PeakMemory(node_id, l1_bytes, fraction, is_fit, certainty)
