"""Custom assemblies of loops and branches: scf and affine, whose headers bind names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from studio_core.mlir.assembly import USE, Assembly, RegionText
from studio_core.mlir.context import ArgumentText
from studio_core.mlir.records import Type

_PLACE = r"(?:\s*loc\([^()]*\))?"
_BOUND = re.compile(rf"(%[\w$.-]++){_PLACE}\s*(?==(?!=))")
_LIST_OF_BOUND = re.compile(r"\s*+\(([^()]*)\)\s*+(?:=|in\b)")
_CARRIED = re.compile(r"\b(?:iter_args|shared_outs)\s*(?=\()")


def read_loop(a: Assembly) -> None:
    """``%i = %a to %b step %c iter_args(%x = %y) -> (T) : type {…}`` and its parallel kin."""
    braces = a.groups("{")
    region = next((g for g in braces if not _is_dictionary(a, g)), None)
    if region is None:
        a.is_opaque = True
        return
    counters = _counters(a, region[0])
    a.read_types()
    colon = next((c for c in a.statement.colons if c < region[0]), None)
    if not _arrow_before(a, region[0]):
        a.result_types = ()
    kind = a.types_at(colon + 1)[0] if colon else []
    counter_type = kind[0] if kind else a.context.type("index")
    carried = _carried(a, region[0])
    arguments = [ArgumentText(n, counter_type) for n in counters]
    arguments += [
        ArgumentText(n, t) for n, t in zip(carried, _padded(a, len(carried)), strict=True)
    ]
    many = _LIST_OF_BOUND.match(a.mask, a.start, region[0])
    start = many.end() if many else a.start
    a.operands = [
        m.group()
        for m in USE.finditer(a.mask, start, region[0])
        if _BOUND.match(a.mask, m.start()) is None
    ]
    a.operand_types = ()
    a.regions.append(RegionText(*region, arguments))
    for group in braces:
        if group[0] > region[0] and _is_dictionary(a, group):
            a.put_dictionary(*group)


def _is_dictionary(a: Assembly, group: tuple[int, int]) -> bool:
    return re.compile(r"\s*+[\w$.]++\s*(?:=|,)").match(a.mask, group[0] + 1) is not None


def _arrow_before(a: Assembly, position: int) -> bool:
    return any(p < position for p in a.statement.arrows)


def _counters(a: Assembly, end: int) -> list[str]:
    many = _LIST_OF_BOUND.match(a.mask, a.start, end)
    if many is not None:
        return USE.findall(many.group(1))
    one = re.compile(r"\s*+(?:unsigned\s+)?(%[\w$.-]++)" + _PLACE + r"\s*=").match(
        a.mask, a.start, end
    )
    return [one.group(1)] if one else []


def _carried(a: Assembly, end: int) -> list[str]:
    found = _CARRIED.search(a.mask, a.start, end)
    if found is None:
        return []
    return _BOUND.findall(a.mask, found.end(), a.context.source.pairs[found.end()])


def _padded(a: Assembly, count: int) -> Sequence[Type]:
    types = list(a.result_types)[:count]
    return types + [a.context.type("")] * (count - len(types))


def read_while(a: Assembly) -> None:
    """``scf.while (%x = %y) : (T) -> T {…} do {…}`` and ``stablehlo.while(…) : T cond … do …``."""
    braces = a.groups("{")
    for group in braces:
        if a.word_before(group[0]) == "attributes":
            a.put_dictionary(*group)
    regions = [g for g in braces if a.word_before(g[0]) != "attributes"]
    heads = a.groups("(")
    bound = _BOUND.findall(a.mask, a.start, heads[0][1]) if heads else []
    a.operands = [
        m.group()
        for m in USE.finditer(a.mask, a.start, heads[0][1] if heads else a.start)
        if _BOUND.match(a.mask, m.start()) is None
    ]
    _while_types(a, regions[0][0] if regions else a.end)
    types = list(a.operand_types) if len(a.operand_types) == len(bound) else []
    types += [a.context.type("")] * (len(bound) - len(types))
    names = [ArgumentText(n, t) for n, t in zip(bound, types, strict=True)]
    both = a.name != "scf.while"  # there, the second region names its arguments itself
    for number, group in enumerate(regions):
        a.regions.append(RegionText(*group, names if both or number == 0 else []))


def _while_types(a: Assembly, end: int) -> None:
    colon = next((c for c in a.statement.colons if c < end), None)
    if colon is None:
        return
    start = a.context.source.after_blanks(colon + 1)
    arrow = next((p for p in a.statement.arrows if p > colon), None)
    if arrow is not None and a.mask[start] == "(":
        a.operand_types = a.context.types(a.text[start + 1 : a.context.source.pairs[start]])
        a.result_types, _ = a.result_list(arrow + 2)
    else:
        a.operand_types, _ = a.types_at(start)
        a.result_types = a.operand_types


REGIONS: dict[str, Callable[[Assembly], None]] = {
    "scf.for": read_loop,
    "scf.parallel": read_loop,
    "scf.forall": read_loop,
    "affine.for": read_loop,
    "affine.parallel": read_loop,
    "emitc.for": read_loop,
    "scf.while": read_while,
    "stablehlo.while": read_while,
}
