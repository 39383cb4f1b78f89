"""What goes to the browser: text once and compressed, numbers as little-endian buffers.

A slider that is dragged sends `plan_buffer` (3 bytes a layer) and never the rows again.
The readers are `readDocument`, `readFloats` and `readPlan` in ``static/_shared.js``.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from studio_core.plans.plan import PruningPlan

_ONE = 65534
_NOT_PLANNED = 65535 / _ONE


class StatusDocument(TypedDict):
    """A layer status: its key, and its words."""

    key: str
    label: str


class RowsDocument(TypedDict):
    """The layer table, column by column; None is unknown.

    ``status`` and ``reason`` index ``statuses`` and ``reasons``: thousands of rows share
    a handful of them.
    """

    id: list[str]
    name: list[str]
    node: list[str]
    op: list[str]
    shape: list[str]
    status: list[int]
    reason: list[int]
    params: list[int]
    macs: list[int | None]
    sparsity: list[float | None]
    statuses: list[StatusDocument]
    reasons: list[str]


class ChartDocument(TypedDict):
    """The words of a chart, and how its buffer is cut: x, then y, then standard errors."""

    id: list[str]
    name: list[str]
    num_points: int
    shared_levels: bool
    has_errors: bool
    label: str


def compressed(document: Mapping[str, Any]) -> bytes:
    """JSON in zlib: names of layers repeat themselves, and shrink ten times and more."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return zlib.compress(text.encode("utf-8", errors="replace"), level=6)


def floats(*arrays: NDArray[np.floating[Any]]) -> bytes:
    """Arrays as float32, one after another."""
    return b"".join(np.ascontiguousarray(a, dtype="<f4").tobytes() for a in arrays)


def plan_buffer(layer_ids: Sequence[str], plan: PruningPlan | None) -> bytes:
    """Planned sparsity of each layer as uint16 (65534 = 1, 65535 = not in the plan), then
    its lock as a byte."""
    if plan is None:
        return b""
    planned = np.array([plan.sparsities.get(i, _NOT_PLANNED) for i in layer_ids], dtype=float)
    locks = np.array([i in plan.locked for i in layer_ids], dtype="u1")
    return np.round(planned * _ONE).astype("<u2").tobytes() + locks.tobytes()
