"""What cannot be told of a module's memory, and which chip is counted for."""

from __future__ import annotations

from collections.abc import Iterator

from studio_core.explorer.opened import OpenedGraph
from studio_core.finding import Finding


def unknown_memory(opened: OpenedGraph) -> Iterator[Finding]:
    """A module without layouts, and one that is counted for an assumed chip."""
    if opened.module is None:
        return
    memory = [m for operation, m in opened.memory.items() if operation in opened.node_ids]
    unknown = [m for m in memory if m.certainty == "unknown"]
    if unknown and len(unknown) == len(memory):
        yield Finding(
            "memory unknown",
            "note",
            "Whether the module fits into memory is not known.",
            f"None of its {len(memory)} ops has a layout.",
            "Lower it to TTNN with the compiler; layouts are chosen there.",
        )
    if opened.system.origin == "built in" and len(unknown) < len(memory):
        yield Finding(
            "chip assumed",
            "note",
            "Limits may differ on your chip.",
            f"The module has no system description; {opened.system.arch} is assumed.",
            "Give the description of your system.",
        )
