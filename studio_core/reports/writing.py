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
    file = Path(path).expanduser()
    suffix = file.suffix.lower()
    if suffix in MARKDOWN_SUFFIXES:
        text = report_markdown(report)
    elif suffix in HTML_SUFFIXES:
        text = report_html(report)
    else:
        raise InvalidRequestError(f"'{file.name}' must end in .html or .md.")
    write_atomically(file, text.encode("utf-8", "backslashreplace"))
    return file
