"""Local functions of a model, expanded into its graph, so that their layers have shapes and ids.

Functions may call functions, so a few kilobytes can stand for more nodes than any memory
holds; the size is worked out before anything is expanded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import onnx
import onnx.inliner

from studio_core.errors import InvalidModelError, LimitError
from studio_core.limits import DEFAULT_LIMITS, Limits, beyond, shortened

MAX_DEPTH = 100

_Key = tuple[str, str, str]
"""Domain, name and overload of a function."""

_MAIN: _Key = ("", "", "")


def inline_functions(proto: onnx.ModelProto, limits: Limits = DEFAULT_LIMITS) -> onnx.ModelProto:
    """The model with its local functions expanded; raises `InvalidModelError`."""
    calls = {(f.domain, f.name, f.overload): _calls(f.node) for f in proto.functions}
    calls[_MAIN] = _calls(proto.graph.node)
    _check_size(calls, limits)
    try:
        return onnx.inliner.inline_local_functions(proto)
    except Exception as error:  # the C++ inliner raises bare RuntimeErrors
        raise InvalidModelError(f"Its functions cannot be expanded: {error}") from error


def _calls(nodes: Iterable[onnx.NodeProto]) -> Counter[_Key]:
    """How often each operator is used, subgraphs included."""
    found: Counter[_Key] = Counter()
    waiting = [nodes]
    while waiting:
        for node in waiting.pop():
            found[node.domain, node.op_type, node.overload] += 1
            for attribute in node.attribute:
                waiting.extend(graph.node for graph in (attribute.g, *attribute.graphs))
    return found


def _check_size(calls: Mapping[_Key, Counter[_Key]], limits: Limits) -> None:
    """Refuse cycles, chains deeper than `MAX_DEPTH`, and more nodes than the limit."""
    sizes: dict[_Key, int] = {}
    path: list[tuple[_Key, Iterator[_Key]]] = [(_MAIN, iter(calls[_MAIN]))]
    while path:
        key, callees = path[-1]
        callee = next((c for c in callees if c in calls and c not in sizes), None)
        if callee is None:
            path.pop()
            sizes[key] = sum(n * sizes.get(c, 1) for c, n in calls[key].items())
        elif len(path) > MAX_DEPTH or any(callee == on_path for on_path, _ in path):
            raise InvalidModelError(
                f"Its functions call each other in a cycle or more than {MAX_DEPTH} deep, at "
                f"'{callee[1]}'."
            )
        else:
            path.append((callee, iter(calls[callee])))
        if sizes.get(key, 0) > limits.max_nodes:
            what = f"Its functions expand to too many nodes at '{shortened(key[1]) or 'main'}'"
            raise LimitError(beyond(what, "max_nodes", limits.max_nodes))
