"""Which integers an input may hold: token ids must stay inside the table they look up."""

from __future__ import annotations

from collections import defaultdict

from studio_core.layers.tracing import PASS_THROUGH, trace_weight
from studio_core.models.graph_index import Node
from studio_core.models.model import Model

_SAFE_LIMIT = 2
"""0 and 1 are valid as a mask, a segment, a flag, and as an index into any real table."""

_KEEPS_VALUES = PASS_THROUGH | {"Slice", "Split", "Expand", "Tile", "Concat"}


def integer_limit(model: Model, name: str) -> int:
    """Numbers 0 … limit − 1 are valid for the integer input ``name``.

    The smallest table that a Gather looks up with the input, through operators that keep
    its values; 2 where there is none.
    """
    readers: dict[str, list[Node]] = defaultdict(list)
    for node in model.main.nodes:
        for value in node.inputs:
            readers[value].append(node)
    limits: list[int] = []
    waiting, seen = [name], {name}
    while waiting:
        value = waiting.pop()
        for node in readers[value]:
            if node.op_type == "Gather" and node.inputs[1] == value:
                limits += _table_size(node)
            elif node.op_type in _KEEPS_VALUES and node.inputs[0] == value:
                new = [o for o in node.outputs if o and o not in seen]
                seen.update(new)
                waiting += new
    return min(limits, default=_SAFE_LIMIT)


def _table_size(node: Node) -> list[int]:
    table = trace_weight(node.scope, node.inputs[0])
    if table is None or not table.shape:
        return []
    return [table.shape[node.integer("axis", 0)]]
