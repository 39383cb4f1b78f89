"""What an op moves through DRAM at a call: which operands are weights, and how many bytes."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Literal

from studio_core.hardware.attribute_text import enum_word
from studio_core.hardware.liveness import layout_of
from studio_core.mlir.records import Operation, TensorType, Value

Standing = Literal["known", "assumed"]

_WEIGHT_ARGUMENTS = ("parameter", "constant")
_LOADS = ("ttcore.load_cached", "tt.load_cached")
_CONSTANTS = ("ttir.constant", "ttnn.constant", "stablehlo.constant")
# They move or rename what a weight holds; the compiler does them once, before the first call.
_PREPARATIONS = {
    "ttir.transpose", "ttir.permute", "ttir.reshape", "ttir.typecast", "ttir.squeeze",
    "ttir.unsqueeze", "stablehlo.transpose", "stablehlo.reshape", "stablehlo.convert",
}  # fmt: skip
_MOST_PREPARATIONS = 16


def standing(value: Value) -> Standing | None:
    """Whether a value is a weight in DRAM: known so, assumed so, or (None) not.

    Known are arguments marked as parameter, constant or KV cache, and what is loaded with its
    volume unchanged (a broadcast would not be read from memory); in TTNN they must lie in DRAM, and
    in TTIR, which has no layouts yet, that is taken for granted. Assumed are arguments of which
    the module says nothing, constants, and either of them reshaped or converted.
    """
    layout = layout_of(value)
    if layout is not None and layout.buffer_type != "dram":
        return None
    if value.producer is None:
        return _argument_standing(value)
    if value.producer.name in _LOADS:
        return "known" if _keeps_volume(value.producer) else None
    return _prepared_standing(value.producer)


def num_scalars(value: Value) -> int | None:
    """Scalars of a tensor; None for another type or an unknown shape."""
    shape = value.type.shape if isinstance(value.type, TensorType) else None
    if shape is None or None in shape:
        return None
    return prod(n for n in shape if n is not None)


def total(numbers: Iterable[int | None]) -> int | None:
    """The sum; None if one of them is unknown."""
    found = list(numbers)
    return sum(n for n in found if n is not None) if None not in found else None


def moved_bytes(operation: Operation) -> int | None:
    """Bytes of an op's tensors in DRAM, read or written once, without the padding of tiles.

    Tensors in L1 are on the chip and cost nothing. None where a tensor's layout is unknown, and for
    an op without tensors.
    """
    sizes = [
        _stored_bytes(value)
        for value in (*operation.operands, *operation.results)
        if isinstance(value.type, TensorType)
    ]
    return total(sizes) if sizes else None


def _stored_bytes(value: Value) -> int | None:
    """A tensor's scalars at the size its layout gives them; 0 outside DRAM."""
    layout, scalars = layout_of(value), num_scalars(value)
    if layout is None or scalars is None or layout.element.num_bytes is None:
        return None
    if layout.buffer_type != "dram":
        return 0
    height, width = layout.element.tile or (1, 1)
    each = height * width
    return (2 * scalars * layout.element.num_bytes + each) // (2 * each)


def _argument_standing(value: Value) -> Standing | None:
    kind = value.attributes.get("ttcore.argument_type")
    if "ttcore.kv_cache" in value.attributes:
        return "known"
    if kind is None:
        return "assumed"
    return "known" if enum_word(kind.text) in _WEIGHT_ARGUMENTS else None


def _prepared_standing(producer: Operation) -> Standing | None:
    for _ in range(_MOST_PREPARATIONS):
        if producer.name in _CONSTANTS:
            return "assumed"
        if producer.name not in _PREPARATIONS or not producer.operands:
            return None
        source = producer.operands[0]
        if source.producer is None:
            return "assumed" if _argument_standing(source) is not None else None
        producer = source.producer
    return None


def _keeps_volume(load: Operation) -> bool:
    loaded = total(num_scalars(v) for v in load.operands if isinstance(v.type, TensorType))
    made = total(num_scalars(v) for v in load.results if isinstance(v.type, TensorType))
    return loaded is not None and loaded == made
