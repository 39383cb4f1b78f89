"""Finding nodes by name or regular expression, in bounded time: `search`.

Python's expressions backtrack, and a short one can take years on a short text. So an expression
is refused before it runs if the ways to match it against one name could be too many.
"""

from __future__ import annotations

import importlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from studio_core.errors import InvalidRequestError
from studio_core.graphs.records import Graph, GraphNode

MOST_PATTERN = 200
"""Characters of a query."""

_MOST_NAME = 200
_MOST_WAYS = 10_000_000
_PATIENCE_S = 2.0
_NAMING = ("name", "named_location", "weight")
# The parser of `re` is not public, but nothing public tells how an expression is built.
_PARSER: Any = importlib.import_module("re._parser")
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")


@dataclass(frozen=True, slots=True)
class Found:
    """Places in `Graph.nodes`, in the graph's order; ``num_found`` counts those left off too.

    ``is_complete`` is false where time ran out before all nodes were looked at.
    """

    places: tuple[int, ...]
    num_found: int
    is_complete: bool = True


def search(graph: Graph, query: str, *, is_regex: bool = False, most: int = 1000) -> Found:
    """Nodes with ``query`` in their label, id, namespace, name or named location.

    Upper and lower case are the same. With ``is_regex`` the query is a regular expression, as `re`
    understands it. Of each name the first 200 characters are searched. Raises
    `InvalidRequestError` for an expression that is broken or could take too long.
    """
    if len(query) > MOST_PATTERN:
        raise InvalidRequestError(f"A search has at most {MOST_PATTERN} characters.")
    if not query:
        return Found((), 0)
    matches = _expression(query) if is_regex else _contains(query)
    places: list[int] = []
    end = time.monotonic() + _PATIENCE_S
    for place, node in enumerate(graph.nodes):
        if any(matches(name[:_MOST_NAME]) for name in _names(node)):
            places.append(place)
        if time.monotonic() > end:
            return Found(tuple(places[:most]), len(places), is_complete=False)
    return Found(tuple(places[:most]), len(places))


def _names(node: GraphNode) -> Iterator[str]:
    yield node.label
    yield node.id
    yield node.namespace
    for attribute in node.attributes:
        if attribute.key in _NAMING:
            yield attribute.value


def _contains(query: str) -> Callable[[str], bool]:
    wanted = query.casefold()
    return lambda name: wanted in name.casefold()


def _expression(query: str) -> Callable[[str], bool]:
    try:
        ways = _ways(_PARSER.parse(query))
        found = re.compile(query, re.IGNORECASE).search
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidRequestError(f"The regular expression is broken: {error}.") from None
    if ways > _MOST_WAYS:
        raise InvalidRequestError(
            "The regular expression could take too long: use fewer repetitions (* + {…}), and none "
            "inside another."
        )
    return lambda name: found(name) is not None


def _ways(pattern: Any) -> float:
    """An upper bound of the ways to match ``pattern`` from one place of a name."""
    ways = 1.0
    for operator, argument in pattern:
        name = str(operator)
        if name in _REPEATS:
            least, most, inner = argument
            most = min(int(most), _MOST_NAME)
            ways *= (most - min(int(least), most) + 1) * _repeated(_ways(inner), most)
        elif name == "BRANCH":
            ways *= sum(_ways(branch) for branch in argument[1])
        else:
            for part in _parts(argument):
                ways *= _ways(part)
    return min(ways, 10.0 * _MOST_WAYS)


def _repeated(ways: float, times: int) -> float:
    """``ways`` to the power of ``times``; beyond what is allowed the number does not matter."""
    return ways ** min(times, 30) if ways > 1 and times > 1 else ways


def _parts(argument: Any) -> Iterator[Any]:
    """The expressions inside a group, a look-around or a condition."""
    items = argument if isinstance(argument, (tuple, list)) else (argument,)
    return (item for item in items if isinstance(item, _PARSER.SubPattern))
