"""What the panels that measure share: start, cancel, resume, and a bar with rate and time left.

Without a project the work runs in a thread of the kernel; in one it is a job (_project_jobs),
which the next workbench of the project finds and follows: `AnalysisPanel.attach`.
"""

from __future__ import annotations

import html
from typing import Any

import ipywidgets
import traitlets

from studio_core.analysis_runs import RunProgress
from studio_core.errors import ConflictError, InvalidRequestError
from studio_core.jobs import Job, JobState
from studio_core.projects import Project
from studio_core.sensitivity import Analysis, AnalysisKind
from studio_core.session import Session
from studio_core.workbench import Workbench
from studio_widgets._background import BackgroundRun
from studio_widgets._base import ShortRepr, reject_unknown, settings_of
from studio_widgets._measuring import MeasureNews, MeasureRequest, news_of
from studio_widgets._pace import Pace
from studio_widgets._project_jobs import JobSteps, ProjectJobs
from studio_widgets.messages import MessageArea
from studio_widgets.panel_style import PanelStyle

MeasureRun = BackgroundRun[RunProgress, MeasureNews]


class AnalysisPanel(ShortRepr, ipywidgets.VBox):
    """Measures one kind of analysis of ``session``; as jobs where ``project`` is given too.

    A base: each panel gives its own `_controls` and `chosen`. It is no ABC, because widgets have
    another metaclass; a panel without them fails as soon as it is made.
    """

    kind: AnalysisKind
    css_class = ""
    start_tooltip = "Start"

    analysis = traitlets.Instance(Analysis, allow_none=True)
    """What is measured so far. Type: Analysis or None. Default: None."""

    is_running = traitlets.Bool(False)
    """Whether a measurement is under way. Type: bool. Default: False."""

    def __init__(
        self,
        session: Session,
        project: Project | None = None,
        workbench: Workbench | None = None,
        **settings: Any,
    ) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, ipywidgets.VBox))
        self.session, self.project = session, project
        has_jobs = project is not None and workbench is not None
        self.jobs = ProjectJobs(workbench, project) if has_jobs and workbench and project else None
        self.request: MeasureRequest | None = None
        self.measured_by: MeasureRequest | None = None
        self.run: MeasureRun | None = None
        self._steps: JobSteps | None = None
        self._pace = Pace()
        self._is_whole = False
        self._make_buttons()
        self.messages = MessageArea()
        line = ipywidgets.HBox([self.start, self.stop, self.go_on, self.bar, self.status])
        line.add_class("studio-run-line")
        style = PanelStyle("panel", "runs")
        parts = [style, *self._controls(), line, self.messages, *self._results()]
        super().__init__(parts, **settings)
        for name in ("studio", self.css_class):
            self.add_class(name)
        self._draw_buttons()

    def _make_buttons(self) -> None:
        self.start = run_button("Measure", "play", self.start_tooltip)
        self.stop = run_button("Cancel", "stop", "Stop; what was measured stays")
        self.go_on = run_button("Resume", "forward", "Measure what is still missing")
        self.start.add_class("studio-primary")
        self.bar = ipywidgets.FloatProgress(min=0.0, max=1.0)
        self.status = ipywidgets.HTML()
        self.start.on_click(lambda _: self._by_hand(self._start_chosen))
        self.stop.on_click(lambda _: self.cancel())
        self.go_on.on_click(lambda _: self._by_hand(self.resume))

    def _controls(self) -> list[Any]:
        """The widgets above the buttons."""
        raise NotImplementedError

    def _results(self) -> list[Any]:
        """The widgets below the bar."""
        return []

    def chosen(self) -> MeasureRequest:
        """What the controls ask for."""
        raise NotImplementedError

    # In Python

    def cancel(self) -> None:
        """Stop after the measurement that is under way; what was measured stays."""
        if self.run is not None and self.is_running:
            self.run.cancel()
            self._say("stopping …" if self.jobs else "stopping after the present measurement …")
            self.stop.disabled = True

    def leave(self) -> None:
        """Look away: a job goes on, a run in this kernel is cancelled."""
        if self.run is None:
            return
        if self._steps is not None:
            self.run.leave()
        else:
            self.run.cancel()

    def resume(self) -> MeasureRun:
        """Go on with what was cancelled; raises `InvalidRequestError` where nothing was."""
        if self.request is None:
            raise InvalidRequestError("Nothing was measured yet, so nothing can be resumed.")
        return self._begin(self.request.whole, resumes=True)

    def adopt(self, other: AnalysisPanel) -> None:
        """Take over what ``other`` measured of the same model."""
        self.request, self.measured_by = other.request, other.measured_by
        self._pace, self.bar.value = other._pace, other.bar.value
        self._is_whole = other._is_whole
        self.analysis, self.status.value = other.analysis, other.status.value
        self._draw_buttons()

    def attach(self) -> None:
        """Show what the project has measured, and follow the job that goes on, if one does."""
        if self.jobs is None:
            return
        job = self.jobs.latest(self.kind)
        name = self.jobs.latest_name(self.kind)
        if job is not None and not job.is_finished:
            self._follow(job)
        elif job is not None and (job.name == name or name is None):
            self._show_ended(job)
        elif name is not None:
            self.analysis = self.jobs.analysis(self.kind, name)
            self._say(f"“{name}” of the project, {self.said_data()}" if self.analysis else "")
        self._draw_buttons()

    @property
    def is_complete(self) -> bool:
        """Whether the last run measured all it was asked for."""
        return self._is_whole

    @property
    def num_done(self) -> int:
        """How much the last run has measured."""
        return self._pace.done

    @property
    def is_job(self) -> bool:
        """Whether measuring is a job of a project."""
        return self.jobs is not None

    # The run

    def _by_hand(self, act: Any) -> None:
        with self.messages.catching():
            act()

    def _start_chosen(self) -> None:
        self._begin(self.chosen())

    def _begin(self, request: MeasureRequest, *, resumes: bool = False) -> MeasureRun:
        if self.is_running:
            raise ConflictError("A measurement is running. Cancel it, or wait for its end.")
        self.request = request
        if self.jobs is not None:
            return self._begin_job(self.jobs, request, resumes)
        session, earlier = self.session, self.analysis if resumes else None
        run = BackgroundRun(lambda: request.steps(session, earlier), news_of, self._take, self._end)
        return self._launch(run, None)

    def _begin_job(self, jobs: ProjectJobs, request: MeasureRequest, resumes: bool) -> MeasureRun:
        earlier = self._steps.job if resumes and self._steps is not None else None

        def begin() -> Job:
            if earlier is not None and earlier.state.can_resume:
                return jobs.queue.resume(earlier.id)
            options = request.job_options(jobs)
            options |= {"resume": True} if resumes else {}
            return jobs.submit(self.kind, request.name, options)

        return self._launch_job(JobSteps(jobs, begin, request.stop_after))

    def _follow(self, job: Job) -> None:
        assert self.jobs is not None
        self.request = MeasureRequest.of_job(self.jobs, self.kind, job.options)
        self._launch_job(JobSteps(self.jobs, lambda: job))

    def _launch_job(self, steps: JobSteps) -> MeasureRun:
        run: MeasureRun = BackgroundRun(
            lambda: iter(steps), news_of, self._take, self._end, steps.cancel
        )
        return self._launch(run, steps)

    def _launch(self, run: MeasureRun, steps: JobSteps | None) -> MeasureRun:
        self.messages.clear()
        self.run, self._steps, self._pace = run, steps, Pace()
        self._is_whole = False
        self.bar.value, self.bar.bar_style = 0.0, ""
        self._say("preparing the model …")
        self.is_running = True
        self._draw_buttons()
        run.start()
        return run

    def _take(self, news: MeasureNews) -> None:
        self._pace.move(news.done, news.total)
        self.bar.value = news.done / max(1, news.total)
        if news.analysis is not None and news.analysis is not self.analysis:
            self.measured_by = self.request
            self.analysis = news.analysis
        if self.run is None or not self.run.is_cancelled:
            words = self._pace.words() if news.total else "preparing the model …"
            self._say(words, news.message)

    def _end(self, run: MeasureRun) -> None:
        pace = self._pace
        self._is_whole = 0 < pace.total <= pace.done
        if run.error is not None:
            self.messages.show(run.error)
            self.bar.bar_style = "danger"
            self._say(f"stopped at {pace.done:,} of {pace.total:,}" if pace.total else "")
        elif self._is_whole:
            self.bar.bar_style = "success"
            self._say(self._whole_words(pace.total))
        else:
            self._say(self._partial_words(pace.done, pace.total))
        self.is_running = False
        self._draw_buttons()

    def _show_ended(self, job: Job) -> None:
        """A job that ended while nobody looked."""
        assert self.jobs is not None
        self.request = MeasureRequest.of_job(self.jobs, self.kind, job.options)
        steps = JobSteps(self.jobs, lambda: job)
        steps.job, self._steps = job, steps
        progress = job.progress
        self._pace.move(progress.done, progress.total)
        self.bar.value = progress.done / max(1, progress.total)
        self._is_whole = job.state is JobState.DONE
        if progress.done:
            self.analysis = self.jobs.analysis(self.kind, job.name)
            self.measured_by = self.request if self.analysis is not None else None
        if self._is_whole:
            self.bar.bar_style = "success"
            self._say(self._whole_words(progress.total))
        elif job.error and job.state is JobState.FAILED:
            self.messages.say("The last measurement failed", job.error, kind="warning")
            self._say(self._partial_words(progress.done, progress.total))
        else:
            self._say(self._partial_words(progress.done, progress.total))

    def said_data(self) -> str:
        """'on 64 samples', 'on 5 samples of random data'; empty before anything was read."""
        if self.analysis is None:
            return ""
        number = int(self.analysis.provenance.get("numSamples", 0))
        of = " of random data" if self.analysis.provenance.get("generatedData") else ""
        return f"on {number:,} sample{'s' * (number != 1)}{of}"

    def _whole_words(self, total: int) -> str:
        return f"all {total:,} measured {self.said_data()}"

    def _partial_words(self, done: int, total: int) -> str:
        job = None if self._steps is None else self._steps.job
        word = "cancelled" if job is None else str(job.state)
        if not done:
            return f"{word} before anything was measured"
        return f"{word}; {done:,} of {total:,} measured are kept"

    # What is drawn

    def _can_resume(self) -> bool:
        if self.is_running or self.request is None:
            return False
        job = None if self._steps is None else self._steps.job
        if job is not None and job.state in (JobState.CANCELLED, JobState.INTERRUPTED):
            return True
        return 0 < self._pace.done < self._pace.total

    def _draw_buttons(self) -> None:
        self.start.disabled = self.is_running
        self.stop.disabled = not self.is_running
        self.stop.layout.display = "" if self.is_running else "none"
        self.go_on.layout.display = "" if self._can_resume() else "none"
        self.bar.layout.display = "" if self.request is not None else "none"

    def _say(self, words: str, detail: str = "") -> None:
        self.status.value = status_html(words, detail)


def status_html(words: str, detail: str = "") -> str:
    """How far something is, on one line, as safe HTML."""
    more = f' <span class="studio-run-detail">{html.escape(detail)}</span>' if detail else ""
    return f'<div class="studio-run-status" role="status">{html.escape(words)}{more}</div>'


def run_button(text: str, icon: str, tooltip: str) -> ipywidgets.Button:
    button = ipywidgets.Button(description=text, icon=icon, tooltip=tooltip)
    button.layout.width = "auto"
    return button
