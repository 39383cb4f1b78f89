"""Memory bars and plain attributes, as safe HTML."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable

from studio_core.attributes.bars import bar_fraction
from studio_core.graphs.records import GraphAttribute, GraphNode
from studio_widgets._format import percent

_MOST_ROWS = 80
_MOST_LETTERS = 400
_NEARLY_FULL, _FULL = 0.8, 0.95


def memory_html(attributes: Iterable[GraphAttribute]) -> str:
    """A bar for each memory attribute, with how far it can be believed; text where it is no bar."""
    return "".join(_memory_row(attribute) for attribute in attributes)


def _memory_row(attribute: GraphAttribute) -> str:
    fraction = bar_fraction(attribute.value)
    key = html.escape(attribute.key)
    note = f' title="{html.escape(attribute.note)}"' if attribute.note else ""
    certainty = html.escape(attribute.certainty or "")
    label = f'<span class="studio-memory-key">{key}</span>'
    trust = f'<span class="studio-memory-trust">{certainty}</span>' if certainty else ""
    if fraction is None:
        kind, value = _memory_text(attribute.value)
        return (
            f'<div class="studio-memory"{note}>{label}'
            f'<span class="studio-memory-text{kind}">{html.escape(value)}</span>{trust}</div>'
        )
    fill = "full" if fraction > _FULL else "nearly" if fraction > _NEARLY_FULL else "free"
    words = percent(fraction)
    return (
        f'<div class="studio-memory"{note}>{label}'
        f'<span class="studio-memory-track" role="meter" aria-label="{key}" aria-valuemin="0" '
        f'aria-valuemax="1" aria-valuenow="{fraction:.4f}" aria-valuetext="{words} {certainty}">'
        f'<i class="studio-memory-{fill}" style="width:{100 * fraction:.2f}%"></i></span>'
        f'<span class="studio-memory-value">{words}</span>{trust}</div>'
    )


def _memory_text(value: str) -> tuple[str, str]:
    """What is no bar: more than there is, in percent; all else as it is written."""
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if 1 < number < math.inf:
        return " studio-memory-over", f"{percent(number)}, more than there is"
    return "", _cut(value)


def table_html(attributes: Iterable[GraphAttribute]) -> str:
    """Keys and values as a table; very long ones are cut, and very many are counted."""
    rows = list(attributes)
    lines = "".join(
        f"<tr><th>{html.escape(_cut(a.key))}</th><td>{html.escape(_cut(a.value))}</td></tr>"
        for a in rows[:_MOST_ROWS]
    )
    more = len(rows) - _MOST_ROWS
    if more > 0:
        lines += f"<tr><td colspan=2>and {more:,} more</td></tr>"
    return f'<table class="studio-attributes">{lines}</table>' if lines else ""


def ports_html(node: GraphNode) -> str:
    """What is known of the outputs beyond the attributes of the node, output by output."""
    known = {(a.key, a.value) for a in node.attributes}
    parts = []
    for port in node.outputs[:_MOST_ROWS]:
        new = [a for a in port.attributes if (a.key, a.value) not in known]
        if new:
            title = f'<div class="studio-port">output {html.escape(_cut(port.id))}</div>'
            parts.append(title + table_html(new))
    return "".join(parts)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}…"
