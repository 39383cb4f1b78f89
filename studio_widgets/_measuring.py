"""What is asked of a measurement, and the news of one while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from studio_core.analysis_runs import RunOptions, RunProgress, run_loss
from studio_core.evaluation.data import Samples
from studio_core.evaluation.defaults import default_metric
from studio_core.models.model import Model
from studio_core.sensitivity import Analysis
from studio_core.session import Session

NAME = "measured"


@dataclass(frozen=True)
class MeasureRequest:
    """Data, metric and levels of a measurement; ``code`` is the data as Python.

    The data is read once, by the run, and kept for going on and for verifying plans.
    """

    load: Callable[[], Samples]
    code: str
    metric: str | None = None
    num_samples: int | None = None
    levels: Sequence[float] | None = None

    @cached_property
    def samples(self) -> Samples:
        return self.load()

    def steps(self, session: Session, earlier: Analysis | None) -> Iterator[RunProgress]:
        """Measure, going on from ``earlier`` where it is of the same data."""
        options = RunOptions(metric=self.metric, levels=self.levels)
        yield from run_loss(
            session.model, session.layers, self.samples, options, NAME, earlier=earlier
        )

    def metric_of(self, model: Model) -> str:
        """The metric, or the one that a run would choose for this data."""
        return self.metric or default_metric(model, self.samples).name

    def call(self, function: str) -> str:
        """The Python that asks for the same."""
        given: dict[str, Any] = {"metric": self.metric, "samples": self.num_samples}
        if self.levels is not None:
            given["levels"] = [float(level) for level in self.levels]
        words = [f"{key}={value!r}" for key, value in given.items() if value is not None]
        return f"{function}({', '.join([self.code, *words])})"


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
