"""The colours of the charts: each is a token of ``static/_shared.css`` in its light value.

A figure painted with these is whole by itself, on a light page; in a notebook `Figure` puts the
theme's own value in the place of each (`TOKENS` says which).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from studio_widgets._assets import css
from studio_widgets._node_kinds import KINDS, kind_of


def _light_tokens() -> dict[str, str]:
    """Values of the style sheet's ``.studio`` rule by variable; fallbacks, where it has them."""
    rule = css("figure").split(".studio {", 1)[1].split("}", 1)[0]
    found = re.findall(r"(--studio-[\w-]+):[^;]*?(#[0-9a-f]{6})\)?;", rule)
    return dict(found)


_LIGHT = _light_tokens()

TOKENS: Mapping[str, str] = {colour: variable for variable, colour in _LIGHT.items()}
"""The style sheet's variable of each colour."""


def token(name: str) -> str:
    """The light value of ``--studio-<name>``; raises KeyError where there is no such colour."""
    return _LIGHT[f"--studio-{name}"]


INK, INK_2 = token("ink"), token("ink-2")
GROUND, GROUND_2 = token("ground"), token("ground-2")
LINE, LINE_STRONG = token("line"), token("line-strong")
ACCENT, PLAN = token("accent"), token("plan")
HEAT = tuple(token(f"heat-{step}") for step in range(5))
"""From robust to sensitive."""
KIND = tuple(token(f"kind-{number}") for number in range(len(KINDS)))
UNKNOWN = token("kind-2")
"""What has no value, and what is no layer's."""

_CALM = (3, 4, 5, 6, 7, 8, 9, 0, 10, 1, 11)
"""Kinds whose colours are lent to operators that share a kind, in this order."""


def operator_colours(op_types: Iterable[str]) -> dict[str, str]:
    """A colour for each operator, the most frequent first.

    The colour of its kind of work, as in the graph; of two of one kind the rarer gets one that
    nothing here uses. From the twelfth on they are grey.
    """
    wanted = Counter(op_types).most_common()
    own: dict[int, str] = {}
    for op_type, _ in wanted:
        own.setdefault(kind_of(op_type), op_type)
    first = {op_type: KIND[kind] for kind, op_type in own.items()}
    spare = iter(KIND[kind] for kind in _CALM if kind not in own)
    return {op: first[op] if op in first else next(spare, UNKNOWN) for op, _ in wanted}


def heat_steps(scores: Iterable[float]) -> list[int]:
    """Step 0 (robust) to 4 (sensitive) of each score in the range of all; -1 where unknown.

    The same rule as ``heatSteps`` in ``static/_shared.js``: a layer has one colour everywhere.
    """
    values = list(scores)
    known = [v for v in values if v == v]
    if not known:
        return [-1] * len(values)
    low, high = min(known), max(known)
    # Layers that differ by a few percent get one colour: a full ramp would cry wolf.
    span = max(high - low, 0.25 * abs(high))
    return [-1 if v != v else min(4, int(5 * (v - low) / span)) if span > 0 else 0 for v in values]
