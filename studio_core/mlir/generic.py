"""The generic assembly, which any operation of any dialect can be written in.

``%0 = "dialect.name"(%a)[^successor]<{properties}>({regions}) {attributes} : (T) -> T loc(…)``
"""

from __future__ import annotations

import re

from studio_core.mlir.assembly import Assembly, RegionText
from studio_core.mlir.context import Context
from studio_core.mlir.source import ARROW, Source
from studio_core.mlir.statements import Statement

_LABEL = re.compile(r"\^[\w$.-]++")
_LOCATION = re.compile(r"loc\s*(?=\()")


def read_generic(context: Context, quote: int, limit: int, num_results: int) -> Assembly:
    """The operation whose quoted name begins at ``quote``; raises `MlirSyntaxError`."""
    source, mask, pairs = context.source, context.source.mask, context.source.pairs
    after = source.after_blanks
    end = mask.index('"', quote + 1)
    name = source.text[quote + 1 : end]
    a = Assembly(context, name, Statement(end + 1), end + 1, limit, num_results, is_generic=True)
    position = _expect(source, after(end + 1), "(", "the operands in parentheses")
    a.operands = a.uses(position, pairs[position])
    position = after(pairs[position] + 1)
    if mask.startswith("[", position):
        a.successors = _LABEL.findall(mask, position, pairs[position])
        position = after(pairs[position] + 1)
    if mask.startswith("<", position) and position in pairs:
        inner = after(position + 1)
        if mask[inner] == "{":
            a.put_dictionary(inner, pairs[inner])
        position = after(pairs[position] + 1)
    if mask.startswith("(", position):
        _regions(a, position)
        position = after(pairs[position] + 1)
    if mask.startswith("{", position):
        a.put_dictionary(position, pairs[position])
        position = after(pairs[position] + 1)
    position = after(_expect(source, position, ":", "a ':' and the operation's type") + 1)
    a.end = a.full_end = _types(a, position)
    _location(a, limit)
    return a


def _location(a: Assembly, limit: int) -> None:
    source = a.context.source
    found = _LOCATION.match(source.mask, source.after_blanks(a.end), limit)
    if found is not None:
        a.location_start = found.start()
        a.full_end = source.pairs[found.end()] + 1


def _regions(a: Assembly, position: int) -> None:
    source = a.context.source
    last = source.pairs[position]
    position = source.after_blanks(position + 1)
    while position < last:
        _expect(source, position, "{", "a region in braces")
        closes = source.pairs[position]
        a.regions.append(RegionText(position, closes))
        position = source.after_blanks(closes + 1)
        if source.mask[position] == ",":
            position = source.after_blanks(position + 1)


def _types(a: Assembly, position: int) -> int:
    source, context = a.context.source, a.context
    opens = _expect(source, position, "(", "the operand types in parentheses")
    closes = source.pairs[opens]
    a.operand_types = context.types(source.text[opens + 1 : closes])
    if len(a.operand_types) != len(a.operands):
        raise source.error(
            opens,
            f"'{a.name}' has {len(a.operands)} operands but {len(a.operand_types)} operand "
            "types; give each operand its type.",
        )
    arrow = _expect(source, source.after_blanks(closes + 1), ARROW, "'->' and the result types")
    position = source.after_blanks(arrow + 2)
    end = _result_types(a, position)
    if a.num_results and a.num_results != len(a.result_types):
        raise source.error(
            position,
            f"'{a.name}' has {len(a.result_types)} result types but names {a.num_results} "
            "results; name each.",
        )
    return end


def _result_types(a: Assembly, position: int) -> int:
    source = a.context.source
    if source.mask.startswith("(", position):
        closes = source.pairs[position]
        a.result_types = a.context.types(source.text[position + 1 : closes])
        return closes + 1
    end = a.context.type_end(position, a.end)
    if end == position:
        raise source.error(position, "A type must follow this '->'.")
    a.result_types = [a.context.type(source.text[position:end])]
    return end


def _expect(source: Source, position: int, token: str, what: str) -> int:
    if not source.mask.startswith(token, position):
        raise source.error(position, f"Here must follow {what}.")
    return position
