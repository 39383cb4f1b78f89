"""Export: the pruned model written to a file, and the plan in the formats of other tools.

panel.apply("pruned.onnx").wait()
panel.export("sparseml", "recipe.yaml")
"""

from __future__ import annotations

import html
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ipywidgets
import traitlets

from studio_core.errors import ConflictError
from studio_core.exports import FORMATS, ExportSource, export
from studio_core.plan_runs.applying import AppliedPlan, apply_plan
from studio_core.plan_runs.solving import SolvedPlan
from studio_core.projects import files
from studio_core.session import Session
from studio_widgets import _format
from studio_widgets._analysis_panel import run_button, status_html
from studio_widgets._background import BackgroundRun
from studio_widgets._base import ShortRepr, reject_unknown, settings_of
from studio_widgets.messages import MessageArea
from studio_widgets.panel_style import PanelStyle

_MOST_COMPRESSED_BYTES = 200_000_000
_ZLIB_LEVEL = 6


@dataclass(frozen=True)
class Written:
    """A pruned model on disk; compressed bytes are None where they were not counted."""

    applied: AppliedPlan
    compressed_before: int | None
    compressed_after: int | None


ApplyRun = BackgroundRun["Written | None", "Written | None"]


class ExportPanel(ShortRepr, ipywidgets.VBox):
    """Writes what ``ask`` answers as the present plan of ``session``; relative paths are
    those of the notebook.
    """

    is_running = traitlets.Bool(False)
    """Whether a model is being written. Type: bool. Default: False."""

    written = traitlets.Instance(Written, allow_none=True)
    """The pruned model that was written last. Type: Written or None. Default: None."""

    def __init__(self, session: Session, ask: Callable[[], SolvedPlan], **settings: Any) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, ipywidgets.VBox))
        self.session, self._ask = session, ask
        self.run: ApplyRun | None = None
        self._make_parts()
        style = PanelStyle("panel", "runs")
        model = ipywidgets.HBox([self.path, self.overwrite, self.write])
        plan = ipywidgets.HBox([self.format, self.file, self.save])
        for line in (model, plan):
            line.add_class("studio-run-controls")
        parts = [style, model, self.result, plan, self.said, self.messages]
        super().__init__(parts, **settings)
        self.add_class("studio")
        self.add_class("studio-export")

    def _make_parts(self) -> None:
        stem = self.session.model.path.stem
        self.path = ipywidgets.Text(
            value=f"{stem}-pruned.onnx", description="Model", tooltip="Path of the pruned model"
        )
        self.overwrite = ipywidgets.Checkbox(description="replace", indent=False)
        self.overwrite.layout.width = "auto"
        self.write = run_button(
            "Write pruned model", "scissors", "Prune a copy of the model by the plan"
        )
        self.write.add_class("studio-primary")
        self.result = ipywidgets.HTML()
        self.format = ipywidgets.Dropdown(
            description="Plan as", options=[(f.title, f.name) for f in FORMATS.values()]
        )
        self.file = ipywidgets.Text(tooltip="Path of the exported file")
        self.save = run_button("Export", "download", "Write the plan in this format")
        self.said = ipywidgets.HTML()
        self.messages = MessageArea()
        self.write.on_click(lambda _: self._by_hand(self._apply_chosen))
        self.save.on_click(lambda _: self._by_hand(self._export_chosen))
        self.format.observe(self._name_file, "value")
        self._name_file({})

    def apply(self, path: str | Path, *, overwrite: bool = False) -> ApplyRun:
        """Write the pruned model to ``path`` in the background; ``run.wait()`` waits for it.

        Raises `ConflictError` while another is being written; what `prune_model` refuses is
        raised by ``run.wait()``.
        """
        if self.is_running:
            raise ConflictError("A model is being written. Wait for its end.")
        solved, session = self._ask(), self.session
        target = Path(path).expanduser()

        def steps() -> Iterator[Written | None]:
            yield None
            yield _write(session, solved, target, overwrite)

        self.messages.clear()
        self.result.value = status_html("pruning …")
        self.run = BackgroundRun(steps, lambda step: step, self._take, self._end)
        self.is_running = self.write.disabled = True
        self.run.start()
        return self.run

    def export(self, format_name: str, path: str | Path, **options: Any) -> Path:
        """Write the plan in one of `FORMATS`; ``options`` are those of the format.

        Raises `InvalidRequestError` where the format cannot hold the plan.
        """
        solved, session = self._ask(), self.session
        removal = solved.removal
        source = ExportSource(
            session.model,
            session.layers,
            solved.plan,
            removal.granularities(solved.plan),
            removal.group_size,
        )
        exported = export(format_name, source, **options)
        target = Path(path).expanduser().absolute()
        files.make_folder(target.parent)
        files.write_atomically(target, exported.content)
        size = _format.size(len(exported.content))
        self.said.value = _lines(f"wrote {target}, {size}", (*solved.notes, *exported.notes))
        return target

    def _apply_chosen(self) -> None:
        self.apply(self.path.value.strip().strip("\"'"), overwrite=self.overwrite.value)

    def _export_chosen(self) -> None:
        self.export(self.format.value, self.file.value.strip().strip("\"'"))

    def _by_hand(self, act: Callable[[], None]) -> None:
        with self.messages.catching():
            act()

    def _name_file(self, _change: Any) -> None:
        kind = FORMATS[self.format.value]
        self.file.value = f"{self.session.model.path.stem}-plan{kind.suffix}"

    def _take(self, written: Written | None) -> None:
        if written is not None:
            self.written = written
            self.result.value = _written_html(written)

    def _end(self, run: ApplyRun) -> None:
        self.is_running = self.write.disabled = False
        if run.error is not None:
            self.result.value = ""
            self.messages.show(run.error)


def _write(session: Session, solved: SolvedPlan, target: Path, overwrite: bool) -> Written:
    files.make_folder(target.absolute().parent)
    applied = apply_plan(session, solved.plan, solved.removal, target, overwrite=overwrite)
    source = (
        session.model.path,
        *(session.model.path.parent / file for file in session.model.data_files),
    )
    if max(applied.bytes_before, applied.bytes_after) > _MOST_COMPRESSED_BYTES:
        return Written(applied, None, None)
    return Written(applied, _compressed(source), _compressed([p for p, _ in applied.files]))


def _compressed(paths: Any) -> int:
    return sum(len(zlib.compress(path.read_bytes(), _ZLIB_LEVEL)) for path in paths)


def _written_html(written: Written) -> str:
    applied = written.applied
    path = applied.files[0][0].absolute()
    rows = [("Size of the files", applied.bytes_before, applied.bytes_after)]
    if written.compressed_before is not None and written.compressed_after is not None:
        rows.append(("Compressed (zlib)", written.compressed_before, written.compressed_after))
    body = "".join(
        f'<tr><th scope="row">{name}</th><td title="{before:,} bytes">{_format.size(before)}</td>'
        f'<td title="{after:,} bytes">{_format.size(after)}</td></tr>'
        for name, before, after in rows
    )
    head = '<tr><th scope="col"></th><th scope="col">before</th><th scope="col">after</th></tr>'
    notes = list(applied.notes)
    if applied.bytes_after >= applied.bytes_before:
        notes.append("Zeros take as much room as other numbers until the file is compressed.")
    words = f"wrote {path}; {_format.percent(applied.sparsity)} of the prunable weights are gone"
    return f'{_lines(words, notes)}<table class="studio-verified">{head}{body}</table>'


def _lines(first: str, notes: Any) -> str:
    more = "".join(f'<p class="studio-note">{html.escape(note)}</p>' for note in notes)
    return f'<div class="studio-wrap" role="status">{html.escape(first)}</div>{more}'
