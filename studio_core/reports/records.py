"""What a report says, without how it looks: sections of facts, tables, charts and findings.

All texts are plain, names of models among them: whoever draws them makes them harmless.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from studio_core.finding import Finding


@dataclass(frozen=True, slots=True)
class Paragraph:
    text: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A number or word with what it is; ``note`` stands below it, small."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts side by side; ``is_main`` draws them large."""

    facts: tuple[Fact, ...]
    is_main: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    is_number: bool = False
    is_name: bool = False
    """A name of the model's own, which may be long."""


@dataclass(frozen=True, slots=True)
class Meter:
    """A cell with a bar in it; ``fraction`` is 0 to 1, None draws no bar."""

    text: str
    fraction: float | None


Cell: TypeAlias = "str | Meter"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as long as there are columns. ``note`` says what is not in it.

    ``folded`` is the line that opens it where it is closed at first, "" where it never is.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    caption: str = ""
    folded: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """One line. ``values`` are as many as ``places``, None where unknown."""

    name: str
    places: tuple[float, ...]
    values: tuple[float | None, ...]
    is_main: bool = True
    """Drawn in a colour of its own and named; others are grey, to show where it stands."""


@dataclass(frozen=True, slots=True)
class LineChart:
    """Lines over a common axis. ``limit`` is a value that should not be passed, with its name.

    ``is_share`` writes places as percent; ``table`` is what stands where nothing is drawn.
    """

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    table: Table
    is_share: bool = True
    limit: tuple[float, str] | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """A value with its name, its text, and a second, lighter value to compare with."""

    name: str
    value: float
    text: str
    former: float | None = None


@dataclass(frozen=True, slots=True)
class BarChart:
    """Horizontal bars from 0, one below the other."""

    title: str
    bars: tuple[Bar, ...]
    legend: tuple[str, str] | None = None
    """Names of ``value`` and ``former``."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its standard error, None where that is not known."""

    name: str
    value: float
    error: float | None
    text: str


@dataclass(frozen=True, slots=True)
class IntervalChart:
    """Values with error bars (± 2 standard errors) on one axis, one below the other."""

    title: str
    x_label: str
    intervals: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class FindingList:
    """Findings, with the name of each one's layer or node by its id."""

    findings: tuple[Finding, ...]
    names: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Code:
    text: str


Block: TypeAlias = (
    "Paragraph | Facts | Table | LineChart | BarChart | IntervalChart | FindingList | Code"
)


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """``provenance`` is what is needed to make it again: hashes, versions, dates."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]
    provenance: tuple[Fact, ...] = field(default=())
