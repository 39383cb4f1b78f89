"""The graph that onnxruntime really runs, and where each prunable weight is in it.

onnxruntime folds, fuses and lays out a model when a session is made. All levels of all
layers share that work if it is done once: `optimize` saves the optimised graph, and
`PlacedWeight` says how a weight is stored in it, so that a mask can be applied there:
unchanged, transposed, or in the blocked layouts of the CPU's convolutions (NCHWc), and
perhaps scaled channel by channel (a batch norm folded into it).

A weight whose place is not found bit by bit (or, scaled, value by value) has none; its
layer is then measured the slow way, never a wrong one.
"""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from studio_core.evaluation.runtime import Array, RuntimeModel, session_options
from studio_core.pruning.masks import BoolArray

_DATA_FILE = "weights.bin"
_SMALLEST_EXTERNAL_BYTES = 64
_CHANNEL_BLOCKS = (8, 16)


@dataclass(frozen=True, eq=False)
class PlacedWeight:
    """A weight as the optimised graph stores it.

    ``initializer`` names it there. ``layout`` is ``same``, ``transposed`` or an NCHWc form
    (``blocked8``: filters and input channels in blocks of 8; ``outer8``: filters only).
    """

    initializer: str
    layout: str
    values: Array

    def pruned(self, removed: BoolArray) -> Array:
        """The stored values with the removed weights zero; ``removed`` has the weight's shape."""
        return self.kept(~self.arranged(removed))

    def arranged(self, array: NDArray[Any]) -> NDArray[Any]:
        """``array``, of the weight's shape, in the order in which the values are stored."""
        return _arrange(array, self.layout).reshape(self.values.shape)

    def kept(self, mask: BoolArray) -> Array:
        """The stored values where ``mask``, of their shape, is True; zero elsewhere."""
        # A product is one pass over memory; −0 and 0 are the same to every sum.
        return np.multiply(self.values, mask, dtype=self.values.dtype)


@dataclass(frozen=True, eq=False)
class OptimizedModel:
    """The optimised graph without its weights, the weights, and the prunable ones' places."""

    proto: onnx.ModelProto
    values: dict[str, ort.OrtValue]
    places: dict[str, PlacedWeight]


def optimize(model: RuntimeModel, weights: dict[str, Array]) -> OptimizedModel:
    """Let onnxruntime optimise ``model`` once; find each of ``weights`` (by name) in it."""
    with tempfile.TemporaryDirectory(prefix="studio-") as folder:
        path = Path(folder) / "optimized.onnx"
        options = session_options()
        options.optimized_model_filepath = str(path)
        options.add_session_config_entry(
            "session.optimized_model_external_initializers_file_name", _DATA_FILE
        )
        options.add_session_config_entry(
            "session.optimized_model_external_initializers_min_size_in_bytes",
            str(_SMALLEST_EXTERNAL_BYTES),
        )
        # The session only optimises and never runs, so it need not prepare its weights.
        options.add_session_config_entry("session.disable_prepacking", "1")
        model.session(options=options)
        proto = onnx.load(str(path), load_external_data=False)
        arrays = dict(_external_arrays(proto, path.with_name(_DATA_FILE)))
    inline = {t.name for t in proto.graph.initializer} - set(arrays)
    for tensor in proto.graph.initializer:
        if tensor.name in inline:
            arrays[tensor.name] = onnx.numpy_helper.to_array(tensor)
    places = _find_places(arrays, weights, proto)
    _make_external(proto, set(places.values()))
    external = {
        t.name: ort.OrtValue.ortvalue_from_numpy(arrays[t.name])
        for t in proto.graph.initializer
        if t.data_location == onnx.TensorProto.EXTERNAL
    }
    placed = {
        name: PlacedWeight(initializer, layout, arrays[initializer])
        for name, (initializer, layout) in places.items()
    }
    return OptimizedModel(proto, external, placed)


def _external_arrays(proto: onnx.ModelProto, file: Path) -> Iterator[tuple[str, Array]]:
    data = np.fromfile(file, np.uint8) if file.exists() else np.zeros(0, np.uint8)
    for tensor in proto.graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        entries = {e.key: e.value for e in tensor.external_data}
        offset, length = int(entries["offset"]), int(entries["length"])
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        raw = data[offset : offset + length]
        yield tensor.name, np.array(raw).view(dtype).reshape(tuple(tensor.dims))


def _make_external(proto: onnx.ModelProto, places: set[tuple[str, str]]) -> None:
    """Small placed weights are stored inline; let them be given from outside as well."""
    names = {initializer for initializer, _ in places}
    for tensor in proto.graph.initializer:
        if tensor.name in names and tensor.data_location != onnx.TensorProto.EXTERNAL:
            tensor.ClearField("raw_data")
            tensor.ClearField("float_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value=_DATA_FILE)


def _find_places(
    arrays: dict[str, Array], weights: dict[str, Array], proto: onnx.ModelProto
) -> dict[str, tuple[str, str]]:
    """For each weight the only initializer with its values, and the layout; unique or none."""
    used = [name for node in proto.graph.node for name in node.input if name in arrays]
    times = Counter(used)
    candidates = [name for name in arrays if times[name] == 1]
    exact = _matches(arrays, weights, candidates, _fingerprint, _same_values)
    rest = {name: w for name, w in weights.items() if name not in exact and w.ndim > 2}
    taken = {initializer for initializer, _ in exact.values()}
    free = [name for name in candidates if name not in taken]
    return exact | _matches(arrays, rest, free, lambda array: array.dtype.str, _scaled_values)


def _matches(
    arrays: dict[str, Array],
    weights: dict[str, Array],
    candidates: Sequence[str],
    fingerprint: Callable[[Array], Hashable],
    agree: Callable[[Array, Array, str], bool],
) -> dict[str, tuple[str, str]]:
    """Initializer and layout of each weight that agrees with one, and only one, of them."""
    by_print: dict[Hashable, list[str]] = defaultdict(list)
    for name in candidates:
        by_print[fingerprint(arrays[name])].append(name)
    found: dict[str, tuple[str, str]] = {}
    for name, weight in weights.items():
        places = {
            candidate: layout
            for candidate in by_print[fingerprint(weight)]
            for layout, size in _layouts(weight.shape)
            if arrays[candidate].size == size and agree(weight, arrays[candidate], layout)
        }
        if len(places) == 1:
            found[name] = next(iter(places.items()))
    taken = Counter(initializer for initializer, _ in found.values())
    return {name: place for name, place in found.items() if taken[place[0]] == 1}


def _fingerprint(array: Array) -> Hashable:
    """Equal for two layouts of the same values: neither order nor padding changes it."""
    if array.dtype.kind != "f" or not array.size:
        return (array.dtype.str, array.size)
    return (array.dtype.str, float(np.max(array)), float(np.min(array)), np.count_nonzero(array))


def _layouts(shape: tuple[int, ...]) -> Iterator[tuple[str, int]]:
    """Layouts a weight of ``shape`` may be stored in, and the size of each."""
    yield "same", int(np.prod(shape))
    if len(shape) == 2:
        yield "transposed", int(np.prod(shape))
    if len(shape) == 4:
        filters, channels, height, width = shape
        for block in _CHANNEL_BLOCKS:
            outer = -(-filters // block) * block
            yield f"blocked{block}", outer * -(-channels // block) * block * height * width
            yield f"outer{block}", outer * channels * height * width


def _arrange(array: NDArray[np.generic], layout: str) -> NDArray[np.generic]:
    """``array`` (a weight's shape) in the order of ``layout``; padding is zero."""
    if layout == "same":
        return array
    if layout == "transposed":
        return np.ascontiguousarray(array.T)
    kind, block = layout[:-1].rstrip("1"), int(layout.removeprefix("blocked").removeprefix("outer"))
    filters, channels, height, width = array.shape
    padded_channels = -(-channels // block) * block if kind == "blocked" else channels
    shape = (-(-filters // block) * block, padded_channels, height, width)
    padded = np.zeros(shape, array.dtype)
    padded[:filters, :channels] = array
    outer = padded.reshape(-1, block, padded_channels, height, width)
    if kind == "outer":
        return np.ascontiguousarray(outer.transpose(0, 2, 3, 4, 1))
    both = outer.reshape(-1, block, padded_channels // block, block, height, width)
    return np.ascontiguousarray(both.transpose(0, 2, 4, 5, 3, 1))


def _same_values(weight: Array, stored: Array, layout: str) -> bool:
    """Whether ``stored`` is ``weight`` in ``layout``, bit by bit."""
    return bool(np.array_equal(_arrange(weight, layout).reshape(-1), stored.reshape(-1)))


def _scaled_values(weight: Array, stored: Array, layout: str) -> bool:
    """Whether one factor for each filter turns the weight into the stored values."""
    if weight.dtype.kind != "f":
        return False
    filters = np.broadcast_to(
        np.arange(1, weight.shape[0] + 1, dtype=np.int32).reshape(-1, *[1] * (weight.ndim - 1)),
        weight.shape,
    )
    owner = _arrange(filters, layout).reshape(-1)
    arranged = _arrange(weight, layout).reshape(-1).astype(np.float64)
    values = stored.reshape(-1).astype(np.float64)
    if np.any(values[owner == 0]):
        return False
    # The best factor of each filter, by least squares.
    num = np.bincount(owner, arranged * values, weight.shape[0] + 1)
    den = np.bincount(owner, arranged * arranged, weight.shape[0] + 1)
    factor = np.divide(num, den, out=np.zeros_like(num), where=den > 0)
    error = np.abs(arranged * factor[owner] - values)
    return bool(np.all(error <= 1e-5 * np.abs(values) + 1e-30) and np.any(factor))
