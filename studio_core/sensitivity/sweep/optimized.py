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
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from studio_core.evaluation.runtime import Array, RuntimeModel, session_options
from studio_core.pruning.masks import BoolArray

DATA_FILE = "weights.bin"
"""The file in which the initializers of an `OptimizedModel` are said to be."""

_SMALLEST_EXTERNAL_BYTES = 64
_ALIGNED_BYTES = 64
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
            "session.optimized_model_external_initializers_file_name", DATA_FILE
        )
        options.add_session_config_entry(
            "session.optimized_model_external_initializers_min_size_in_bytes",
            str(_SMALLEST_EXTERNAL_BYTES),
        )
        # The session only optimises and never runs, so it need not prepare its weights.
        options.add_session_config_entry("session.disable_prepacking", "1")
        model.session(options=options)
        proto = onnx.load(str(path), load_external_data=False)
        data = _data(path.with_name(DATA_FILE))
        arrays = dict(_external_arrays(proto.graph.initializer, data))
        _embed_inner(proto, data)
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


def _data(file: Path) -> Array:
    return np.fromfile(file, np.uint8) if file.exists() else np.zeros(0, np.uint8)


def _external_arrays(
    tensors: Iterable[onnx.TensorProto], data: Array
) -> Iterator[tuple[str, Array]]:
    for tensor in tensors:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        raw = _external_bytes(tensor, data)
        if raw.ctypes.data % _ALIGNED_BYTES:
            raw = raw.copy()
        yield tensor.name, raw.view(dtype).reshape(tuple(tensor.dims))


def _external_bytes(tensor: onnx.TensorProto, data: Array) -> Array:
    entries = {e.key: e.value for e in tensor.external_data}
    offset, length = int(entries["offset"]), int(entries["length"])
    return data[offset : offset + length]


def _embed_inner(proto: onnx.ModelProto, data: Array) -> None:
    """Put the constants of subgraphs into them: onnxruntime takes none from outside there."""
    for node in every_node(proto.graph.node):
        for graph in _subgraphs(node):
            for tensor in graph.initializer:
                if tensor.data_location == onnx.TensorProto.EXTERNAL:
                    tensor.raw_data = _external_bytes(tensor, data).tobytes()
                    tensor.data_location = onnx.TensorProto.DEFAULT
                    del tensor.external_data[:]


def _make_external(proto: onnx.ModelProto, places: set[tuple[str, str]]) -> None:
    """Small placed weights are stored inline; let them be given from outside as well."""
    names = {initializer for initializer, _ in places}
    for tensor in proto.graph.initializer:
        if tensor.name in names and tensor.data_location != onnx.TensorProto.EXTERNAL:
            tensor.ClearField("raw_data")
            tensor.ClearField("float_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value=DATA_FILE)


def _find_places(
    arrays: dict[str, Array], weights: dict[str, Array], proto: onnx.ModelProto
) -> dict[str, tuple[str, str]]:
    """For each weight the only initializer with its values, and the layout; unique or none."""
    times = Counter(name for name in reads(proto.graph.node) if name in arrays)
    candidates = [name for name in arrays if times[name] == 1]
    exact = _matches(arrays, weights, candidates, _fingerprint, _same_values)
    rest = {name: w for name, w in weights.items() if name not in exact and w.ndim > 2}
    taken = {initializer for initializer, _ in exact.values()}
    free = [name for name in candidates if name not in taken]
    return exact | _matches(arrays, rest, free, lambda array: array.dtype.str, _scaled_values)


def every_node(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """The nodes with those of their subgraphs."""
    for node in nodes:
        yield node
        for graph in _subgraphs(node):
            yield from every_node(graph.node)


def reads(nodes: Iterable[onnx.NodeProto]) -> list[str]:
    """Names that the nodes read, as often as they do; of their subgraphs, names from outside."""
    names: list[str] = []
    for node in nodes:
        names.extend(name for name in node.input if name)
        for graph in _subgraphs(node):
            own = {v.name for v in graph.input} | {t.name for t in graph.initializer}
            own.update(name for inner in graph.node for name in inner.output)
            used = [*reads(graph.node), *(output.name for output in graph.output)]
            names.extend(name for name in used if name not in own)
    return names


def _subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


class SoleReaders:
    """Which weights of a graph are read by one layer and by nothing else.

    What else reads one (to take its mean, say) may be folded into another constant when the
    graph is optimised, which pruning the weight there would not change.
    """

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._times = Counter(reads(graph.node)) + Counter(o.name for o in graph.output)
        self._readers = {name: n for n in every_node(graph.node) for name in n.input if name}

    def leads_to(self, name: str, output: str) -> bool:
        """Whether all that reads ``name``, through single readers, is the node of ``output``."""
        while self._times[name] == 1 and name in self._readers:
            outputs = [made for made in self._readers[name].output if made]
            if output in outputs:
                return True
            if len(outputs) != 1:
                return False
            name = outputs[0]
        return False


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
