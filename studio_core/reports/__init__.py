"""A report as one HTML file or as Markdown: what is known of a model or module, with its proofs.

`model_report` and `module_report` say what is told, as records (`records`); `report_html` and
`report_markdown` say how it looks. The page needs no network and no script, follows the reader's
light or dark theme, and prints. `write_report` keeps it.
"""

from studio_core.reports.html import report_html
from studio_core.reports.markdown import report_markdown
from studio_core.reports.model_report import model_report
from studio_core.reports.module_report import module_report
from studio_core.reports.records import Report
from studio_core.reports.writing import write_report

__all__ = [
    "Report",
    "model_report",
    "module_report",
    "report_html",
    "report_markdown",
    "write_report",
]
