"""`report_markdown`: a report as Markdown (GitHub's), charts as the tables behind them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from studio_core.reports.plain_text import visible, visible_lines
from studio_core.reports.records import (
    BarChart,
    Block,
    Cell,
    Code,
    Column,
    Facts,
    FindingList,
    IntervalChart,
    LineChart,
    Meter,
    Paragraph,
    Report,
    Table,
)

# What would begin markup; an underscore inside a word does not, and words full of them are names.
_MARKUP = re.compile(
    r"[\\`*\[\]<>|~&#$!@]|(?<!\w)_|_(?!\w)|(?<=\w):(?=//)|(?<=\bwww)\.", re.IGNORECASE
)
_LINE_START = re.compile(r"^(\s*)([-+=]|\d+[.)])(?=\s|$)")


def report_markdown(report: Report) -> str:
    return "\n".join(_lines(report)).rstrip() + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# {_text(report.title)}\n"
    yield f"{_text(report.subtitle)}\n"
    for section in report.sections:
        yield f"## {_text(section.title)}\n"
        for block in section.blocks:
            yield from _block(block)
    if report.provenance:
        yield "## Provenance\n"
        yield from (f"- {_text(f.label)}: {_text(f.value)}" for f in report.provenance)


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Paragraph):
        yield f"{_text(block.text, 2000)}\n"
    elif isinstance(block, Facts):
        for fact in block.facts:
            note = f" ({_text(fact.note)})" if fact.note else ""
            yield f"- {_text(fact.label)}: **{_text(fact.value)}**{note}"
        yield ""
    elif isinstance(block, Table):
        yield from _table(block)
    elif isinstance(block, FindingList):
        yield from _findings(block)
    elif isinstance(block, Code):
        yield _fenced(visible_lines(block.text))
    else:
        yield f"### {_text(block.title, 600)}\n"
        yield from _table(_numbers(block))


def _numbers(block: LineChart | BarChart | IntervalChart) -> Table:
    """What a chart draws, as a table."""
    if isinstance(block, LineChart):
        return block.table
    if isinstance(block, BarChart):
        columns = (Column("", is_name=True), Column("value", is_number=True))
        return Table(columns, tuple((bar.name, bar.text) for bar in block.bars), block.note)
    columns = (Column(""), Column(block.x_label, is_number=True))
    return Table(columns, tuple((i.name, i.text) for i in block.intervals))


def _table(table: Table) -> Iterator[str]:
    caption = table.caption or table.folded
    if caption:
        yield f"{_text(caption)}\n"
    yield f"| {' | '.join(_text(c.title) or ' ' for c in table.columns)} |"
    yield f"|{'|'.join('---:' if c.is_number else '---' for c in table.columns)}|"
    for row in table.rows:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"
    yield ""
    if table.note:
        yield f"{_text(table.note, 600)}\n"


def _cell(cell: Cell) -> str:
    return _text(cell.text if isinstance(cell, Meter) else cell)


def _findings(block: FindingList) -> Iterator[str]:
    if not block.findings:
        yield "Nothing was found that needs your attention.\n"
        return
    for f in block.findings:
        hazard, evidence, remedy = (_text(t, 1000) for t in (f.hazard, f.evidence, f.remedy))
        yield f"- **{f.severity}**: {hazard} {evidence} *{remedy}*"
    yield ""


def _fenced(text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}\n"


def _text(words: str, most: int = 400) -> str:
    """``words`` as text that no renderer takes for markup, a link or a list."""
    escaped = _MARKUP.sub(lambda found: f"\\{found[0]}", visible(words, most))
    return _LINE_START.sub(lambda found: f"{found[1]}{found[2][:-1]}\\{found[2][-1]}", escaped)
