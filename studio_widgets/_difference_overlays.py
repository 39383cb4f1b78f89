"""The differences between two graphs as overlays by key, for a graph view of one of them."""

from __future__ import annotations

from studio_core.comparison import GraphComparison
from studio_core.comparison.graphs import DIFFERENCE, STRUCTURE, Side
from studio_core.graphs.records import Overlay


def difference_overlays(found: GraphComparison, side: Side = "right") -> dict[str, Overlay]:
    """One for each kind of value that both graphs have, then one of the structure.

    Those without any value are left out.
    """
    overlays = {f"{kind}_{DIFFERENCE}": found.overlay(kind, side) for kind in found.values}
    overlays[STRUCTURE] = found.structure_overlay(side)
    return {key: overlay for key, overlay in overlays.items() if overlay.values}
