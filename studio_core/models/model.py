"""Opening a model: `open_model` reads an ONNX file's graph and leaves its weights on disk."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path

import onnx
import onnx.shape_inference
from google.protobuf.message import DecodeError

from studio_core.errors import InvalidModelError, NotAModelError, NotFoundError
from studio_core.limits import DEFAULT_LIMITS, Limits
from studio_core.models import external_data
from studio_core.models.dimensions import bind_dimensions, input_batch
from studio_core.models.functions import inline_functions
from studio_core.models.graph_index import (
    Node,
    Scope,
    Shape,
    declared_shape,
    index_graph,
    note_shapes,
)
from studio_core.models.tensor import Storage, Tensor, dtype_name
from studio_core.models.text import check_names
from studio_core.models.wire import INLINE_LIMIT, strip_weights


@dataclass(frozen=True)
class ValueInfo:
    """An input or output of the model, as declared: name, element type, shape."""

    name: str
    dtype: str
    shape: Shape | None


@dataclass(frozen=True, eq=False)
class Model:
    """An ONNX model whose weights are read from ``path`` (and beside it) when asked for.

    ``proto`` is the model without large weights, local functions inlined. Its ``scopes`` know
    the shapes for one sample: symbolic batch dimensions are 1, others as ``dimensions`` says.
    """

    path: Path
    proto: onnx.ModelProto
    scopes: tuple[Scope, ...]
    inputs: tuple[ValueInfo, ...]
    outputs: tuple[ValueInfo, ...]
    batch: int
    """The batch size of the shapes: as exported or given in ``dimensions``, otherwise 1."""
    dimensions: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    limits: Limits = DEFAULT_LIMITS
    """What it was opened with, and is read with again."""

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def main(self) -> Scope:
        return self.scopes[0]

    @cached_property
    def opsets(self) -> dict[str, int]:
        """Operator set versions by domain; ONNX's own domain is ``ai.onnx``."""
        return {o.domain or "ai.onnx": o.version for o in self.proto.opset_import}

    def nodes(self) -> Iterator[Node]:
        """All nodes, those of the main graph first, then scope by scope."""
        for scope in self.scopes:
            yield from scope.nodes

    def tensors(self) -> Iterator[Tensor]:
        """All constant tensors: initializers and Constant nodes, subgraphs included."""
        for scope in self.scopes:
            yield from scope.constants.values()

    @cached_property
    def data_files(self) -> tuple[Path, ...]:
        """External data files of the model, each once, sorted; without the model itself."""
        sparse = (part for scope in self.scopes for part in scope.sparse_parts)
        tensors = chain(self.tensors(), sparse)
        files = {t.storage.file for t in tensors if t.storage is not None}
        return tuple(sorted(files - {self.path}))

    def sha256(self) -> str:
        """Hash of the model file and its external data, as hexadecimal digits."""
        digest = hashlib.sha256()
        for path in (self.path, *self.data_files):
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()


def open_model(
    path: str | Path,
    *,
    dimensions: Mapping[str, int] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Model:
    """Open the ONNX file at ``path``.

    ``dimensions`` gives sizes to symbolic dimensions, such as ``{"sequence": 128}``;
    costs that depend on others are unknown. The first dimension of each input counts as
    the batch and is 1 unless it is given.

    Raises `NotFoundError`, and `InvalidModelError` or one of its subclasses with the
    reason: not a model, truncated, external data missing or outside the folder, beyond one of
    the ``limits``.
    """
    path = Path(path)
    if not external_data.exists(path):
        raise NotFoundError(f"Path {path} does not exist")
    try:
        return _open(path, dimensions or {}, limits)
    except InvalidModelError as error:
        raise type(error)(f"Path {path} is not a valid file: {error}") from error


def _open(path: Path, dimensions: Mapping[str, int], limits: Limits) -> Model:
    if not path.is_file():
        raise NotAModelError("it is a folder; give the .onnx file in it.")
    size = path.stat().st_size
    limits.check("max_file_bytes", size, f"It has {size:,} bytes")
    proto = _parse(path, limits)
    if proto.functions:
        proto = inline_functions(proto, limits)
    # Before the inference, which would take its time with them; index_graph counts them all.
    limits.check("max_nodes", len(proto.graph.node), f"It has {len(proto.graph.node):,} nodes")
    initializers = {t.name for t in proto.graph.initializer}
    given = [value for value in proto.graph.input if value.name not in initializers]
    wanted = [value for value in proto.graph.output if value.name not in initializers]
    inputs, outputs = _declared(given), _declared(wanted)
    for declared in (*inputs, *outputs):
        limits.check_shape(declared.name, declared.shape)
    bound = bind_dimensions(proto.graph, given, dimensions)
    batch = input_batch(given)
    storages = external_data.StorageFinder(path, path.parent, limits)
    _keep_small_integers_inline(proto, storages)

    def make_tensor(name: str, tensor: onnx.TensorProto, scope: tuple[str, ...]) -> Tensor:
        made = Tensor(name, tensor, storages.find(tensor), scope)
        made.check()
        limits.check_shape(name, made.shape)
        return made

    # ONNX's inference runs without the interpreter, which indexes the graph meanwhile.
    with ThreadPoolExecutor(1) as pool:
        inference = pool.submit(_infer_shapes, proto)
        scopes = tuple(index_graph(proto.graph, make_tensor, limits))
    inferred, notes = inference.result()
    note_shapes(scopes, inferred.graph)
    _check_shapes(scopes, limits)
    return Model(path, proto, scopes, inputs, outputs, batch, bound, notes, limits)


def _check_shapes(scopes: Iterable[Scope], limits: Limits) -> None:
    """Refuse what only inference shows: a few bytes that stand for terabytes once they run."""
    for scope in scopes:
        # Values share their shapes, so there are few to look at.
        for shape, name in {shape: name for name, shape in scope.shapes.items()}.items():
            limits.check_shape(name, shape)


def _parse(path: Path, limits: Limits) -> onnx.ModelProto:
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            raise NotAModelError("The file is empty.")
        # Not closed here: while an error is on its way, its traceback holds parts of the map.
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        stripped = strip_weights(memoryview(mapped), path.name, limits=limits)
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(stripped)
    except DecodeError as error:
        if "alloc failed" in str(error):  # how protobuf says that memory ran out
            raise MemoryError(str(error)) from None
        raise NotAModelError(f"The file is not an ONNX model: {error}") from None
    if not proto.HasField("graph"):
        raise NotAModelError("The file is not an ONNX model: it holds no graph.")
    if not proto.opset_import:
        raise InvalidModelError(
            "The model names no operator set (opset_import). It may be cut off; copy it again."
        )
    check_names(proto, stripped)
    return proto


def _declared(values: Iterable[onnx.ValueInfoProto]) -> tuple[ValueInfo, ...]:
    return tuple(
        ValueInfo(v.name, dtype_name(v.type.tensor_type.elem_type), declared_shape(v.type))
        for v in values
    )


def _keep_small_integers_inline(
    proto: onnx.ModelProto, storages: external_data.StorageFinder
) -> None:
    """Read small external integers, such as the target of a Reshape, for shape inference."""
    integers = (onnx.TensorProto.INT64, onnx.TensorProto.INT32)
    for tensor in proto.graph.initializer:
        external = tensor.data_location == onnx.TensorProto.EXTERNAL
        if external and tensor.data_type in integers:
            handle = Tensor(tensor.name, tensor, storages.find(tensor))
            if handle.num_bytes <= INLINE_LIMIT:
                values = handle.read()
                tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


def _infer_shapes(proto: onnx.ModelProto) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    try:
        return onnx.shape_inference.infer_shapes(proto, data_prop=True), ()
    except Exception as error:  # a model with unknown shapes still has layers and weights
        return proto, (f"Shapes are unknown: ONNX shape inference failed ({error}).",)


def storage_of(tensor: onnx.TensorProto, path: Path, folder: Path) -> Storage | None:
    """Where the values of ``tensor``, of the model at ``path``, are; None if inline."""
    return external_data.StorageFinder(path, folder).find(tensor)
