"""Report: what is known, written into one HTML or Markdown file from a button.

button = ReportButton(lambda: model_report(session, plan=plan), session.model.path.stem)
button.write("report.html")
"""

from __future__ import annotations

import html
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import ipywidgets
import traitlets

from studio_core.errors import ConflictError
from studio_core.projects import files
from studio_core.reports import Report, write_report
from studio_core.reports.plain_text import visible
from studio_core.reports.writing import check_report_path
from studio_widgets import _format
from studio_widgets._analysis_panel import run_button
from studio_widgets._base import ShortRepr, reject_unknown, settings_of
from studio_widgets.messages import MessageArea
from studio_widgets.panel_style import PanelStyle


class ReportButton(ShortRepr, ipywidgets.VBox):
    """Writes what ``make`` answers as a report; relative paths are those of the notebook.

    ``name`` begins the file's name that is offered.
    """

    written = traitlets.Instance(Path, allow_none=True)
    """The report that was written last. Type: Path or None. Default: None."""

    def __init__(self, make: Callable[[], Report], name: str = "model", **settings: Any) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, ipywidgets.VBox))
        self._make = make
        self.path = ipywidgets.Text(
            value=f"{name}-report.html",
            description="Report",
            tooltip="Path of the report; .html makes a page, .md makes Markdown",
        )
        self.overwrite = ipywidgets.Checkbox(description="replace", indent=False)
        self.overwrite.layout.width = "auto"
        self.start = run_button(
            "Write report", "file-text-o", "One file of all that is known; .html or .md"
        )
        self.start.on_click(lambda _: self._write_by_hand())
        self.messages = MessageArea()
        self.result = ipywidgets.Output()
        self._say(())
        line = ipywidgets.HBox([self.path, self.overwrite, self.start])
        line.add_class("studio-run-controls")
        style = PanelStyle("panel", "runs")
        super().__init__([style, line, self.messages, self.result], **settings)
        self.add_class("studio")
        self.add_class("studio-report")

    def write(self, path: str | Path | None = None, *, overwrite: bool = False) -> Path:
        """Write the report to ``path``, by default the one in the box, and answer where it is.

        Raises `ConflictError` where the file exists and ``overwrite`` is not set,
        `InvalidRequestError` where its name ends in neither .html nor .md.
        """
        self.messages.clear()
        self._say(())
        text = self.path.value.strip().strip("\"'") if path is None else str(path)
        target = check_report_path(text).absolute()
        if target.exists() and not overwrite:
            raise ConflictError(
                f"{target.name} is there already. Tick 'replace' (overwrite=True) to write over "
                "it, or choose another name."
            )
        report = self._make()
        files.make_folder(target.parent)
        self.written = write_report(target, report)
        self._say(_result(target))
        return target

    def _write_by_hand(self) -> None:
        with self.messages.catching():
            self.start.disabled = True
            try:
                self.write(overwrite=self.overwrite.value)
            finally:
                self.start.disabled = False

    def _say(self, outputs: tuple[dict[str, Any], ...]) -> None:
        self.result.outputs = outputs
        self.result.layout.display = "" if outputs else "none"


def _result(path: Path) -> tuple[dict[str, Any], ...]:
    """The line that says what was written, with a link where a front end can follow one.

    JupyterLab resolves a relative link of an output (not of an HTML widget) against the folder
    of the notebook, in which its kernel works, and opens the file in a tab.
    """
    size = _format.size(path.stat().st_size)
    seen = visible(str(path), 1000)
    shown = html.escape(seen)
    try:
        relative = path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        link = shown  # a page has no address for what lies elsewhere
    else:
        name = html.escape(visible(relative, 1000))
        link = f'<a href="{quote(os.fsencode(relative))}" target="_blank">{name}</a>'
    text = f'<div class="studio-wrap" role="status" title="{shown}">wrote {link}, {size}</div>'
    data = {"text/html": text, "text/plain": f"wrote {seen}, {size}"}
    return ({"output_type": "display_data", "data": data, "metadata": {}},)
