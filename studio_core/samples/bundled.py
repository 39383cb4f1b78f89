"""The trained sample models that come with Studio, with their held-out data and model cards.

The card's accuracy was measured with onnxruntime on the bundled file and the bundled data,
so a sweep's baseline on the same data must equal it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from studio_core.errors import NotFoundError

if TYPE_CHECKING:  # names and paths are wanted where no model is run
    from studio_core.evaluation.data import Samples
    from studio_core.models.model import Model


@dataclass(frozen=True)
class SampleCard:
    """What is known about a sample model; accuracy is top-1 on the held-out data, 0-1."""

    name: str
    title: str
    description: str
    task: str
    model_file: str
    eval_file: str
    metric: str
    higher_is_better: bool
    accuracy: float
    num_correct: int
    num_evaluated: int
    num_parameters: int
    opset: int
    seed: int
    versions: Mapping[str, str]
    training_command: str


@dataclass(frozen=True)
class SampleData:
    """Held-out data, ready to run: arrays by model input, [num_evaluated, ...], and labels.

    Labels are int64 class numbers, [num_evaluated].
    """

    inputs: dict[str, npt.NDArray[Any]]
    labels: npt.NDArray[Any]


def sample_names() -> tuple[str, ...]:
    """The names of the bundled models."""
    return tuple(_cards())


def sample_card(name: str) -> SampleCard:
    """The model card of `name`. Raises NotFoundError for an unknown name."""
    if name not in _cards():
        raise NotFoundError(
            f"No sample model named '{name}'. There are: {', '.join(sample_names())}."
        )
    return _cards()[name]


def sample_path(name: str) -> Path:
    """The ONNX file of `name`. Raises NotFoundError for an unknown name."""
    return _data_folder() / sample_card(name).model_file


def sample_data(name: str) -> SampleData:
    """The held-out data of `name`, read anew. Raises NotFoundError for an unknown name."""
    with np.load(_data_folder() / sample_card(name).eval_file) as arrays:
        inputs = {key: arrays[key] for key in arrays.files if key != "labels"}
        return SampleData(inputs=inputs, labels=arrays["labels"])


def bundled_samples(name: str, model: "Model") -> "Samples":
    """The held-out data of `name` as samples for `model`. Raises where they do not fit it."""
    from studio_core.evaluation.data import Samples, samples_from

    data = sample_data(name)
    return samples_from(Samples(data.inputs, data.labels), model)


def _data_folder() -> Path:
    return Path(str(files("studio_core.samples") / "data"))


@cache
def _cards() -> dict[str, SampleCard]:
    entries = json.loads((_data_folder() / "samples.json").read_text(encoding="utf-8"))
    return {entry["name"]: SampleCard(**entry) for entry in entries["samples"]}
