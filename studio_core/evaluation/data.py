"""Data to run a model on: the user's samples, or generated ones that say they are.

On disk a sample is one ``.npz`` without batch dimension, its arrays in the order of the
model's inputs (the original Studio's form), or one file with all samples along the first
dimension; ``labels`` beside the inputs are the true classes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.evaluation.array_files import ArrayReader
from studio_core.evaluation.integer_ranges import integer_limit
from studio_core.models.graph_index import Shape
from studio_core.models.model import Model, ValueInfo

Array = NDArray[Any]
LABELS = "labels"

_FREE_DIMENSION = 16
"""Size taken for a symbolic dimension that nobody gave a size, such as a sequence length."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs by name, each of shape [num_samples, …], and labels [num_samples] if there are any.

    ``generated`` is True for random data: whatever is measured on it must say so; ``seed`` is
    then what it was made from, where that is known.
    """

    inputs: Mapping[str, Array]
    labels: Array | None = None
    generated: bool = False
    seed: int | None = None

    def __post_init__(self) -> None:
        counts = {name: len(array) for name, array in self.inputs.items()}
        if self.labels is not None:
            counts[LABELS] = len(self.labels)
        if len(set(counts.values())) != 1:
            raise InvalidRequestError(
                f"Inputs and labels must have equally many samples: {counts}."
            )

    @property
    def num_samples(self) -> int:
        return len(next(iter(self.inputs.values())))

    def sha256(self) -> str:
        """Hash of names, types, shapes and values, as hexadecimal digits."""
        digest = hashlib.sha256()
        arrays = {**self.inputs, LABELS: np.zeros(0) if self.labels is None else self.labels}
        for name, array in sorted(arrays.items()):
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def first(self, count: int) -> Samples:
        """The first ``count`` samples (or all, if there are fewer)."""
        labels = None if self.labels is None else self.labels[:count]
        inputs = {name: array[:count] for name, array in self.inputs.items()}
        return Samples(inputs, labels, self.generated, self.seed)

    def after(self, count: int) -> Samples:
        """All but the first ``count`` samples."""
        labels = None if self.labels is None else self.labels[count:]
        inputs = {name: array[count:] for name, array in self.inputs.items()}
        return Samples(inputs, labels, self.generated, self.seed)

    def batches(self, size: int) -> Iterator[tuple[dict[str, Array], Array | None]]:
        """Feeds of at most ``size`` samples with their labels."""
        for start in range(0, self.num_samples, size):
            part = slice(start, start + size)
            feed = {name: np.ascontiguousarray(a[part]) for name, a in self.inputs.items()}
            yield feed, None if self.labels is None else self.labels[part]


def samples_from(source: Any, model: Model) -> Samples:
    """Samples from a mapping of arrays, one array, a path (.npz, .npy, a folder), or a list.

    A list (or any iterable) holds one sample an item: an array, or a sequence or mapping of
    arrays, without batch dimension. Raises `InvalidRequestError` naming the input at fault.
    """
    if isinstance(source, Samples):
        return checked(source, model)
    if isinstance(source, (str, Path)):
        return checked(_from_path(Path(source), model), model)
    if isinstance(source, Mapping):
        return checked(_from_arrays(source, model), model)
    if isinstance(source, np.ndarray):
        return checked(Samples({_only_input(model): source}), model)
    items = [_one_sample(item, model) for item in source]
    return checked(_stacked(items), model)


def generate_samples(model: Model, num_samples: int, *, seed: int = 0) -> Samples:
    """Random samples that the model accepts, the same for the same ``seed``.

    Floats are standard normal, integers stay below the size of the table they look up
    (0 or 1 where that is unknown), free dimensions are those bound at opening, or 16.
    """
    rng = np.random.default_rng(seed)
    inputs = {
        value.name: _random(rng, value, (num_samples, *_dimensions(value, model)), model)
        for value in model.inputs
    }
    return Samples(inputs, generated=True, seed=seed)


def _dimensions(value: ValueInfo, model: Model) -> list[int]:
    """The sizes of an input's dimensions behind the batch."""
    shape: Shape = value.shape or ("batch",)
    return [
        d if isinstance(d, int) and d > 0 else model.dimensions.get(str(d), _FREE_DIMENSION)
        for d in shape[1:]
    ]


def _random(
    rng: np.random.Generator, value: ValueInfo, shape: tuple[int, ...], model: Model
) -> Array:
    dtype = numpy_type(value)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(dtype)
    if dtype.kind in "iu":
        return rng.integers(0, integer_limit(model, value.name), shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def numpy_type(value: ValueInfo) -> np.dtype[Any]:
    """The element type of an input as a numpy dtype."""
    number = onnx.TensorProto.DataType.Value(value.dtype.upper())
    return onnx.helper.tensor_dtype_to_np_dtype(number)


def checked(samples: Samples, model: Model) -> Samples:
    """The samples with the model's own dtypes; raises where names or shapes do not fit."""
    fitted: dict[str, Array] = {}
    for value in model.inputs:
        if value.name not in samples.inputs:
            names = ", ".join(f"'{n}'" for n in samples.inputs)
            raise InvalidRequestError(f"The data has no input '{value.name}'; it has {names}.")
        array = np.asarray(samples.inputs[value.name])
        expected = value.shape or ()
        fits = len(array.shape) == len(expected) and all(
            not isinstance(e, int) or e == a
            for e, a in zip(expected[1:], array.shape[1:], strict=False)
        )
        if not fits:
            raise InvalidRequestError(
                f"Input '{value.name}' has shape {list(array.shape)}; the model takes "
                f"{[d if d is not None else '?' for d in expected]}."
            )
        fitted[value.name] = array.astype(numpy_type(value), copy=False)
    return Samples(fitted, samples.labels, samples.generated, samples.seed)


def _from_path(path: Path, model: Model) -> Samples:
    if not path.exists():
        raise NotFoundError(f"Path {path} does not exist")
    reader = ArrayReader(model.limits)
    if path.is_dir():
        files = sorted(path.glob("*.npz"))
        if not files:
            raise InvalidRequestError(f"{path} holds no .npz files; put one a sample there.")
        return _stacked([_from_file(reader.read(file), model) for file in files])
    loaded = reader.read(path)
    if isinstance(loaded, Mapping):
        return _from_arrays(loaded, model)
    return Samples({_only_input(model): loaded})


def _from_arrays(arrays: Mapping[str, Array], model: Model) -> Samples:
    names = [value.name for value in model.inputs]
    given = {name: np.asarray(a) for name, a in arrays.items() if name != LABELS}
    if set(given) != set(names) and len(given) == len(names):
        given = dict(zip(names, given.values(), strict=True))  # by position, as in the .npz form
    return Samples(given, arrays.get(LABELS))


def _from_file(loaded: Array | dict[str, Array], model: Model) -> Samples:
    """One sample without batch dimension, or several with it."""
    arrays = loaded if isinstance(loaded, Mapping) else {_only_input(model): loaded}
    inputs = [a for name, a in arrays.items() if name != LABELS]
    ranks = [len(value.shape or ()) for value in model.inputs]
    if [a.ndim for a in inputs] == ranks:
        return _from_arrays(arrays, model)
    return _one_sample(arrays, model)


def _one_sample(item: Any, model: Model) -> Samples:
    """One sample without batch dimension, given one."""
    if isinstance(item, Mapping):
        arrays = {name: np.asarray(a)[None] for name, a in item.items()}
        return _from_arrays(arrays, model)
    parts = [item] if isinstance(item, np.ndarray) else list(item)
    return _from_arrays({str(i): np.asarray(part)[None] for i, part in enumerate(parts)}, model)


def _stacked(items: Sequence[Samples]) -> Samples:
    if not items:
        raise InvalidRequestError("The data holds no samples.")
    names = items[0].inputs
    try:
        inputs = {name: np.concatenate([item.inputs[name] for item in items]) for name in names}
    except (KeyError, ValueError) as error:
        raise InvalidRequestError(f"The samples do not have the same arrays: {error}") from error
    labels = [item.labels for item in items if item.labels is not None]
    return Samples(inputs, np.concatenate(labels) if len(labels) == len(items) else None)


def _only_input(model: Model) -> str:
    if len(model.inputs) != 1:
        names = ", ".join(f"'{value.name}'" for value in model.inputs)
        raise InvalidRequestError(f"The model takes several inputs ({names}); give them by name.")
    return model.inputs[0].name
