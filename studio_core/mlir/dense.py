"""Constant tensors: the numbers of ``dense<…>`` and of resources as numpy arrays."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod

import ml_dtypes
import numpy as np

from studio_core.mlir.records import TensorType

# Held as the next wider type that numpy itself has; the values are the same.
_SMALL_FLOATS: dict[str, np.dtype] = {
    name: np.dtype(getattr(ml_dtypes, kind))
    for name, kind in {
        "bf16": "bfloat16",
        "f8E3M4": "float8_e3m4",
        "f8E4M3": "float8_e4m3",
        "f8E4M3B11FNUZ": "float8_e4m3b11fnuz",
        "f8E4M3FN": "float8_e4m3fn",
        "f8E4M3FNUZ": "float8_e4m3fnuz",
        "f8E5M2": "float8_e5m2",
        "f8E5M2FNUZ": "float8_e5m2fnuz",
        "f8E8M0FNU": "float8_e8m0fnu",
    }.items()
    if hasattr(ml_dtypes, kind)
}
_FLOATS: dict[str, np.dtype] = {
    "f16": np.dtype(np.float16),
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
}
_COMPLEX: dict[str, np.dtype] = {
    "f32": np.dtype(np.complex64),
    "f64": np.dtype(np.complex128),
}
_INTEGER = re.compile(r"([su]?)i(\d{1,3})")
_ITEM = re.compile(r"[^\s,\[\]()]+")
_HEXADECIMAL = re.compile(r"0[xX][0-9A-Fa-f]+")


def dtype_of(element: str) -> np.dtype | None:
    """The numpy type in which an element type's numbers are held; None where there is none."""
    if element in _SMALL_FLOATS:
        return np.dtype(np.float32)
    if element in _FLOATS:
        return _FLOATS[element]
    if element == "index":
        return np.dtype(np.int64)
    if element.startswith("complex<") and element.endswith(">"):
        return _COMPLEX.get(element[8:-1])
    return _integer_dtype(element)


def _integer_dtype(element: str) -> np.dtype | None:
    found = _INTEGER.fullmatch(element)
    if found is None:
        return None
    bits = int(found.group(2))
    if bits == 1:
        return np.dtype(np.bool_)
    width = next((w for w in (8, 16, 32, 64) if bits <= w), None)
    if width is None:
        return None
    return np.dtype(f"{'u' if found.group(1) == 'u' else ''}int{width}")


def dense_array(body: str, kind: TensorType) -> np.ndarray | None:
    """The numbers between the brackets of ``dense<…>``; None where they cannot be had.

    ``body`` is a number, nested lists of numbers, or a string of hexadecimal bytes.
    """
    dtype = dtype_of(kind.element)
    if dtype is None or kind.shape is None or None in kind.shape:
        return None
    shape = tuple(d for d in kind.shape if d is not None)
    try:
        return _shaped(_numbers(body.strip(), kind.element, dtype), shape)
    except (ValueError, OverflowError):  # no numbers after all, or too many for an array
        return None


def resource_array(data: str, kind: TensorType) -> np.ndarray | None:
    """The numbers of a blob ``"0x…"``, whose first four bytes are its alignment."""
    if kind.shape is None or None in kind.shape or dtype_of(kind.element) is None:
        return None
    try:
        raw = bytes.fromhex(data.strip('"').removeprefix("0x"))[4:]
        numbers = _from_bytes(raw, kind.element)
        return _shaped(numbers, tuple(d for d in kind.shape if d is not None))
    except (ValueError, OverflowError):
        return None


def _shaped(numbers: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray | None:
    if numbers is None:
        return None
    count = prod(shape)
    if numbers.size == 1 and count != 1:
        return np.broadcast_to(numbers.reshape(()), shape)
    if numbers.size > count > 0 and numbers.dtype == np.bool_:
        numbers = numbers[:count]  # bits come in whole bytes
    return numbers.reshape(shape)


def _numbers(body: str, element: str, dtype: np.dtype) -> np.ndarray | None:
    if body.startswith('"'):
        if not body.startswith('"0x'):
            return None
        return _from_bytes(bytes.fromhex(body[3:-1]), element)
    items = _ITEM.findall(body)
    if dtype.kind == "c":
        parts = [_float(item, element[8:-1]) for item in items]
        return np.array(
            [complex(*pair) for pair in zip(parts[::2], parts[1::2], strict=True)], dtype
        )
    if dtype.kind == "f":
        if not any(item[:2] in ("0x", "0X") for item in items):
            return np.array(items, dtype=np.float64).astype(dtype)
        return np.array([_float(item, element) for item in items], dtype)
    return _integers([_integer(item) for item in items], element, dtype)


def _integers(numbers: list[int], element: str, dtype: np.dtype) -> np.ndarray:
    """Signless integers may be written as unsigned ones: 255 is -1 in i8."""
    if dtype.kind == "i" and element.startswith("i") and numbers:
        bits = 64 if element == "index" else int(element[1:])
        if max(numbers) >= 1 << (bits - 1):
            numbers = [n - (1 << bits) if n >= 1 << (bits - 1) else n for n in numbers]
    return np.array(numbers, dtype=dtype)


def _integer(item: str) -> int:
    if item in ("true", "false"):
        return int(item == "true")
    return int(item, 16) if "x" in item[:3].lower() else int(item)


def _float(item: str, element: str) -> float:
    """A number; hexadecimal ones are the bits of the value."""
    if not _HEXADECIMAL.fullmatch(item):
        return float(item)
    return float_of_bits(int(item, 16), element)


def float_of_bits(bits: int, element: str) -> float:
    """The value whose bits are ``bits`` in the type ``element``; ValueError if it has no bits."""
    dtype = _SMALL_FLOATS.get(element) or _FLOATS.get(element)
    if dtype is None:
        raise ValueError(f"{element} has no numpy equivalent")
    size = dtype.itemsize
    return float(np.frombuffer(bits.to_bytes(size, "little"), dtype)[0])


def _from_bytes(raw: bytes, element: str) -> np.ndarray:
    small = _SMALL_FLOATS.get(element)
    if small is not None:
        return np.frombuffer(raw, small).astype(np.float32)
    if element == "i1":
        return _bits(raw)
    dtype = dtype_of(element)
    assert dtype is not None  # asked before
    return np.frombuffer(raw, dtype.newbyteorder("<"))


def _bits(raw: bytes) -> np.ndarray:
    """Booleans are packed, eight to a byte; a lone 00 or FF is a splat."""
    if raw in (b"\x00", b"\xff"):
        return np.array([raw == b"\xff"])
    return np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little").astype(np.bool_)


def resources(metadata: list[str]) -> Mapping[str, str]:
    """The blobs of ``{-# dialect_resources … #-}``, the strings as written, by name."""
    found: dict[str, str] = {}
    for text in metadata:
        for match in re.finditer(r'("(?:[^"\\\n]|\\.)*+"|[\w$.-]+)\s*:\s*("0x[0-9A-Fa-f]*")', text):
            found.setdefault(match.group(1).strip('"'), match.group(2))
    return found
