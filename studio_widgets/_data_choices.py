"""What a person can measure on: held-out data, a project's own, a file, or random numbers."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from studio_core.analysis_runs import DEFAULT_SAMPLES
from studio_core.errors import InvalidRequestError
from studio_core.evaluation.data import LABELS, Samples, generate_samples, samples_from
from studio_core.evaluation.defaults import default_metric
from studio_core.evaluation.metrics import METRICS, LossMetric
from studio_core.models.model import Model
from studio_core.projects import Project
from studio_core.samples import sample_data, sample_names, sample_path
from studio_core.workbench import RANDOM, SAMPLE

MANY_SAMPLES = 64
_FOR_CLASS_SCORES = ("softmax_kl", "cross_entropy")


@dataclass(frozen=True)
class DataChoice:
    """One source of data; ``load`` reads at most so many samples, ``code`` is its Python.

    ``job_data`` is what a job is told to read. ``load_rest`` reads all but the first so many
    samples; None where there are no others.
    """

    key: str
    label: str
    load: Callable[[int], Samples]
    has_labels: bool
    num_samples: int
    code: str
    job_data: str
    load_rest: Callable[[int], Samples] | None = None


def data_choices(model: Model, project: Project | None) -> tuple[DataChoice, ...]:
    """The sources that ``model`` has, the best first; a file is for the person to name."""
    found: list[DataChoice] = []
    own = held_out(model)
    if own is not None:
        label = f"held-out data ({own.num_samples} labelled samples)"
        number = min(MANY_SAMPLES, own.num_samples)
        name = str(job_data_of(own, model))
        code = "wb.held_out_data"
        found.append(DataChoice("held_out", label, own.first, True, number, code, name, own.after))
    if project is not None and any(project.data_folder.glob("*.npz")):
        folder = project.data_folder
        found.append(
            _file(model, folder, "project", "data of the project", "wb.project.data_folder")
        )
    found.append(
        DataChoice(
            "random",
            "random data",
            lambda count: generate_samples(model, count),
            False,
            DEFAULT_SAMPLES,
            "None",
            RANDOM,
        )
    )
    return tuple(found)


def file_choice(model: Model, path: str) -> DataChoice:
    """The data at ``path`` (.npz, .npy or a folder); `InvalidRequestError` without one."""
    path = path.strip().strip("\"'")
    if not path:
        raise InvalidRequestError("Write the path of a .npz or .npy file, or of a folder, first.")
    return _file(model, Path(path).expanduser(), "file", "file or folder …", repr(path))


def _file(model: Model, path: Path, key: str, label: str, code: str) -> DataChoice:
    def load(count: int) -> Samples:
        return samples_from(path, model).first(count)

    def load_rest(count: int) -> Samples:
        return samples_from(path, model).after(count)

    where = str(path.expanduser().absolute())
    return DataChoice(key, label, load, _has_labels(path), MANY_SAMPLES, code, where, load_rest)


def held_out(model: Model) -> Samples | None:
    """The held-out data of a bundled model or of a copy of one; None for any other model."""
    for name in sample_names():
        if _is_same(sample_path(name), model.path):
            return _bundled(name)
    return None


@cache
def _bundled(name: str) -> Samples:
    data = sample_data(name)
    return Samples(data.inputs, data.labels)


def job_data_of(data: Any, model: Model) -> str | None:
    """``data`` as another process reads it; None for arrays, which it cannot see."""
    if isinstance(data, str | Path):
        return str(Path(data).expanduser().absolute())
    for name in sample_names():
        if data is _bundled(name) and _is_same(sample_path(name), model.path):
            return f"{SAMPLE}{name}"
    return None


def fitting_metrics(model: Model, *, has_labels: bool) -> tuple[LossMetric, ...]:
    """The metrics that suit the model's outputs and the data, the usual one first."""
    nothing = {"": np.zeros(1)}
    usual = default_metric(model, Samples(nothing, np.zeros(1) if has_labels else None))
    has_scores = usual.name in _FOR_CLASS_SCORES
    fitting = [
        metric
        for metric in METRICS.values()
        if (has_labels or not metric.needs_labels)
        and (has_scores or metric.name not in _FOR_CLASS_SCORES)
    ]
    return tuple(sorted(fitting, key=lambda metric: metric is not usual))


def _has_labels(path: Path) -> bool:
    """Whether there seem to be labels, without reading the data."""
    file = next(iter(sorted(path.glob("*.npz"))), path) if path.is_dir() else path
    if file.suffix != ".npz":
        return False
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return LABELS in arrays.files
    except (OSError, ValueError, zipfile.BadZipFile):
        return False  # reading it in full will say what is wrong


def _is_same(path: Path, other: Path) -> bool:
    if path.stat().st_size != other.stat().st_size:
        return False
    return path == other or path.read_bytes() == other.read_bytes()
