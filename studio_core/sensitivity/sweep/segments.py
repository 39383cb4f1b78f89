"""The optimised graph cut at every layer, so that a level costs only what comes after it.

Pruning a layer changes nothing before it. The graph is cut in front of each layer's node;
the tensors alive at the cut are kept, and for a level only the layer's own segment, the
segments up to the next tail, and that tail (a long session that reaches the outputs) are
run. Residual and skip connections are just tensors that stay alive over several cuts.

Every number is that of a whole run with the pruned weight, to the last bit: the segments
are pieces of the very graph that onnxruntime optimised, run without further optimisation.
"""

from __future__ import annotations

import math
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import onnx
import onnxruntime as ort
from onnx import TensorProto

from studio_core.evaluation.runtime import Array, make_session, session_options, to_value
from studio_core.sensitivity.sweep.optimized import DATA_FILE, OptimizedModel, PlacedWeight, reads

_DATA_FOLDER_KEY = "session.model_external_initializers_file_folder_path"

State = dict[str, ort.OrtValue]
"""Tensors alive at a cut, by name."""

# A tail session covers the rest of the graph from every so many segments on. Fewer tails
# mean more short sessions to run through for a level, more tails more sessions to build.
_SEGMENTS_A_TAIL = 8

# Each session packs matrices into memory of its own. Together the tails take no more than
# this, the last ones first; where matrices are large, short sessions cost next to nothing.
_MOST_PACKED_BYTES = 64 * 2**20

# onnxruntime prepares (packs) constant weights of these; given as inputs they would be
# multiplied by another kernel, whose last bits may differ.
_PACKED = frozenset({"MatMul", "Gemm", "FusedMatMul", "FusedGemm"})

_ELEMENT_TYPES = {
    f"tensor({name})": number
    for name, number in (
        ("float", TensorProto.FLOAT),
        ("double", TensorProto.DOUBLE),
        ("float16", TensorProto.FLOAT16),
        ("bfloat16", TensorProto.BFLOAT16),
        *((kind, getattr(TensorProto, kind.upper())) for kind in ("int8", "int16", "int32")),
        *((kind, getattr(TensorProto, kind.upper())) for kind in ("int64", "uint8", "uint16")),
        *((kind, getattr(TensorProto, kind.upper())) for kind in ("uint32", "uint64", "bool")),
        ("string", TensorProto.STRING),
    )
}


@dataclass(frozen=True, eq=False)
class _Piece:
    """A session over consecutive nodes: what it reads and what it makes."""

    session: ort.InferenceSession | None
    """None where there are no nodes: the first layer may be the first node."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weights: tuple[ort.OrtValue, ...] = ()
    """The values that the session reads; it does not keep them alive."""

    def run(self, state: Mapping[str, ort.OrtValue]) -> State:
        if self.session is None:
            return {}
        feed = {name: state[name] for name in self.inputs}
        values = self.session.run_with_ort_values(list(self.outputs), feed)
        return dict(zip(self.outputs, values, strict=True))


class SegmentedModel:
    """The optimised model in segments; segment 0 is what comes before the first layer.

    ``layers`` are weight names in the order of their nodes; layer i begins segment i + 1.
    """

    def __init__(self, model: OptimizedModel) -> None:
        self._model = model
        self._nodes = list(model.proto.graph.node)
        self._folder = tempfile.TemporaryDirectory(prefix="studio-")
        Path(self._folder.name, DATA_FILE).touch()
        by_initializer = {place.initializer: name for name, place in model.places.items()}
        found = [
            (position, by_initializer[name])
            for position, node in enumerate(self._nodes)
            for name in node.input
            if name in by_initializer
        ]
        found.sort()
        # Two layers in one node (or a node met twice) cannot be told apart by a cut.
        positions = [position for position, _ in found]
        self.layers = tuple(w for p, w in found if positions.count(p) == 1)
        self._starts = [0, *(p for p, w in found if positions.count(p) == 1)]
        self.output_names = tuple(o.name for o in model.proto.graph.output)
        self._types: dict[str, int] = {
            i.name: i.type.tensor_type.elem_type for i in model.proto.graph.input
        }
        self._segments = [
            self._piece(a, b)
            for a, b in zip(self._starts, [*self._starts[1:], len(self._nodes)], strict=True)
        ]
        self._tails: dict[int, _Piece] = {}
        self._open_pieces: dict[int, _Piece] = {}
        self._building = threading.Lock()

    def begin(self, feed: Mapping[str, Array]) -> State:
        """The tensors alive in front of the first layer, for one batch of inputs."""
        state = {name: to_value(array) for name, array in feed.items()}
        return self._advanced(state, 0)

    def dense(self, feed: Mapping[str, Array]) -> list[Array]:
        """The model's outputs for one batch of inputs, nothing pruned."""
        state = self.begin(feed)
        for segment in range(1, len(self._segments)):
            state = self._advanced(state, segment)
        return self._outputs(state)

    def advance(self, state: State, layer: int) -> State:
        """The tensors alive in front of layer ``layer + 1``, the dense segment being run."""
        return self._advanced(state, layer + 1)

    def outputs_dense(self, state: State, layer: int) -> list[Array]:
        """The model's outputs from the tensors in front of ``layer``, nothing pruned."""
        return self._outputs(self._finish(state, layer + 1))

    def pruned(self, layer: int, stored: Array) -> Callable[[State], list[Array]]:
        """The model with the values ``stored`` for the weight of ``layer``, ready to be run.

        What it answers turns the tensors in front of the layer into the model's outputs; it
        may be called for many batches, by several threads.
        """
        piece = self._pruned_piece(layer, stored)
        weight = {} if self._is_packed(layer) else {self.place(layer).initializer: to_value(stored)}

        def run(state: State) -> list[Array]:
            return self.outputs_after(state, piece.run({**state, **weight}), layer)

        return run

    def segment_outputs(self, state: State, layer: int) -> State:
        """What the segment of ``layer`` makes of the tensors in front of it, nothing pruned."""
        return self._segments[layer + 1].run(state)

    def pruned_segment(self, layer: int, stored: Array) -> Callable[[State], State]:
        """As `segment_outputs`, the weight of ``layer`` having the values ``stored``.

        Nothing is built for one level: the weight is an input, whatever reads it. So the last
        bits may differ from those of `pruned`.
        """
        piece = self._open_piece(layer)
        weight = {self.place(layer).initializer: to_value(stored)}
        return lambda state: piece.run({**state, **weight})

    def outputs_after(self, state: State, made: State, layer: int) -> list[Array]:
        """The model's outputs where the segment of ``layer`` has made ``made`` of ``state``."""
        return self._outputs(self._finish({**state, **made}, layer + 2))

    def place(self, layer: int) -> PlacedWeight:
        return self._model.places[self.layers[layer]]

    def _advanced(self, state: State, segment: int) -> State:
        made = self._segments[segment].run(state)
        needed = self._needed_after[segment]
        return {name: v for name, v in {**state, **made}.items() if name in needed}

    def _finish(self, state: State, segment: int) -> State:
        """Run from the start of ``segment`` to the outputs: segments up to a tail, the tail."""
        while segment < len(self._segments):
            if segment in self._tail_starts:
                return {**state, **self._tail(segment).run(state)}
            state = {**state, **self._segments[segment].run(state)}
            segment += 1
        return state

    def _outputs(self, state: State) -> list[Array]:
        return [state[name].numpy() for name in self.output_names]

    def _tail(self, segment: int) -> _Piece:
        with self._building:
            if segment not in self._tails:
                self._tails[segment] = self._piece(self._starts[segment], len(self._nodes))
            return self._tails[segment]

    @cached_property
    def _tail_starts(self) -> frozenset[int]:
        """The segments at which a tail begins."""
        starts, packed, total = set(), 0, 0
        for segment in range(len(self._segments) - 1, 0, -1):
            packed += self._packed_bytes(segment)
            if segment % _SEGMENTS_A_TAIL == 0:
                total += packed
                if total > _MOST_PACKED_BYTES:
                    break
                starts.add(segment)
        return frozenset(starts)

    def _packed_bytes(self, segment: int) -> int:
        nodes = self._nodes[self._starts[segment] : self._end(segment)]
        tensors = self._initializers([node for node in nodes if node.op_type in _PACKED])
        return sum(4 * math.prod(tensor.dims) for tensor in tensors)

    @cached_property
    def _needed_after(self) -> list[frozenset[str]]:
        """For each segment, the tensors that later segments or the caller read."""
        needed = set(self.output_names)
        found = [frozenset(needed)]
        for piece in reversed(self._segments[1:]):
            needed |= set(piece.inputs)
            found.append(frozenset(needed))
        return found[::-1]

    def _is_packed(self, layer: int) -> bool:
        return self._nodes[self._starts[layer + 1]].op_type in _PACKED

    def _pruned_piece(self, layer: int, stored: Array) -> _Piece:
        """The layer's segment with its weight open: as an input, or built with ``stored``."""
        if not self._is_packed(layer):
            return self._open_piece(layer)
        start, end = self._starts[layer + 1], self._end(layer + 1)
        return self._piece(start, end, {self.place(layer).initializer: stored})

    def _open_piece(self, layer: int) -> _Piece:
        start, end = self._starts[layer + 1], self._end(layer + 1)
        weight = self.place(layer).initializer
        with self._building:
            if layer not in self._open_pieces:
                self._open_pieces[layer] = self._piece(start, end, open_weight=weight)
            return self._open_pieces[layer]

    def _end(self, segment: int) -> int:
        return [*self._starts[1:], len(self._nodes)][segment]

    def _piece(
        self,
        start: int,
        end: int,
        replaced: Mapping[str, Array] | None = None,
        open_weight: str | None = None,
    ) -> _Piece:
        """A session over nodes [start, end), with weights replaced or one open as an input."""
        nodes = self._nodes[start:end]
        if not nodes:
            return _Piece(None, (), ())
        constants = {t.name: t for t in self._initializers(nodes) if t.name != open_weight}
        made = {name for node in nodes for name in node.output if name}
        read = dict.fromkeys(
            name for name in reads(nodes) if name not in made and name not in constants
        )
        later = set(reads(self._nodes[end:])) | set(self.output_names)
        outputs = [n for node in nodes for n in node.output if n in later]
        graph = onnx.GraphProto(name="segment")
        graph.node.extend(nodes)
        graph.initializer.extend(constants.values())
        for name in read:
            graph.input.append(_typed(name, self._type(name, open_weight)))
        graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
        proto = onnx.ModelProto(ir_version=self._model.proto.ir_version, graph=graph)
        proto.opset_import.extend(self._model.proto.opset_import)
        values = {n: self._model.values[n] for n in constants if n in self._model.values}
        values.update({n: to_value(a) for n, a in (replaced or {}).items()})
        session = make_session(proto.SerializeToString(), self._options(values))
        for output in session.get_outputs():
            self._types[output.name] = _ELEMENT_TYPES.get(output.type, TensorProto.FLOAT)
        return _Piece(session, tuple(read), tuple(outputs), tuple(values.values()))

    def _type(self, name: str, open_weight: str | None) -> int:
        if name == open_weight:
            return self._initializer_table[name].data_type
        return self._types.get(name, TensorProto.FLOAT)

    def _options(self, values: Mapping[str, ort.OrtValue]) -> ort.SessionOptions:
        """Options of a session that reads ``values`` where they are.

        Given as external initializers they would be copied into each session. As they are
        given here none is, but onnxruntime asks that the file they are said to be in exists.
        """
        options = session_options(optimize=False)
        if _shares_memory():
            options.add_session_config_entry("session.use_env_allocators", "1")
        options.add_session_config_entry(_DATA_FOLDER_KEY, self._folder.name)
        for name, value in values.items():
            options.add_initializer(name, value)
        return options

    @cached_property
    def _initializer_table(self) -> dict[str, TensorProto]:
        return {t.name: t for t in self._model.proto.graph.initializer}

    def _initializers(self, nodes: Sequence[onnx.NodeProto]) -> list[TensorProto]:
        table = self._initializer_table
        return [table[name] for name in dict.fromkeys(reads(nodes)) if name in table]


@cache
def _shares_memory() -> bool:
    """Whether all sessions take their memory from one arena, made at the first call.

    With one each, the many sessions of a sweep would hold twice as much in all, idle.
    """
    info = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    try:
        ort.create_and_register_allocator(info, None)
    except Exception:  # somebody in this process has registered one, or it cannot be
        return False
    return True


def _typed(name: str, element_type: int) -> onnx.ValueInfoProto:
    value = onnx.ValueInfoProto(name=name)
    value.type.tensor_type.elem_type = element_type
    return value
