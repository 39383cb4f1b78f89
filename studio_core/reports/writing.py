"""`write_report`: a report into a file, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from studio_core.errors import InvalidRequestError
from studio_core.projects.files import write_atomically
from studio_core.reports.html import report_html
from studio_core.reports.markdown import report_markdown
from studio_core.reports.records import Report

MARKDOWN_SUFFIXES = (".md", ".markdown")
HTML_SUFFIXES = (".html", ".htm")


def write_report(path: str | Path, report: Report) -> Path:
    """Write ``report`` as HTML or Markdown, as the suffix of ``path`` says; answers the path.

    Raises `InvalidRequestError` for another suffix, `StorageError` where the disk refuses.
    """
    file = check_report_path(path)
    is_markdown = file.suffix.lower() in MARKDOWN_SUFFIXES
    text = report_markdown(report) if is_markdown else report_html(report)
    write_atomically(file, report_bytes(text))
    return file


def check_report_path(path: str | Path) -> Path:
    """``path`` if a report can be called so; raises `InvalidRequestError`."""
    file = Path(path).expanduser()
    if file.suffix.lower() not in (*MARKDOWN_SUFFIXES, *HTML_SUFFIXES):
        raise InvalidRequestError(f"'{file.name}' must end in .html or .md.")
    return file


def report_bytes(text: str) -> bytes:
    """UTF-8; what of a name is no text at all is written as its code."""
    return text.encode("utf-8", "backslashreplace")
