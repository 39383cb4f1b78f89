"""Names as Plotly may draw them: it reads tags, entities and formulas in every text."""

from __future__ import annotations

from studio_widgets import _format

_SHOWN_AS = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    # Two of them would be a formula where the page has MathJax.
    "$": "&#36;",
    # A template such as %{y} is filled in by Plotly.
    "%": "&#37;",
    "{": "&#123;",
}


def plotly_text(text: str) -> str:
    """``text`` so that Plotly shows these very letters: no tag, link, formula or template.

    Control characters and line breaks become spaces. Of ``_format.shortened`` comes this last:
    a cut entity would be shown.
    """
    shown = (" " if ord(c) < 32 or c in "\x7f\u2028\u2029" else _SHOWN_AS.get(c, c) for c in text)
    return "".join(shown)


def short_name(name: str, length: int) -> str:
    """A name of at most ``length`` letters for an axis or a tile."""
    return plotly_text(_format.shortened(name, length))


def listed(names: list[str], most: int = 3) -> str:
    """'a, b, c and 4 more', as plain text."""
    shown = ", ".join(_format.shortened(name, 60) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"
