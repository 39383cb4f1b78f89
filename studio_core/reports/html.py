"""`report_html`: a report as one page that opens anywhere, without network and without script.

Every text is escaped here and nowhere else; the page's own policy forbids scripts, frames, images
and connections besides.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from importlib.resources import files

from studio_core.finding import SEVERITIES, Finding
from studio_core.reports.bar_chart import bar_chart_svg, interval_chart_svg
from studio_core.reports.line_chart import line_chart_svg
from studio_core.reports.plain_text import shortened, visible, visible_lines
from studio_core.reports.records import (
    BarChart,
    Block,
    Cell,
    Code,
    Column,
    Fact,
    Facts,
    FindingList,
    IntervalChart,
    LineChart,
    Meter,
    Paragraph,
    Report,
    Section,
    Table,
)

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

_MOST_OF_A_NAME = 64


def report_html(report: Report) -> str:
    """The whole page as text; UTF-8 when written."""
    return "".join(_page(report))


def _page(report: Report) -> Iterator[str]:
    style = files("studio_core.reports").joinpath("report.css").read_text("utf-8")
    title = _text(report.title)
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield '<meta name="color-scheme" content="light dark">\n'
    yield f"<title>{title} · Studio report</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
    yield f'<header><p class="kind">Neural Magic Studio · report</p><h1>{title}</h1>'
    yield f'<p class="subtitle">{_text(report.subtitle)}</p></header>\n'
    yield from _contents(report)
    yield "<main>\n"
    for number, section in enumerate(report.sections):
        yield from _section(section, f"s{number}")
    yield "</main>\n"
    yield from _provenance(report.provenance)
    yield "</body>\n</html>\n"


def _contents(report: Report) -> Iterator[str]:
    titles = [section.title for section in report.sections]
    titles += ["Provenance"] if report.provenance else []
    links = (
        f'<a href="#{f"s{i}" if i < len(report.sections) else "provenance"}">{_text(title)}</a>'
        for i, title in enumerate(titles)
    )
    yield f'<nav aria-label="Contents">{"".join(links)}</nav>\n'


def _section(section: Section, anchor: str) -> Iterator[str]:
    yield f'<section id="{anchor}"><h2>{_text(section.title)}</h2>\n'
    for block in section.blocks:
        yield from _block(block)
    yield "</section>\n"


def _provenance(facts: tuple[Fact, ...]) -> Iterator[str]:
    if not facts:
        return
    yield '<footer id="provenance"><h2>Provenance</h2><dl class="provenance">'
    for fact in facts:
        yield f"<div><dt>{_text(fact.label)}</dt><dd>{_text(fact.value)}</dd></div>"
    yield "</dl></footer>\n"


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Paragraph):
        yield f"<p>{_text(block.text, 2000)}</p>\n"
    elif isinstance(block, Facts):
        yield from _facts(block)
    elif isinstance(block, Table):
        yield from _folded(block, block.folded) if block.folded else _table(block)
    elif isinstance(block, FindingList):
        yield from _findings(block)
    elif isinstance(block, Code):
        yield f"<pre>{escape(visible_lines(block.text))}</pre>\n"
    else:
        yield from _figure(block)


def _facts(block: Facts) -> Iterator[str]:
    yield f'<dl class="{"facts main" if block.is_main else "facts"}">'
    for fact in block.facts:
        note = f"<dd class='note'>{_text(fact.note)}</dd>" if fact.note else ""
        yield f"<div><dt>{_text(fact.label)}</dt><dd>{_text(fact.value)}</dd>{note}</div>"
    yield "</dl>\n"


def _figure(block: LineChart | BarChart | IntervalChart) -> Iterator[str]:
    if isinstance(block, LineChart):
        drawing = line_chart_svg(block)
    elif isinstance(block, BarChart):
        drawing = bar_chart_svg(block)
    else:
        drawing = interval_chart_svg(block)
    yield f"<figure><figcaption>{_text(block.title, 600)}</figcaption>{drawing}"
    if isinstance(block, BarChart) and block.note:
        yield f'<p class="note">{_text(block.note, 600)}</p>'
    yield "</figure>\n"
    if isinstance(block, LineChart):
        yield from _folded(block.table, "The numbers")


def _folded(table: Table, summary: str) -> Iterator[str]:
    yield f"<details><summary>{_text(summary)}</summary>"
    yield from _table(table)
    yield "</details>\n"


def _table(table: Table) -> Iterator[str]:
    yield '<div class="table"><table>'
    if table.caption:
        yield f"<caption>{_text(table.caption)}</caption>"
    heads = (f'<th scope="col"{_class(c)}>{_text(c.title)}</th>' for c in table.columns)
    yield f"<thead><tr>{''.join(heads)}</tr></thead>\n<tbody>\n"
    for row in table.rows:
        cells = (_cell(c, cell) for c, cell in zip(table.columns, row, strict=True))
        yield f"<tr>{''.join(cells)}</tr>\n"
    yield "</tbody></table></div>\n"
    if table.note:
        yield f'<p class="note">{_text(table.note, 600)}</p>\n'


def _cell(column: Column, cell: Cell) -> str:
    if isinstance(cell, Meter):
        return f"<td{_class(column)}>{_meter(cell)}</td>"
    if column.is_name:
        whole, shown = visible(cell), shortened(cell, _MOST_OF_A_NAME)
        title = f' title="{escape(whole)}"' if whole != shown else ""
        return f"<td{_class(column)}{title}>{escape(shown)}</td>"
    return f"<td{_class(column)}>{_text(cell)}</td>"


def _meter(cell: Meter) -> str:
    if cell.fraction is None:
        return _text(cell.text)
    width = 100 * min(1.0, max(0.0, cell.fraction))
    return (
        f'<span class="meter"><i style="width:{width:.1f}%"></i></span>'
        f'<span class="reading">{_text(cell.text)}</span>'
    )


def _class(column: Column) -> str:
    kind = "number" if column.is_number else "name" if column.is_name else ""
    return f' class="{kind}"' if kind else ""


def _findings(block: FindingList) -> Iterator[str]:
    if not block.findings:
        yield '<p class="none">Nothing was found that needs your attention.</p>\n'
        return
    names = dict(block.names)
    yield '<ul class="findings">'
    for finding in block.findings:
        yield _finding(finding, names.get(finding.subject or ""))
    yield "</ul>\n"


def _finding(finding: Finding, name: str | None) -> str:
    kind = finding.severity if finding.severity in SEVERITIES else "note"
    where = ""
    if name and name not in finding.hazard:
        where = f'<span class="where">{escape(shortened(name, _MOST_OF_A_NAME))}</span>'
    return (
        f'<li class="{kind}"><p class="hazard"><span class="severity">{kind}</span>'
        f"{_text(finding.hazard, 500)}{where}</p><p>{_text(finding.evidence, 1000)}</p>"
        f'<p class="remedy">{_text(finding.remedy, 1000)}</p></li>'
    )


def _text(words: str, most: int = 400) -> str:
    return escape(visible(words, most))
