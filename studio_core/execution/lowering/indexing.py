"""Operations that read or write at places given by data: gather, scatter, embedding, caches.

The general gather and scatter of StableHLO become one index into the operand seen as rows:
places = Σ stride · (start + offset) over the dimensions that are indexed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from studio_core.execution.lowering.builder import Builder, axis
from studio_core.execution.lowering.movement import write_at
from studio_core.execution.lowering.table import lowers
from studio_core.execution.lowering.tensors import FLOAT, INT32, INT64, CannotLowerError, Tensor
from studio_core.execution.lowering.views import View, listed


@lowers("ttir.embedding", inputs=2)
def _embedding(b: Builder, v: View) -> Tensor:
    indices, table = v.need(2)
    rows = b.reshape(table, table.shape[-2:])
    return b.reshape(b.gather(rows, b.cast(indices, INT64), 0), v.shape)


@lowers("ttir.embedding_backward", "ttnn.embedding_bw", inputs=3)
def _embedding_backward(b: Builder, v: View) -> Tensor:
    """Gradients of rows that are looked up several times add up."""
    indices, table, gradient = v.need(3)
    rows, width = table.shape[-2:]
    empty = b.const(np.broadcast_to(np.float32(0), (rows, width)))
    places = b.reshape(b.cast(indices, INT64), (indices.size, 1))
    updates = b.reshape(gradient, (indices.size, width))
    found = b.emit("ScatterND", [empty, places, updates], (rows, width), FLOAT, reduction="add")
    return b.reshape(found, v.shape)


@lowers("ttir.gather_dim", "ttnn.gather", inputs=2)
def _gather_along(b: Builder, v: View) -> Tensor:
    x, indices = v.need(2)
    at = axis(v.whole("dim"), x.rank)
    places = b.cast(indices, INT64)
    return b.emit("GatherElements", [x, places], indices.shape, x.dtype, axis=at)


@lowers("stablehlo.torch_index_select", inputs=2)
def _torch_index_select(b: Builder, v: View) -> Tensor:
    x, indices = v.need(2)
    return b.gather(x, b.cast(indices, INT64), v.whole("dim"))


# StableHLO's gather and scatter


@dataclass(frozen=True, slots=True)
class _Numbers:
    """How indices name places: StableHLO's names for a gather."""

    offset_dims: list[int]
    collapsed: list[int]
    operand_batching: list[int]
    index_batching: list[int]
    index_map: list[int]
    vector_dim: int


def _texts(v: View, attribute: str) -> Mapping[str, str]:
    """Dimension numbers as one attribute, or each on its own."""
    if v.has(attribute):
        return v.fields(attribute)
    return {name: v.text(name) for name in v.op.attributes}


def _list(v: View, texts: Mapping[str, str], name: str) -> list[int]:
    if v.has(name):
        return list(v.ints(name))
    return listed(texts.get(name, ""))


def _vector_dim(v: View, texts: Mapping[str, str]) -> int:
    # Left out where it is 0, as MLIR prints it.
    numbers = _list(v, texts, "index_vector_dim")
    return numbers[0] if numbers else 0


def _start_vectors(b: Builder, indices: Tensor, vector_dim: int) -> Tensor:
    """Indices as int64 with the vector last."""
    indices = b.cast(indices, INT64)
    if vector_dim == indices.rank:
        return b.reshape(indices, (*indices.shape, 1))
    order = [i for i in range(indices.rank) if i != vector_dim] + [vector_dim]
    return b.transpose(indices, order)


def _starts(
    b: Builder, vectors: Tensor, n: _Numbers, rank: int
) -> tuple[dict[int, Tensor], tuple[int, ...]]:
    """Start by operand dimension, each of the batch's shape, and that shape."""
    batch = vectors.shape[:-1]
    starts = {
        at: b.reshape(b.slice_axis(vectors, -1, i, i + 1), batch)
        for i, at in enumerate(n.index_map)
    }
    for at, along in zip(n.operand_batching, n.index_batching, strict=True):
        # The vector's own dimension is not among the batch's.
        place = along - (along > n.vector_dim)
        shape = [batch[i] if i == place else 1 for i in range(len(batch))]
        starts[at] = b.expand(b.const(np.arange(batch[place]).reshape(shape)), batch)
    return {at: starts[at] for at in range(rank) if at in starts}, batch


def _split_at(shape: Sequence[int], sizes: Sequence[int], indexed: Sequence[int]) -> int:
    """Dimensions from here on are taken whole, so that they make one row."""
    at = len(shape)
    while at and sizes[at - 1] == shape[at - 1] and at - 1 not in indexed:
        at -= 1
    return at


def _places(
    b: Builder,
    starts: Mapping[int, Tensor],
    batch: Sequence[int],
    shape: Sequence[int],
    sizes: Sequence[int],
) -> tuple[Tensor, list[Tensor]]:
    """Row numbers [*batch, *sizes], and the coordinate in each dimension, for ``shape`` given."""
    window = tuple(sizes)
    total: Tensor = b.const(np.zeros((1,) * (len(batch) + len(window)), np.int64))
    coordinates = []
    for at, size in enumerate(window):
        steps = np.arange(size).reshape([size if i == at else 1 for i in range(len(window))])
        here = b.const(steps.reshape((1,) * len(batch) + steps.shape))
        if at in starts:
            start = b.reshape(starts[at], (*batch, *[1] * len(window)))
            here = b.add(start, here)
        coordinates.append(here)
        stride = math.prod(shape[at + 1 :])
        total = b.add(total, b.mul(here, b.const(np.int64(stride))))
    return b.expand(total, (*batch, *window)), coordinates


@lowers("ttir.gather", "stablehlo.gather", inputs=2)
def _gather(b: Builder, v: View) -> Tensor:
    x, indices = v.need(2)
    texts = _texts(v, "dimension_numbers")
    n = _Numbers(
        _list(v, texts, "offset_dims"),
        _list(v, texts, "collapsed_slice_dims"),
        _list(v, texts, "operand_batching_dims"),
        _list(v, texts, "start_indices_batching_dims"),
        _list(v, texts, "start_index_map"),
        _vector_dim(v, texts),
    )
    sizes = v.ints("slice_sizes")
    starts, batch = _starts(b, _start_vectors(b, indices, n.vector_dim), n, x.rank)
    for at in n.index_map:  # a slice never reaches over the end
        most = b.const(np.int64(x.shape[at] - sizes[at]))
        inside = b.binary("Max", starts[at], b.const(np.int64(0)))
        starts[at] = b.binary("Min", inside, most)
    cut = _split_at(x.shape, sizes, list(starts))
    places, _ = _places(b, starts, batch, x.shape[:cut], sizes[:cut])
    rows = b.reshape(x, (math.prod(x.shape[:cut]), *x.shape[cut:]))
    found = b.gather(rows, places, 0)
    dropped = {*n.collapsed, *n.operand_batching}
    kept = [d for i, d in enumerate(sizes) if i not in dropped]
    found = b.reshape(found, (*batch, *kept))
    return b.transpose(found, _interleave(len(batch), n.offset_dims))


def _interleave(num_batch: int, offset_dims: Sequence[int]) -> list[int]:
    """The order that puts window dimensions at ``offset_dims`` and the batch's at the others."""
    rank = num_batch + len(offset_dims)
    batch, window = iter(range(num_batch)), iter(range(num_batch, rank))
    return [next(window) if i in offset_dims else next(batch) for i in range(rank)]


_REDUCTIONS = {
    "add": "add", "sum": "add", "multiply": "mul", "mul": "mul", "prod": "mul",
    "maximum": "max", "max": "max", "minimum": "min", "min": "min",
    "invalid": "none", "none": "none", "": "none",
}  # fmt: skip


@lowers("ttir.scatter", inputs=3)
def _scatter_any(b: Builder, v: View) -> Tensor:
    """Along one dimension in newer versions, StableHLO's in older ones."""
    kind = v.text("scatter_reduce_type").rstrip("> ").rpartition("<")[2].lower()
    how = _REDUCTIONS.get(kind)
    if how is None:
        raise CannotLowerError(f"It combines by {kind}, which is not known here.")
    if v.has("update_window_dims"):
        return _scatter(b, v, how)
    x, indices, update = v.need(3)
    places = b.cast(indices, INT64)
    at = axis(v.whole("dim"), x.rank)
    inputs = [x, places, b.cast(update, x.dtype)]
    return b.emit("ScatterElements", inputs, x.shape, x.dtype, axis=at, reduction=how)


@lowers("stablehlo.scatter", inputs=3)
def _scatter_by_region(b: Builder, v: View) -> Tensor:
    if len(v.op.results) != 1:
        raise CannotLowerError("Scattering into several tensors at once is not known here.")
    block = v.block()
    inner = [o for o in block.operations if not o.name.endswith(".return")]
    if not inner:
        answers = block.operations[-1].operands
        if len(answers) != 1 or answers[0] is not block.arguments[1]:
            raise CannotLowerError("It combines by a function that is not known here.")
        return _scatter(b, v, "none")
    how = _REDUCTIONS.get(inner[0].name.rpartition(".")[2]) if len(inner) == 1 else None
    if how is None:
        raise CannotLowerError("It combines by a function that is not known here.")
    return _scatter(b, v, how)


def _scatter(b: Builder, v: View, how: str) -> Tensor:
    """Updates beyond the end are dropped: they go to a row that is cut off again."""
    x, indices, update = v.need(3)
    texts = _texts(v, "scatter_dimension_numbers")
    window_dims = _list(v, texts, "update_window_dims")
    n = _Numbers(
        window_dims,
        _list(v, texts, "inserted_window_dims"),
        _list(v, texts, "input_batching_dims"),
        _list(v, texts, "scatter_indices_batching_dims"),
        _list(v, texts, "scatter_dims_to_operand_dims"),
        _vector_dim(v, texts),
    )
    starts, batch = _starts(b, _start_vectors(b, indices, n.vector_dim), n, x.rank)
    dropped = {*n.collapsed, *n.operand_batching}
    widths = iter(update.shape[i] for i in window_dims)
    sizes = [1 if i in dropped else next(widths) for i in range(x.rank)]
    batch_first = [i for i in range(update.rank) if i not in window_dims] + window_dims
    update = b.transpose(b.cast(update, x.dtype), batch_first)
    cut = _split_at(x.shape, sizes, list(starts))
    places, coordinates = _places(b, starts, batch, x.shape[:cut], sizes[:cut])
    count, row = math.prod(x.shape[:cut]), math.prod(x.shape[cut:])
    places = b.where(
        _inside(b, coordinates, x.shape[:cut], places), places, b.const(np.int64(count))
    )
    rows = b.concat([b.reshape(x, (count, row)), b.const(np.zeros((1, row), x.dtype))], 0)
    written = b.emit(
        "ScatterND",
        [rows, b.reshape(places, (places.size, 1)), b.reshape(update, (places.size, row))],
        rows.shape,
        x.dtype,
        reduction=how,
    )
    return b.reshape(b.slice_axis(written, 0, 0, count), x.shape)


def _inside(
    b: Builder, coordinates: Sequence[Tensor], shape: Sequence[int], like: Tensor
) -> Tensor:
    inside = b.const(np.array(True))
    for here, size in zip(coordinates, shape, strict=True):
        for ok in (
            b.binary("GreaterOrEqual", here, b.const(np.int64(0))),
            b.binary("Less", here, b.const(np.int64(size))),
        ):
            shape_ = np.broadcast_shapes(inside.shape, ok.shape)
            inside = b.emit("And", [inside, ok], shape_, ok.dtype)
    return b.expand(inside, like.shape)


# Caches of keys and values


@lowers("ttir.update_cache", inputs=3, in_place=True)
def _update_cache(b: Builder, v: View) -> Tensor:
    """One step of each user written at the update index of the length dimension."""
    cache, new, index = v.need(3)
    if cache.rank == 4 and new.shape[0] == 1 and new.shape[2] == cache.shape[0]:
        new = b.transpose(new, [2, 1, 0, 3])  # [1, heads, users, width], as TTNN has it
    if new.shape[-2] != 1:
        raise CannotLowerError("It writes several steps at once, which is not known here.")
    steps = np.arange(cache.shape[-2]).reshape(-1, 1)
    here = b.reshape(b.cast(index, INT64), (index.size, *[1] * (cache.rank - 1)))
    chosen = b.binary("Equal", b.const(steps), here)
    return b.where(chosen, b.cast(new, cache.dtype), cache)


@lowers("ttir.fill_cache", inputs=2, in_place=True)
def _fill_cache(b: Builder, v: View) -> Tensor:
    cache, new = v.need(2)
    begins = [v.whole("batch_offset", 0), *[0] * (cache.rank - 1)]
    if any(s + n > c for s, n, c in zip(begins, new.shape, cache.shape, strict=True)):
        raise CannotLowerError("It fills beyond the end of the cache.")
    return write_at(b, cache, b.cast(new, cache.dtype), b.ints(begins))


def _paged(b: Builder, cache: Tensor, blocks: Tensor, within: Tensor, new: Tensor) -> Tensor:
    """``new`` [steps, heads, width] written at (block, place) of [blocks, heads, size, width]."""
    moved = b.transpose(cache, [0, 2, 1, 3])
    places = b.concat([b.reshape(t, (t.size, 1)) for t in (blocks, within)], 1)
    written = b.emit("ScatterND", [moved, places, new], moved.shape, moved.dtype)
    return b.transpose(written, [0, 2, 1, 3])


@lowers("ttir.paged_update_cache", inputs=4, in_place=True)
def _paged_update(b: Builder, v: View) -> Tensor:
    """The cache is [blocks, heads, block size, width], the input [1, users, heads, width]."""
    cache, new, index, table = v.need(4)
    if v.flag("share_cache"):
        raise CannotLowerError("A cache shared by users is not known here.")
    users, heads, size = new.shape[1], cache.shape[1], b.const(np.int64(cache.shape[2]))
    index = b.reshape(b.cast(index, INT64), (users,))
    which = b.reshape(b.div(index, size), (users, 1))
    pages = b.cast(table, INT64)
    blocks = b.emit("GatherElements", [pages, which], (users, 1), INT64, axis=1)
    step = b.slice_axis(b.reshape(new, new.shape[1:]), 1, 0, heads)
    return _paged(b, cache, blocks, b.binary("Mod", index, size), step)


@lowers("ttir.paged_fill_cache", inputs=3, in_place=True)
def _paged_fill(b: Builder, v: View) -> Tensor:
    """The input is [1, heads, steps, width]; the page table says where each block lies."""
    cache, new, table, *user = v.inputs
    if user and user[0].size != 1:
        raise CannotLowerError("Filling for several users at once is not known here.")
    row = b.cast(user[0], INT64) if user else b.ints([v.whole("batch_idx", 0)])
    pages = b.gather(b.cast(table, INT64), b.reshape(row, ()), 0)
    steps, size = np.arange(new.shape[2]), cache.shape[2]
    blocks = b.gather(pages, b.const(steps // size), 0)
    rows = b.transpose(b.reshape(new, new.shape[1:]), [1, 0, 2])
    return _paged(b, cache, blocks, b.const(steps % size), rows)


@lowers("ttir.one_hot", "ttnn.one_hot")
def _one_hot(b: Builder, v: View) -> Tensor:
    depth = v.shape[-1]
    indices = b.reshape(b.cast(v.x, INT64), (*v.x.shape, 1))
    return b.cast(b.binary("Equal", indices, b.const(np.arange(depth))), INT32)
