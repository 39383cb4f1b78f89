"""The process of one run: ``python -m studio_core.runs.worker FOLDER LIMITS``.

It works as the record in the folder says, writes how far it is, and prints into the run's log.
It is ended with all it started by whoever follows it; what it has by then stays.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil

from studio_core.errors import StorageError, StudioError
from studio_core.graphs.model_explorer_json import graph_to_json
from studio_core.guarded.resources import restrict_job
from studio_core.limits import Limits
from studio_core.runs.records import RunProgress, RunRecord, RunRequest
from studio_core.runs.store import (
    read_record,
    write_findings,
    write_graph,
    write_progress,
)
from studio_core.runs.work import WorkStep, work

REPORT_SECONDS = 0.2
PARENT_SECONDS = 0.5
MAX_TEXT = 2000
_ENDANGERED = "800"


class _Reporter:
    """Writes how far the run is, not too often, and every word into the log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.last = RunProgress()
        self._next = 0.0

    def step(self, step: WorkStep) -> None:
        is_news = step.message != self.last.message
        message = shown(step.message)
        self.last = RunProgress(step.fraction, message, step.backend)
        if step.findings is not None:
            write_findings(self._folder, list(step.findings), [])
            self._next = 0.0
        if is_news and time.monotonic() >= self._next:
            say(f"{100 * step.fraction:3.0f} % {message}")
            self._write()

    def end(self, progress: RunProgress) -> None:
        self.last = progress
        self._write()

    def _write(self) -> None:
        try:
            write_progress(self._folder, self.last)
        except StorageError as error:  # the work goes on: the disk may have room by its end
            say(f"could not report: {error}")
        self._next = time.monotonic() + REPORT_SECONDS


def main(folder: Path, limits: Limits) -> int:
    """Run what the folder's record says, within ``limits``; returns the exit code."""
    _be_ended_first()
    restrict_job(limits)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    reporter = _Reporter(folder)
    try:
        record = read_record(folder)
        if record is None:
            raise StorageError(f"There is no run in {folder}.")
        _run(record, folder, reporter, limits)
    except StudioError as error:
        return _failed(reporter, error.message, type(error).__name__)
    except MemoryError:
        return _failed(reporter, "Memory ran out. Take a smaller model.", "MemoryError")
    except Exception as error:
        traceback.print_exc()
        text = f"Studio failed at this, by a fault of its own ({type(error).__name__}: {error})."
        return _failed(reporter, text, type(error).__name__)
    return 0


def _run(record: RunRecord, folder: Path, reporter: _Reporter, limits: Limits) -> None:
    path = Path(record.model_path)
    request = RunRequest.from_settings(record.request)
    findings: list[dict[str, object]] = []
    for step in work(path, request, folder, say, limits):
        findings += step.findings or ()
        if step.outcome is not None:
            executed = f"{path.name} - Execution {time.strftime('%H:%M:%S')}"
            write_graph(folder, graph_to_json(replace(step.outcome.graph, id=executed)))
            write_findings(folder, findings, list(step.outcome.applied))
        reporter.step(step)
    say("Done.")
    reporter.end(replace(reporter.last, fraction=1.0, is_done=True))


def _failed(reporter: _Reporter, text: str, kind: str) -> int:
    say(f"failed: {text}")
    reporter.end(replace(reporter.last, error=shown(text), error_kind=kind))
    return 1


def say(text: str) -> None:
    print("\n".join(shown(line) for line in text.splitlines()), flush=True)


def shown(text: str) -> str:
    """One line without control characters, cut where it is endless: names are hostile text."""
    line = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text[:MAX_TEXT])
    return line if len(text) <= MAX_TEXT else f"{line}…"


def _be_ended_first() -> None:
    """Where memory runs out, Linux shall end this process and not the server's."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_ENDANGERED, encoding="ascii")


def _end_with(parent: int) -> None:
    """End this process and its tools once whoever follows the run is gone: nobody would."""
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            process.kill()
    os._exit(1)


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    code = main(Path(sys.argv[1]), Limits(**json.loads(sys.argv[2])))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a thread of the runtime that hangs must not keep a finished run
