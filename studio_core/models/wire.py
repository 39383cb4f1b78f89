"""A model file without its weights: large tensors become references into the file.

`onnx.load` copies every weight, which is most of the time and memory of opening a model.
An ONNX file is a protobuf message, so its structure can be walked without touching the
bytes of the tensors: `strip_weights` copies everything but the payload of large tensors,
and writes in its place the external-data reference (file, offset, length) that the ONNX
format has for weights stored elsewhere. What comes back is a valid, small ModelProto.

Field numbers are those of the public ``onnx.proto``; the encoding is that of
https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from collections.abc import Iterator

from studio_core.errors import LimitError, NotAModelError, TruncatedModelError
from studio_core.limits import DEFAULT_LIMITS, Limits, beyond, shortened

INLINE_LIMIT = 4096
"""Tensors of up to this many bytes stay inline: shape inference reads their values, and
walking into thousands of small ones would cost more than copying them."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZE = {_FIXED64: 8, _FIXED32: 4}

# Which length-delimited fields of a message may hold a large tensor, and of which type
# the nested message is.
NESTED_MESSAGES: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
}
# Besides, the messages in which names stand; walked only where they are large enough for a name
# beyond the limit.
_WALKED: dict[str, dict[int, str]] = {
    **NESTED_MESSAGES,
    "Model": {**NESTED_MESSAGES["Model"], 8: "OperatorSet"},
    "Graph": {**NESTED_MESSAGES["Graph"], 11: "Value", 12: "Value", 13: "Value"},
    "Value": {2: "Type"},
    "Type": {1: "TensorType", 8: "TensorType"},
    "TensorType": {2: "Shape"},
    "Shape": {1: "Dimension"},
    "Dimension": {},
    "OperatorSet": {},
}
_NAMES: dict[str, frozenset[int]] = {
    "Graph": frozenset({2}),
    "Node": frozenset({1, 2, 3, 4, 7, 8}),
    "Attribute": frozenset({1, 21}),
    "Tensor": frozenset({8}),
    "Value": frozenset({1}),
    "Dimension": frozenset({2}),
    "Function": frozenset({1, 4, 5, 6, 10, 13}),
    "OperatorSet": frozenset({1}),
}
_MODEL_FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}

# TensorProto fields whose bytes are the little-endian values themselves.
_RAW_DATA, _FLOAT_DATA, _DOUBLE_DATA = 9, 4, 10
_PAYLOADS = {_RAW_DATA, _FLOAT_DATA, _DOUBLE_DATA}


_Field = tuple[int, int, int, int, int]
"""Number, wire type, start (of the tag), body (behind tag and length), and end of a field.

A plain tuple: a large model has a hundred thousand of them, and nobody keeps one."""


class _OverrunError(Exception):
    """A value reaches past the end of the message that holds it."""


class _MalformedError(Exception):
    """These bytes are not a protobuf message."""


def strip_weights(
    data: memoryview,
    file_name: str,
    inline_limit: int = INLINE_LIMIT,
    limits: Limits = DEFAULT_LIMITS,
) -> bytes:
    """The bytes of a ModelProto whose large tensors refer to ``file_name`` by offset.

    ``data`` is the whole file (a memory map serves); ``file_name`` is written as the
    external-data location of each tensor of more than ``inline_limit`` bytes.

    Raises `NotAModelError` and `TruncatedModelError`, with the offset of the fault, and
    `LimitError`.
    """
    _check_beginning(data)
    try:
        chunks = _Stripper(data, file_name, inline_limit, limits).message("Model", 0, len(data))
    except _OverrunError as overrun:
        raise TruncatedModelError(
            f"The file ends too early: {overrun} It has {len(data)} bytes. "
            "Copy or download it again."
        ) from None
    except _MalformedError as fault:
        raise NotAModelError(f"The file is not an ONNX model: {fault}") from None
    size = sum(map(len, chunks))
    limits.check("max_structure_bytes", size, f"Without its weights it has {size:,} bytes")
    return b"".join(chunks)


def _check_beginning(data: memoryview) -> None:
    """Refuse what cannot be a model, before an overrun could be taken for truncation."""
    if not len(data):
        raise NotAModelError("The file is empty.")
    try:
        number, wire_type, _ = _tag(data, 0, len(data))
    except (_OverrunError, _MalformedError):
        number, wire_type = 0, 0
    if _MODEL_FIELDS.get(number) != wire_type or number == 0:
        raise NotAModelError(
            "The file is not an ONNX model: its first bytes are not those of a ModelProto."
        )


class _Stripper:
    """Walks one file; `message` yields the chunks of the stripped copy."""

    def __init__(self, data: memoryview, file_name: str, inline_limit: int, limits: Limits) -> None:
        self.data = data
        self.location = _entry(b"location", file_name.encode())
        self.inline_limit = inline_limit
        self.limits = limits
        self.walked_from = min(inline_limit, limits.max_name_bytes)

    def message(self, kind: str, start: int, end: int, depth: int = 0) -> list[bytes | memoryview]:
        if kind == "Tensor":
            return self.tensor(start, end)
        if depth > self.limits.max_nesting:
            raise LimitError(
                beyond("It is nested too deep", "max_nesting", self.limits.max_nesting)
            )
        nested = _WALKED[kind]
        chunks: list[bytes | memoryview] = []
        copied_to = start
        for number, wire_type, tag, body, stop in message_fields(self.data, start, end):
            if kind == "Model" and number not in _MODEL_FIELDS:
                raise _MalformedError(f"it holds an unknown part (field {number}).")
            if stop - body <= self.walked_from or wire_type != _BYTES:
                continue
            if number not in nested:
                self.check_name(kind, number, body, stop)
                continue
            inner = self.message(nested[number], body, stop, depth + 1)
            chunks.append(self.data[copied_to:tag])
            chunks.append(_key(number, _BYTES) + _varint(sum(map(len, inner))))
            chunks.extend(inner)
            copied_to = stop
        chunks.append(self.data[copied_to:end])
        return chunks

    def check_name(self, kind: str, number: int, body: int, stop: int) -> None:
        """Refuse a name that is too long, before anybody makes a text of it."""
        most = self.limits.max_name_bytes
        if stop - body > most and number in _NAMES.get(kind, ()):
            beginning = shortened(bytes(self.data[body : body + 64]).decode("utf-8", "replace"), 40)
            what = f"The name that begins with '{beginning}' has {stop - body:,} bytes"
            raise LimitError(beyond(what, "max_name_bytes", most))

    def tensor(self, start: int, end: int) -> list[bytes | memoryview]:
        payload = []
        for field in message_fields(self.data, start, end):
            if field[0] in _PAYLOADS:
                payload.append(field)
            elif field[0] in _NAMES["Tensor"]:
                self.check_name("Tensor", field[0], field[3], field[4])
        # protobuf allows a repeated field in pieces; those are left for its parser to join.
        if len(payload) != 1:
            return [self.data[start:end]]
        ((_, wire_type, tag, body, stop),) = payload
        if wire_type != _BYTES or stop - body <= self.inline_limit:
            return [self.data[start:end]]
        reference = self.location + _entry(b"offset", b"%d" % body)
        reference += _entry(b"length", b"%d" % (stop - body)) + _IS_EXTERNAL
        return [self.data[start:tag], self.data[stop:end], reference]


def _entry(key: bytes, value: bytes) -> bytes:
    """One StringStringEntryProto as TensorProto.external_data (13)."""
    return _delimited(13, _delimited(1, key) + _delimited(2, value))


def _delimited(number: int, body: bytes) -> bytes:
    return _key(number, _BYTES) + _varint(len(body)) + body


def message_fields(data: memoryview, start: int, end: int) -> Iterator[_Field]:
    """The fields of the message in ``data[start:end]``, in their order."""
    position = start
    while position < end:
        tag = data[position]
        # One byte holds the tag of fields 1 to 15, and most lengths and numbers; thousands of
        # nodes and tensors have no others.
        if 8 <= tag < 0x80:
            number, wire_type, body = tag >> 3, tag & 7, position + 1
        else:
            number, wire_type, body = _tag(data, position, end)
        if wire_type == _BYTES:
            if body < end and data[body] < 0x80:
                length, body = data[body], body + 1
            else:
                length, body = _read_varint(data, body, end)
            stop = body + length
        elif wire_type == _VARINT:
            small = body < end and data[body] < 0x80
            stop = body + 1 if small else _read_varint(data, body, end)[1]
        elif wire_type in _FIXED_SIZE:
            stop = body + _FIXED_SIZE[wire_type]
        else:
            raise _MalformedError(f"at byte {position} stands no valid field.")
        if stop > end:
            raise _OverrunError(
                f"the part that begins at byte {position} should reach to byte {stop}, past {end}."
            )
        yield number, wire_type, position, body, stop
        position = stop


def _tag(data: memoryview, position: int, end: int) -> tuple[int, int, int]:
    value, body = _read_varint(data, position, end)
    if value >> 3 == 0:
        raise _MalformedError(f"at byte {position} stands no valid field.")
    return value >> 3, value & 7, body


def _read_varint(data: memoryview, position: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while position < end:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise _MalformedError(f"at byte {position} stands a number that is too long.")
    raise _OverrunError(f"a number at byte {position} is cut off.")


def _varint(value: int) -> bytes:
    if value < 0x80:
        return _ONE_BYTE[value]
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _key(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


_ONE_BYTE = [bytes((value,)) for value in range(0x80)]
_IS_EXTERNAL = _key(14, _VARINT) + _varint(1)
"""TensorProto.data_location = EXTERNAL."""
