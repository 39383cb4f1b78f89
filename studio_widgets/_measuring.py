"""What is asked of a measurement, here or as a job, and the news of one while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from studio_core.analysis_runs import RunOptions, RunProgress, run_loss, run_perf
from studio_core.errors import InvalidRequestError
from studio_core.evaluation.data import Samples
from studio_core.evaluation.defaults import default_metric
from studio_core.models.model import Model
from studio_core.sensitivity import Analysis, AnalysisKind
from studio_core.session import Session
from studio_core.workbench import RANDOM, SAMPLE
from studio_widgets._project_jobs import ProjectJobs

NAME = "measured"

_JOB_KEYS = {
    "levels": "sparsityLevels",
    "samples": "samples",
    "metric": "metric",
    "granularity": "granularity",
    "stop_error": "stopError",
    "workers": "workers",
    "iterations": "iterations",
    "warmup": "warmup",
    "num_threads": "numThreads",
    "batch_size": "batchSize",
}
"""Options as Python and as a job's request call them."""

Load = Callable[[], Samples]


@dataclass(frozen=True)
class MeasureRequest:
    """Data and options of a measurement; ``code`` is the data as Python.

    The data is read once, by the run, and kept for going on and for verifying plans.
    ``load`` None is one generated batch (performance). ``job_data`` is the data as a job
    reads it, None for arrays, which are written for it first. ``stop_after`` ends the run
    after so many measurements. ``load_rest`` reads the samples of the same data that are not
    measured on; None where there can be none.
    """

    load: Load | None
    code: str
    options: Mapping[str, Any] = field(default_factory=dict)
    kind: AnalysisKind = AnalysisKind.LOSS
    job_data: str | None = None
    stop_after: int | None = None
    load_rest: Load | None = None

    @property
    def name(self) -> str:
        """What the analysis is called in a project: one for each granularity."""
        pattern = self.options.get("granularity") or "element"
        is_plain = pattern == "element" or self.kind is AnalysisKind.PERF
        return NAME if is_plain else f"{NAME}-{str(pattern).replace(':', '-')}"

    @property
    def metric(self) -> str | None:
        return self.options.get("metric")

    @cached_property
    def samples(self) -> Samples:
        if self.load is None:
            raise InvalidRequestError("This measurement has no data of its own.")
        return self.load()

    @property
    def unseen(self) -> Samples | None:
        """The samples of the same data that were not measured on; None where there are none."""
        rest = None if self.load_rest is None else self.load_rest()
        return rest if rest is not None and rest.num_samples else None

    @property
    def whole(self) -> MeasureRequest:
        """The same to its end; the data, which may be read only once, is shared."""
        if self.stop_after is None:
            return self
        load = None if self.load is None else lambda: self.samples
        return replace(self, load=load, stop_after=None)

    def steps(self, session: Session, earlier: Analysis | None) -> Iterator[RunProgress]:
        """Measure in this process, going on from ``earlier`` where it is of the same data."""
        options = RunOptions(**self.options)
        if self.kind is AnalysisKind.PERF:
            given = None if self.load is None else self.samples
            steps = run_perf(session.model, session.layers, given, options, self.name, earlier)
        else:
            steps = run_loss(
                session.model, session.layers, self.samples, options, self.name, earlier=earlier
            )
        for progress in steps:
            yield progress
            if self.stop_after is not None and progress.done >= self.stop_after:
                return

    def job_options(self, jobs: ProjectJobs) -> dict[str, Any]:
        """The options of a job that does the same; arrays are written into the project."""
        given = {key: self.options.get(name) for name, key in _JOB_KEYS.items()}
        data = self.job_data
        if data is None and self.load is not None:
            samples = self.samples
            data = RANDOM if samples.generated else str(jobs.keep_samples(self.name, samples))
        given["data"] = data or RANDOM
        if given["sparsityLevels"] is not None:
            given["sparsityLevels"] = [float(level) for level in given["sparsityLevels"]]
        return {key: value for key, value in given.items() if value is not None}

    @classmethod
    def of_job(
        cls, jobs: ProjectJobs, kind: AnalysisKind, given: Mapping[str, Any]
    ) -> MeasureRequest:
        """What a job was asked for, by whomever."""
        options = {n: given[k] for n, k in _JOB_KEYS.items() if given.get(k) is not None}
        data, samples = given.get("data"), given.get("samples")

        def load() -> Samples:
            return jobs.workbench.samples(jobs.project.id, RunOptions(data=data, samples=samples))

        def load_rest() -> Samples:
            whole = jobs.workbench.samples(jobs.project.id, RunOptions(data=data))
            return whole.after(samples or whole.num_samples)

        is_sample = data is not None and data.startswith(SAMPLE)
        code = "wb.held_out_data" if is_sample else repr(data)
        code = "None" if data in (None, RANDOM) else code
        has_rest = samples is not None and data not in (None, RANDOM)
        rest = load_rest if has_rest else None
        return cls(load, code, options, kind, data or RANDOM, load_rest=rest)

    def metric_of(self, model: Model) -> str:
        """The metric, or the one that a run would choose for this data."""
        return self.metric or default_metric(model, self.samples).name

    def call(self, function: str) -> str:
        """The Python that asks for the same."""
        given: dict[str, Any] = {**self.options, "stop_after": self.stop_after}
        if given.get("levels") is not None:
            given["levels"] = [float(level) for level in given["levels"]]
        words = [f"{key}={value!r}" for key, value in given.items() if value is not None]
        data = [] if self.kind is AnalysisKind.PERF and self.code == "None" else [self.code]
        return f"{function}({', '.join([*data, *words])})"


@dataclass(frozen=True)
class MeasureNews:
    """How far a run is; ``analysis`` is None until something was measured."""

    done: int
    total: int
    message: str
    analysis: Analysis | None


def news_of(progress: RunProgress) -> MeasureNews:
    found = progress.analysis() if progress.done else None
    return MeasureNews(progress.done, progress.total, progress.message, found)
