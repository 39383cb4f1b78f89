"""Attention, and the operations that bring queries, keys and values into heads and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from studio_core.execution.lowering.builder import Builder
from studio_core.execution.lowering.table import lowers
from studio_core.execution.lowering.tensors import Array, CannotLowerError, Tensor
from studio_core.execution.lowering.views import View


@lowers("ttir.scaled_dot_product_attention", inputs=3)
def _attention(b: Builder, v: View) -> Tensor:
    given = v.optional(("query", "key", "value", "attention_mask", "attention_sink"))
    query, key, value = (given[n] for n in ("query", "key", "value"))
    mask = given.get("attention_mask")
    causal = v.flag("is_causal", mask is None and not v.has("is_causal"))
    return attention(b, v, (query, key, value), mask, causal, given.get("attention_sink"))


@lowers("ttir.scaled_dot_product_attention_decode", inputs=3)
def _attention_decode(b: Builder, v: View) -> Tensor:
    """The query is [1, batch, heads, width]; keys up to the current position count."""
    names = ("query", "key", "value", "attention_mask", "cur_pos_tensor", "attention_sink")
    given = v.optional(names)
    query = b.transpose(given["query"], [1, 2, 0, 3])
    key, mask = given["key"], given.get("attention_mask")
    if mask is not None:  # [batch, 1, heads, keys] beside scores of [batch, heads, 1, keys]
        mask = b.transpose(mask, [0, 2, 1, 3])
    position = given.get("cur_pos_tensor")
    if position is not None and v.flag("is_causal", True):
        steps = b.const(np.arange(key.shape[2], dtype=position.dtype))
        seen = b.binary("LessOrEqual", steps, b.reshape(position, (position.size, 1, 1, 1)))
        mask = b.where(seen, b.const(np.float32(0)), b.const(np.float32(-np.inf)))
    sink = given.get("attention_sink")
    found = attention(b, v, (query, key, given["value"]), mask, False, sink)
    return b.transpose(found, [2, 0, 1, 3])


def attention(
    b: Builder,
    v: View,
    operands: tuple[Tensor, Tensor, Tensor],
    mask: Tensor | None,
    causal: bool,
    sink: Tensor | None,
) -> Tensor:
    """softmax(scale · Q Kᵀ + mask) V; fewer key than query heads are shared in groups."""
    query, key, value = operands
    if query.rank != 4:
        raise CannotLowerError("Attention is known here for tensors of rank 4.")
    key, value = (_shared_heads(b, t, query.shape[1]) for t in (key, value))
    scale = float(v.number("scale", 1 / math.sqrt(query.shape[-1])))
    scores = b.mul(b.matmul(query, b.swap(key)), b.const(np.float32(scale)))
    if mask is not None:
        scores = b.add(scores, mask)
    hidden = _hidden(query.shape[2], key.shape[2], causal, v.number("sliding_window_size", None))
    if hidden is not None:
        scores = b.add(scores, b.const(hidden))
    if sink is None:
        return b.matmul(b.unary("Softmax", scores, axis=-1), value)
    column = b.expand(sink, (*scores.shape[:3], 1))
    weights = b.unary("Softmax", b.concat([scores, column], -1), axis=-1)
    return b.matmul(b.slice_axis(weights, -1, 0, scores.shape[-1]), value)


def _shared_heads(b: Builder, x: Tensor, heads: int) -> Tensor:
    if x.shape[1] == heads:
        return x
    if heads % x.shape[1]:
        raise CannotLowerError(f"{x.shape[1]} heads cannot be shared by {heads}.")
    batch, own, length, width = x.shape
    each = b.expand(
        b.reshape(x, (batch, own, 1, length, width)), (batch, own, heads // own, length, width)
    )
    return b.reshape(each, (batch, heads, length, width))


def _hidden(rows: int, keys: int, causal: bool, window: int | None) -> Array | None:
    """-inf where a row may not look: behind itself if causal, and beyond its window."""
    if not causal and window is None:
        return None
    row = np.arange(rows)[:, None] + keys - rows
    column = np.arange(keys)[None, :]
    hidden = np.zeros((rows, keys), bool)
    if causal:
        # Counted from the first key, as PyTorch does.
        hidden |= column > np.arange(rows)[:, None]
    if window is not None:
        hidden |= column <= row - int(window)
    return np.where(hidden, np.float32(-np.inf), np.float32(0))


# Heads


@lowers("ttir.concatenate_heads", "ttnn.nlp_concat_heads")
def _concatenate_heads(b: Builder, v: View) -> Tensor:
    """[batch, heads, length, width] → [batch, length, heads · width]."""
    return b.reshape(b.transpose(v.x, [0, 2, 1, 3]), v.shape)


@lowers("ttir.nlp_concat_heads_decode")
def _concat_heads_decode(b: Builder, v: View) -> Tensor:
    """[1, batch, heads padded to a tile, width] → [1, 1, batch, heads · width]."""
    length, batch, _, width = v.x.shape
    heads = v.whole("num_heads")
    kept = b.reshape(b.slice_axis(v.x, 2, 0, heads), (length, 1, batch, heads * width))
    # TTNN pads the batch to a whole tile.
    rest = max(0, v.shape[2] - batch)
    return b.pad(kept, [0] * 4, [0, 0, rest, 0], b.like(0, kept))


@lowers("ttir.split_query_key_value_and_split_heads")
def _split_heads(b: Builder, v: View) -> list[Tensor]:
    """[batch, length, 3 · hidden] (or a query and its keys with values) → heads of each."""
    groups = v.segments()
    separate = v.inputs[1] if (groups and len(groups) > 1 and groups[1]) else None
    x = v.x
    heads = v.whole("num_heads")
    shared = v.number("num_kv_heads", None)
    shared = heads if shared is None else int(shared)
    total = heads if separate is not None else heads + 2 * shared
    width = x.shape[-1] // total
    sizes = [heads * width, shared * width, shared * width]
    parts = _split(b, x, sizes if separate is None else sizes[:1])
    if separate is not None:
        parts += _split(b, separate, sizes[1:])
    made = [
        _as_heads(b, part, count)
        for part, count in zip(parts, (heads, shared, shared), strict=True)
    ]
    if v.flag("transpose_key", True):
        made[1] = b.swap(made[1])
    return made


@lowers("ttir.nlp_create_qkv_heads_decode")
def _create_heads_decode(b: Builder, v: View) -> list[Tensor]:
    """[1, 1, batch, all heads · width] → [1, batch, heads, width] of each."""
    x = v.x
    heads = v.whole("num_heads")
    shared = int(v.number("num_kv_heads", None) or heads)
    width = x.shape[-1] // (heads + 2 * shared)
    parts = _split(b, x, [heads * width, shared * width, shared * width])
    return [
        b.reshape(part, (1, x.shape[2], count, width))
        for part, count in zip(parts, (heads, shared, shared), strict=True)
    ]


def _split(b: Builder, x: Tensor, sizes: Sequence[int]) -> list[Tensor]:
    ends = np.cumsum([0, *sizes]).tolist()
    return [b.slice_axis(x, -1, a, e) for a, e in pairwise(ends)]


def _as_heads(b: Builder, x: Tensor, heads: int) -> Tensor:
    batch, length = (x.shape[0], x.shape[-2])
    return b.transpose(b.reshape(x, (batch, length, heads, x.shape[-1] // heads)), [0, 2, 1, 3])


@lowers("ttir.rotary_embedding", inputs=3)
def _rotary(b: Builder, v: View) -> Tensor:
    """x · cos + rotated halves of x · sin."""
    x, cos, sin = v.need(3)
    half = x.shape[-1] // 2
    first, second = b.slice_axis(x, -1, 0, half), b.slice_axis(x, -1, half, x.shape[-1])
    turned = b.concat([b.unary("Neg", second), first], -1)
    cos, sin = (_rows(b, table, x) for table in (cos, sin))
    return b.add(b.mul(x, cos), b.mul(turned, sin))


def _rows(b: Builder, table: Tensor, x: Tensor) -> Tensor:
    """As many rows of a longer table as ``x`` has."""
    if table.rank >= 2 and table.shape[-2] > x.shape[-2]:
        return b.slice_axis(table, -2, 0, x.shape[-2])
    return table
