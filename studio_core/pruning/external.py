"""The external data of a new model: one fresh file beside it, streamed.

A new model never refers to the source's data files: what is pruned there would be pruned
in the source. Only what the model refers to is copied, each stored range once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import onnx

from studio_core.errors import InvalidRequestError, MissingDataError
from studio_core.models.model import Model, storage_of
from studio_core.models.tensor import Storage, Tensor
from studio_core.pruning.rewriting import Rewrite, resized_header
from studio_core.pruning.spans import TensorSpan, tensor_edit, without_location
from studio_core.pruning.splice import Buffer, Edit

_CHUNK_BYTES = 1 << 22
# onnx.proto asks for offsets on page boundaries, so that runtimes can map them. Small
# tensors are read, not mapped, and would only leave holes.
_PAGE_BYTES, _SMALL_ALIGNMENT = 4096, 64
# `checksum` is that of the whole former file, and wrong for any other.
_REWRITTEN = frozenset({"location", "offset", "length", "checksum"})


@dataclass(eq=False)
class _Part:
    """A stored range of the source and where it comes to lie."""

    source: Storage
    num_bytes: int
    names: list[str]
    content: Callable[[], Buffer] | None = None
    offset: int = 0


@dataclass(eq=False)
class ExternalData:
    """What goes into the data file ``name``, in order, and the edits that refer to it."""

    name: str
    parts: dict[Storage, _Part] = field(default_factory=dict)
    edits: list[Edit] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write the data file, one tensor at a time."""
        with path.open("xb") as file:
            for part in self.parts.values():
                file.write(b"\0" * (part.offset - file.tell()))
                if part.content is not None:
                    file.write(part.content())
                else:
                    _copy(part.source, file)
            _sync(file)


def plan_external_data(
    model: Model,
    data: memoryview,
    spans: Sequence[TensorSpan],
    rewrites: Sequence[Rewrite],
    name: str,
) -> ExternalData:
    """The data file ``name`` for all tensors that ``model`` keeps outside its own file.

    Raises `InvalidRequestError` where a weight to be rewritten shares only some of its
    bytes with another tensor.
    """
    rewritten = {rewrite.span.start: rewrite for rewrite in rewrites}
    planned = ExternalData(name)
    external = [span for span in spans if span.is_external(data)]
    tensors = [(span, _source(model, span.proto(data))) for span in external]
    for span, (proto, source) in tensors:
        rewrite = rewritten.get(span.start)
        num_bytes = source.length if rewrite is None else rewrite.num_bytes
        part = planned.parts.setdefault(source, _Part(source, num_bytes, []))
        part.names.append(proto.name)
        if rewrite is not None:
            part.content, part.num_bytes = rewrite.stored, num_bytes
    _check_overlaps(list(planned.parts.values()))
    _lay_out(list(planned.parts.values()))
    for span, (proto, source) in tensors:
        moved = _moved(data, span, proto, planned.parts[source], rewritten.get(span.start), name)
        planned.edits.append(tensor_edit(span, moved))
    return planned


def _source(model: Model, proto: onnx.TensorProto) -> tuple[onnx.TensorProto, Storage]:
    storage = storage_of(proto, model.path, model.path.parent)
    assert storage is not None  # only asked for external tensors
    length = storage.length or Tensor(proto.name, proto, None).num_bytes
    return proto, Storage(storage.file.resolve(), storage.offset, length)


def _check_overlaps(parts: list[_Part]) -> None:
    """Refuse to rewrite bytes that another tensor reads as part of something else."""
    ordered = sorted(parts, key=lambda p: (str(p.source.file), p.source.offset))
    reach: _Part | None = None
    for part in ordered:
        if reach is not None and reach.source.file == part.source.file:
            overlaps = part.source.offset < reach.source.offset + reach.source.length
            if overlaps and part.source.length and (part.content or reach.content):
                raise InvalidRequestError(
                    f"Tensors '{reach.names[0]}' and '{part.names[0]}' share some of their bytes, "
                    "so one cannot be pruned without the other. Leave both dense."
                )
        if reach is None or _end(part) >= _end(reach) or part.source.file != reach.source.file:
            reach = part


def _end(part: _Part) -> int:
    return part.source.offset + part.source.length


def _lay_out(parts: list[_Part]) -> None:
    position = 0
    for part in parts:
        alignment = _PAGE_BYTES if part.num_bytes >= _PAGE_BYTES else _SMALL_ALIGNMENT
        part.offset = -(-position // alignment) * alignment
        position = part.offset + part.num_bytes


def _moved(
    data: memoryview,
    span: TensorSpan,
    proto: onnx.TensorProto,
    part: _Part,
    rewrite: Rewrite | None,
    name: str,
) -> bytes:
    """The tensor's message with the new place of its values."""
    reference = onnx.TensorProto()
    place = {"location": name, "offset": str(part.offset), "length": str(part.num_bytes)}
    for entry_key, value in place.items():
        reference.external_data.add(key=entry_key, value=value)
    reference.external_data.extend(e for e in proto.external_data if e.key not in _REWRITTEN)
    if rewrite is None or rewrite.keeps_shape:
        return without_location(data, span) + reference.SerializeToString()
    stripped = onnx.TensorProto.FromString(resized_header(data, rewrite))
    del stripped.external_data[:]
    stripped.external_data.extend(reference.external_data)
    return stripped.SerializeToString()


def _copy(source: Storage, target: BinaryIO) -> None:
    left = source.length
    with source.file.open("rb") as file:
        file.seek(source.offset)
        while left:
            chunk = file.read(min(left, _CHUNK_BYTES))
            if not chunk:
                raise MissingDataError(
                    f"File {source.file.name} became shorter while it was copied. Try again."
                )
            target.write(chunk)
            left -= len(chunk)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
