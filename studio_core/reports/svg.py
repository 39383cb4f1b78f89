"""Small pieces that charts are made of: elements, escaped texts, axes with round steps.

Colours are classes, which the page's style sets for light, dark and print.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape

from studio_core.reports.plain_text import shortened

NUM_COLOURS = 6


def element(name: str, content: str = "", **attributes: object) -> str:
    """An element; ``class_`` is class, ``text_anchor`` text-anchor. Values are escaped."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_number(value))}"'
        for key, value in attributes.items()
    )
    return f"<{name}{said}>{content}</{name}>"


def text(x: float, y: float, words: str, *, most: int = 60, **attributes: object) -> str:
    return element("text", escape(shortened(words, most)), x=x, y=y, **attributes)


def chart(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """The whole drawing, named for those who cannot see it."""
    label = escape(shortened(title, 200))
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{label}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


@dataclass(frozen=True)
class Axis:
    """Values from ``low`` to ``high`` drawn from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        span = self.high - self.low
        share = (value - self.low) / span if span else 0.0
        return self.start + share * (self.end - self.start)

    def ticks(self, about: int = 5) -> Iterator[float]:
        """Round values, about so many."""
        span = self.high - self.low
        if not (span > 0 and math.isfinite(span)):
            yield self.low
            return
        step = round_step(span / about)
        for number in range(
            math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1
        ):
            yield number * step


def round_step(about: float) -> float:
    """1, 2 or 5 times a power of ten, not below ``about``."""
    power = 10.0 ** math.floor(math.log10(about))
    return next(power * n for n in (1, 2, 5, 10) if power * n >= about * (1 - 1e-9))


def rounded_up(value: float) -> float:
    """The end of an axis that begins at 0 and holds ``value``."""
    if not (value > 0 and math.isfinite(value)):
        return 1.0
    step = round_step(value / 5)
    return step * math.ceil(value / step - 1e-9)


def short(value: float) -> str:
    """A number on an axis."""
    return f"{value:.4g}"


def _number(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
