"""Where each tensor of a model file lies: its message, its values, and what encloses them.

Everything that is not a tensor's values must reach a pruned model bit for bit, unknown
fields included. So a model is not parsed and written anew; the bytes of single tensors are
found in the file (`tensor_spans`), and splice.py copies the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx

from studio_core.errors import InvalidModelError
from studio_core.models import wire
from studio_core.models.functions import inline_functions
from studio_core.models.graph_index import index_graph
from studio_core.models.model import Model
from studio_core.models.tensor import Tensor
from studio_core.pruning.splice import Edit, spliced

# Fields of TensorProto in onnx.proto.
_DIMS, _DATA_TYPE, _NAME, _EXTERNAL_DATA, _DATA_LOCATION = 1, 2, 8, 13, 14
_TYPED_VALUES = frozenset({4, 5, 6, 7, 9, 10, 11})
# Of those, the ones whose bytes are the little-endian values themselves.
_PLAIN_VALUES = frozenset({4, 9, 10})
_MESSAGE = 2

_SPAN_KEY = "studio.span"


@dataclass(frozen=True)
class Field:
    """A field of a message: its tag begins at ``start``, its value is ``body`` to ``end``."""

    number: int
    wire_type: int
    start: int
    body: int
    end: int


@dataclass(frozen=True, eq=False)
class TensorSpan:
    """One TensorProto in the file, from ``start`` to ``end``.

    ``enclosing`` are the fields around it, the outermost first; the last one holds the
    tensor itself. Their lengths change with its length.
    """

    start: int
    end: int
    enclosing: tuple[Field, ...]

    def fields(self, data: memoryview) -> Iterator[Field]:
        return fields(data, self.start, self.end)

    def is_external(self, data: memoryview) -> bool:
        """Whether the values are in another file (data_location = EXTERNAL)."""
        return any(f.number == _DATA_LOCATION and data[f.body] == 1 for f in self.fields(data))

    def values(self, data: memoryview, num_bytes: int) -> Field | None:
        """The one field that holds all ``num_bytes`` of the values as they are in memory.

        None where the values are elsewhere, in pieces, or encoded (int32_data and others).
        """
        held = [f for f in self.fields(data) if f.number in _TYPED_VALUES]
        if len(held) != 1 or held[0].number not in _PLAIN_VALUES or held[0].wire_type != _MESSAGE:
            return None
        return held[0] if held[0].end - held[0].body == num_bytes else None

    def proto(self, data: memoryview) -> onnx.TensorProto:
        return onnx.TensorProto.FromString(bytes(data[self.start : self.end]))


def fields(data: memoryview, start: int, end: int) -> Iterator[Field]:
    """The fields of the message at ``start`` to ``end``."""
    for found in wire.message_fields(data, start, end):
        yield Field(*found)


def tensor_spans(data: memoryview) -> list[TensorSpan]:
    """Every TensorProto of the ModelProto in ``data``, in the order of the file.

    Subgraphs, local functions, sparse and training tensors are included.
    """
    return list(_walk(data, "Model", 0, len(data), ()))


def _walk(
    data: memoryview, kind: str, start: int, end: int, enclosing: tuple[Field, ...]
) -> Iterator[TensorSpan]:
    if kind == "Tensor":
        yield TensorSpan(start, end, enclosing)
        return
    nested = wire.NESTED_MESSAGES[kind]
    for field in fields(data, start, end):
        child = nested.get(field.number)
        if child is not None and field.wire_type == _MESSAGE:
            yield from _walk(data, child, field.body, field.end, (*enclosing, field))


def locate_tensors(
    model: Model, data: memoryview, spans: list[TensorSpan]
) -> dict[int, TensorSpan]:
    """The span of each of the model's tensors, by ``id`` of the `Tensor`.

    A tensor of a local function that is called twice is two tensors with one span. The
    file is read a second time with each tensor replaced by its place in the file, so that
    functions are expanded and subgraphs are numbered as they were when it was opened.
    """
    by_start = {span.start: span for span in spans}
    marked = b"".join(spliced(data, [_marker(data, span) for span in spans]))
    proto = onnx.ModelProto.FromString(marked)
    if proto.functions:
        proto = inline_functions(proto, model.limits)
    scopes = index_graph(proto.graph, _unread_tensor, model.limits)
    if len(scopes) != len(model.scopes):
        raise _changed(model)
    found: dict[int, TensorSpan] = {}
    for scope, known in zip(scopes, model.scopes, strict=True):
        for name, tensor in known.constants.items():
            marker = scope.constants.get(name)
            if marker is None or marker.shape != tensor.shape:
                raise _changed(model)
            places = [e.value for e in marker.proto.external_data if e.key == _SPAN_KEY]
            # A message in several pieces, which protobuf merges, is in no one place.
            if len(places) != 1:
                continue
            span = by_start[int(places[0])]
            if not _holds(span, data, tensor, model):
                raise _changed(model)
            found[id(tensor)] = span
    return found


def _holds(span: TensorSpan, data: memoryview, tensor: Tensor, model: Model) -> bool:
    """Whether the tensor, where it was found when the model was opened, lies in the span."""
    storage = tensor.storage
    if storage is None or storage.file != model.path or span.is_external(data):
        return True
    return span.start <= storage.offset <= storage.offset + storage.length <= span.end


def _unread_tensor(name: str, proto: onnx.TensorProto, scope: tuple[str, ...]) -> Tensor:
    return Tensor(name, proto, None, scope)


def _changed(model: Model) -> InvalidModelError:
    return InvalidModelError(
        f"{model.path.name} is no longer the file that was opened. Open the model again."
    )


def _marker(data: memoryview, span: TensorSpan) -> Edit:
    """Name, type and shape of a tensor, with its place in the file instead of its values."""
    kept = [
        bytes(data[f.start : f.end])
        for f in span.fields(data)
        if f.number in (_DIMS, _DATA_TYPE, _NAME)
    ]
    marker = onnx.TensorProto()
    marker.external_data.add(key=_SPAN_KEY, value=str(span.start))
    return tensor_edit(span, b"".join(kept) + marker.SerializeToString())


def tensor_edit(span: TensorSpan, message: bytes) -> Edit:
    """Replaces the whole message of a tensor."""
    return Edit(span.start, span.end, len(message), lambda: message, span.enclosing)


def without_location(data: memoryview, span: TensorSpan) -> bytes:
    """The message without its external_data, everything else byte for byte."""
    return b"".join(
        bytes(data[f.start : f.end]) for f in span.fields(data) if f.number != _EXTERNAL_DATA
    )
