"""StableHLO's pretty forms, put under the names that the generic form uses.

``dims = [1, 0]`` of a transpose becomes ``permutation``, ``contracting_dims = [1] x [0]``
becomes ``dot_dimension_numbers``, and so on; values are those that the generic form would have.
A reduction written ``applies stablehlo.add`` has no region; it has the attribute
``applies`` with the operation's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from studio_core.mlir.assembly import USE, Assembly, RegionText
from studio_core.mlir.records import Attribute, OpaqueValue

_KEYWORD = re.compile(r"(?<![\w%.@#!$])([A-Za-z_]\w*)\s*=\s*+(?!=)")
_TIMES = re.compile(r"\s*x\s*(?=\[)")
_NUMBERS = re.compile(r"-?\d+")

# How a pretty form's words are called in the generic form: for all operations, and for some.
_NAMES = {
    "dim": "dimension",
    "sizes": "slice_sizes",
    "low": "edge_padding_low",
    "high": "edge_padding_high",
    "interior": "interior_padding",
    "precision": "precision_config",
    "dimensions": "dimensions",
    "length": "fft_length",
    "type": "fft_type",
    "distribution": "rng_distribution",
}
_OWN_NAMES = {
    ("broadcast_in_dim", "dims"): "broadcast_dimensions",
    ("dynamic_broadcast_in_dim", "dims"): "broadcast_dimensions",
    ("broadcast", "sizes"): "broadcast_sizes",
    ("transpose", "dims"): "permutation",
    ("reverse", "dims"): "dimensions",
    ("iota", "dim"): "iota_dimension",
    ("dynamic_iota", "dim"): "iota_dimension",
}
_ENUMERATIONS = {"precision": "precision", "type": "fft_type", "distribution": "rng_distribution"}


def read_stablehlo(a: Assembly) -> None:
    """``%a, %b, word = value, … {…} : types``."""
    _regions_and_dictionaries(a)
    words = _keywords(a)
    for word, (start, end) in words.items():
        _put_word(a, word, a.text[start:end])
    stop = a.regions[0].opens if a.regions else a.end
    a.operands = a.uses(a.start, stop)
    a.read_types()


def _regions_and_dictionaries(a: Assembly) -> None:
    for opens, closes in a.groups("{"):
        if a.before(opens) == "=":
            continue
        head = a.parenthesis_before(opens)
        names = a.context.arguments(head[0] + 1, head[1]) if head else []
        if names and names[0].name and names[0].type.text:
            a.regions.append(RegionText(opens, closes, names))
            continue
        a.put_dictionary(opens, closes)


def _keywords(a: Assembly) -> dict[str, tuple[int, int]]:
    """Each ``word = value`` outside of brackets with the extent of its value."""
    found: dict[str, tuple[int, int]] = {}
    position = a.start
    for start, stop in a.gaps("[{<"):  # `top_k(%a, k = 3)` has its words in parentheses
        position = max(position, start)
        while (match := _KEYWORD.search(a.mask, position, stop)) is not None:
            position = match.end()
            end = a.value_end(position)
            while (times := _TIMES.match(a.mask, end, a.end)) is not None:
                end = a.value_end(times.end())
            found[match.group(1)] = (position, end)
            position = max(position, end)
    return found


def _put_word(a: Assembly, word: str, text: str) -> None:
    short = a.name.partition(".")[2]
    name = _OWN_NAMES.get((short, word)) or _NAMES.get(word, word)
    if word in ("contracting_dims", "batching_dims"):
        _put_dot(a, word, text)
    elif word in _ENUMERATIONS:
        _put_enumeration(a, name, _ENUMERATIONS[word], text)
    elif word == "format":
        for bits, part in zip(_NUMBERS.findall(text), ("exponent", "mantissa"), strict=False):
            a.put(f"{part}_bits", f"{bits} : i32")
    elif text.startswith("[") and re.fullmatch(r"\[[\s\d,-]*\]", text):
        a.put(name, numbers(text))
    elif text.isdigit():
        a.put(name, f"{text} : i64")
    else:
        a.put(name, text)


def numbers(text: str, element: str = "i64") -> str:
    """``[1, 2]`` as ``array<i64: 1, 2>``."""
    inner = ", ".join(_NUMBERS.findall(text) if element != "i1" else re.findall(r"\w+", text))
    return f"array<{element}: {inner}>" if inner else f"array<{element}>"


def _put_enumeration(a: Assembly, name: str, kind: str, text: str) -> None:
    dialect = a.name.partition(".")[0]
    words = [f"#{dialect}<{kind} {word}>" for word in re.findall(r"\w+", text)]
    a.put(name, f"[{', '.join(words)}]" if text.startswith("[") else "".join(words))


def _put_dot(a: Assembly, word: str, text: str) -> None:
    """Both halves of ``[…] x […]``, added to ``dot_dimension_numbers``."""
    known = a.attributes.get("dot_dimension_numbers")
    body = known.value.body if known and isinstance(known.value, OpaqueValue) else ""
    left, _, right = text.partition("x")
    which = "contracting" if word == "contracting_dims" else "batching"
    more = f"lhs_{which}_dimensions = {left.strip()}, rhs_{which}_dimensions = {right.strip()}"
    joined = ", ".join(part for part in (body, more) if part)
    a.put("dot_dimension_numbers", f"#{a.name.partition('.')[0]}.dot<{joined}>")


def read_compare(a: Assembly) -> None:
    """``compare LT, %a, %b, FLOAT : (T, T) -> T``."""
    read_stablehlo(a)
    dialect = a.name.partition(".")[0]
    colon = a.statement.colons[0] if a.statement.colons else a.end
    words = re.findall(r"(?<![\w%$.-])[A-Z]+\b", a.mask[a.start : colon])
    for word, (name, kind) in zip(
        words,
        (("comparison_direction", "comparison_direction"), ("compare_type", "comparison_type")),
        strict=False,
    ):
        a.put(name, f"#{dialect}<{kind} {word}>")


def read_slice(a: Assembly) -> None:
    """``slice %a [0:4, 2:8:2] : (T) -> T``."""
    read_stablehlo(a)
    ranges = a.groups("[")
    if not ranges:
        a.is_opaque = True
        return
    opens, closes = ranges[0]
    inner = a.mask[opens + 1 : closes]
    parts = [part.split(":") for part in inner.split(",") if part.strip()]
    names = ("start_indices", "limit_indices", "strides")
    for number, name in enumerate(names):
        items = [p[number].strip() if number < len(p) else "1" for p in parts]
        a.put(name, numbers(f"[{', '.join(items)}]"))


def read_convolution(a: Assembly) -> None:
    """``convolution(%a, %b) dim_numbers = …, window = {…} {…} : …``."""
    for opens, closes in a.groups("{"):
        if a.before(opens) != "=":
            a.put_dictionary(opens, closes)
    dialect = a.name.partition(".")[0]
    found = re.compile(r"dim_numbers\s*=\s*").search(a.mask, a.start, a.end)
    if found is not None:
        last = [g for g in a.groups("[") if g[0] >= found.end()][:3]
        if len(last) == 3:
            a.put("dimension_numbers", f"#{dialect}.conv<{a.text[found.end() : last[2][1] + 1]}>")
    window = re.compile(r"window\s*=\s*(?=\{)").search(a.mask, a.start, a.end)
    if window is not None:
        _put_window(a, window.end())
    first = a.groups("(")[0] if a.groups("(") else (a.start, a.start)
    a.operands = a.uses(*first)
    a.read_types()


def _put_window(a: Assembly, opens: int) -> None:
    names = {"stride": "window_strides", "lhs_dilate": "lhs_dilation", "rhs_dilate": "rhs_dilation"}
    entries = a.context.dictionary(a.text[opens : a.context.source.pairs[opens] + 1])
    for word, attribute in entries.items():
        if word == "pad":
            rows = attribute.value if isinstance(attribute.value, tuple) else ()
            a.put("padding", f"dense<{attribute.text}> : tensor<{len(rows)}x2xi64>")
        elif word == "reverse":
            a.put("window_reversal", numbers(attribute.text, "i1"))
        else:
            a.put(names.get(word, word), numbers(attribute.text))


def read_reduce(a: Assembly) -> None:
    """``reduce(%a init: %b), (…) applies op across dimensions = [1] : …`` or with a region."""
    _regions_and_dictionaries(a)
    words = _keywords(a)
    if "dimensions" in words:
        a.put("dimensions", numbers(a.text[slice(*words["dimensions"])]))
    applies = re.compile(r"\bapplies\s+([\w$.]+)").search(a.mask, a.start, a.end)
    if applies is not None:
        a.put_value("applies", Attribute(applies.group(1), f'"{applies.group(1)}"'))
    _reduce_operands(a)
    _reduce_arguments(a)
    a.read_signature()


def _reduce_operands(a: Assembly) -> None:
    """All inputs, then all initial values, as in the generic form."""
    inputs: list[str] = []
    initial: list[str] = []
    for opens, closes in a.groups("("):
        inside = a.mask[opens:closes]
        before, word, after = inside.partition("init:")
        if word:
            inputs += USE.findall(before)
            initial += USE.findall(after)
    a.operands = inputs + initial


def _reduce_arguments(a: Assembly) -> None:
    """``reducer(%a: T, %b: T) (%c: T, %d: T) {``: first all left ones, then all right ones."""
    reducer = re.compile(r"\breducer\s*(?=\()").search(a.mask, a.start, a.end)
    if reducer is None or not a.regions:
        return
    heads = [g for g in a.groups("(") if reducer.end() <= g[0] < a.regions[0].opens]
    pairs = [a.context.arguments(o + 1, c) for o, c in heads]
    pairs = [pair for pair in pairs if len(pair) == 2]
    a.regions[0].arguments = [p[0] for p in pairs] + [p[1] for p in pairs]


def read_custom_call(a: Assembly) -> None:
    """``custom_call @target(%a) {…} : (T) -> T``."""
    read_stablehlo(a)
    target = re.compile(r'@("[^"\n]*"|[\w$.-]+)').search(a.mask, a.start, a.end)
    if target is not None:
        name = a.text[target.start(1) : target.end(1)].strip('"')
        a.put_value("call_target_name", Attribute(name, f'"{name}"'))


def read_element(a: Assembly) -> None:
    """``get_tuple_element %a[0] : …``."""
    read_stablehlo(a)
    groups = a.groups("[")
    if groups:
        a.put("index", f"{a.text[groups[0][0] + 1 : groups[0][1]].strip()} : i32")


def _composite(a: Assembly) -> None:
    read_stablehlo(a)
    found = re.compile(r'\s*+("[^"\n]*")').match(a.mask, a.start, a.end)
    if found is not None:
        a.put("name", a.text[found.start(1) : found.end(1)])


_READERS: dict[str, Callable[[Assembly], None]] = {
    "compare": read_compare,
    "slice": read_slice,
    "convolution": read_convolution,
    "reduce": read_reduce,
    "custom_call": read_custom_call,
    "get_tuple_element": read_element,
    "composite": _composite,
}
STABLEHLO = {f"{d}.{n}": r for d in ("stablehlo", "mhlo") for n, r in _READERS.items()}
