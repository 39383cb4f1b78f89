"""Custom assemblies: which reader an operation has, and the one for operations nobody knows."""

from __future__ import annotations

import re
from collections.abc import Callable

from studio_core.mlir.assembly import Assembly, RegionText
from studio_core.mlir.context import ArgumentText
from studio_core.mlir.custom_builtin import BUILTIN, read_function
from studio_core.mlir.custom_regions import REGIONS
from studio_core.mlir.custom_stablehlo import STABLEHLO, read_stablehlo

# Bound by the header of a loop: `%i =`, or `%i : type =` as some dialects write it.
_BINDING = re.compile(
    r"(%[\w$.-]++(?:#\d++)?)"
    r"((?:\s*:\s*[!\w.]+(?:<[^<>=\n]*>)?)?(?:\s*loc\([^()]*\))?\s*=(?!=))?"
)
_ENTRY = re.compile(r'\s*+(?:"[^"\n]*"|[A-Za-z_$][\w$.-]*+)\s*+([=,}])')
_KEYWORD = re.compile(r"(?<![\w%.@#!$])([A-Za-z_]\w*)\s*=\s*+(?!=)")
_SIMPLE = re.compile(
    r"\s*+\(?(?:\s*%[\w$.-]++(?:#\d++)?(?:\[[\s%\w$.,#-]*\])?\s*,?)*+\s*\)?\s*(?:<\{[^{}]*\}>)?\s*(?:\{[^{}]*\})?\s*\Z"
)
_ARGUMENT = re.compile(r"\s*+%[\w$.-]++\s*:")
_TERMINATORS = ("yield", "return", "terminator", "in_parallel", "end", "unreachable")
_ELEMENT_OF = {"memref.load", "affine.load", "tensor.extract", "affine.vector_load"}
_COMPARISONS = {"arith.cmpi", "arith.cmpf", "index.cmp", "emitc.cmp"}
_INDEX = {
    "tensor.dim", "memref.dim", "affine.apply", "affine.min", "affine.max", "tensor.rank",
    "memref.rank", "index.constant", "index.add", "index.sub", "index.mul",
}  # fmt: skip


# Written in words of their own, of which nothing is lost by `harvest`.
_UNDERSTOOD = frozenset((
    "scf.if", "scf.condition", "scf.execute_region", "scf.forall.in_parallel", "emitc.if",
    "cf.br", "cf.cond_br", "arith.cmpi", "arith.cmpf",
))  # fmt: skip
_PREDICATES = {
    "arith.cmpi": ("eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge"),
    "arith.cmpf": (
        "false", "oeq", "ogt", "oge", "olt", "ole", "one", "ord",
        "ueq", "ugt", "uge", "ult", "ule", "une", "uno", "true",
    ),
}  # fmt: skip


def read_custom(assembly: Assembly) -> None:
    """Fill in what the custom assembly of ``assembly.name`` says."""
    name = assembly.name
    reader: Callable[[Assembly], None] | None = (
        BUILTIN.get(name) or STABLEHLO.get(name) or REGIONS.get(name)
    )
    if reader is not None:
        reader(assembly)
    elif name.startswith(("stablehlo.", "mhlo.", "chlo.")):
        read_stablehlo(assembly)
    elif name.endswith(".func"):
        read_function(assembly)
    else:
        harvest(assembly)


def harvest(assembly: Assembly) -> None:
    """What can be seen of an operation whose assembly is not known.

    ``%a, %b {attributes} : types`` is understood in full; anything more sets ``is_opaque``.
    """
    dictionaries, regions = _braces(assembly)
    first = regions[0][0] if regions else assembly.end
    heads = [_head(assembly, opens) for opens, _ in regions]
    covered = [*dictionaries, *regions, *(head for head in heads if head)]
    bound = _operands(assembly, covered)
    for opens, closes in dictionaries:
        assembly.put_dictionary(opens, closes)
    for (opens, closes), head in zip(regions, heads, strict=True):
        arguments = assembly.context.arguments(head[0] + 1, head[1]) if head else []
        assembly.regions.append(RegionText(opens, closes, arguments))
    if bound and assembly.regions:
        known = {a.name for a in assembly.regions[0].arguments}
        extra = [ArgumentText(n, assembly.context.type("")) for n in bound if n not in known]
        assembly.regions[0].arguments[:0] = extra
    _keywords(assembly, first)
    _symbols(assembly)
    assembly.successors = re.findall(r"\^[\w$.-]+", assembly.mask[assembly.start : first])
    assembly.read_types()
    _known_results(assembly)
    colon = assembly.statement.colons[-1] if assembly.statement.colons else assembly.end
    words = assembly.mask[assembly.start : min(colon, assembly.end)]
    _predicate(assembly)
    if assembly.name not in _UNDERSTOOD:
        assembly.is_opaque = bool(regions) or _SIMPLE.match(words) is None


def _braces(a: Assembly) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The outermost braces that hold attributes, and those that hold a region."""
    dictionaries: list[tuple[int, int]] = []
    regions: list[tuple[int, int]] = []
    for opens, closes in a.groups("{"):
        if a.before(opens) == "=":
            continue  # the value of a keyword
        (dictionaries if _is_dictionary(a, opens, closes) else regions).append((opens, closes))
    for opens, closes in a.groups("<"):
        if a.mask[opens + 1] == "{" and a.mask[closes - 1] == "}":
            dictionaries.append((opens + 1, closes - 1))
    for opens, _ in a.groups("("):  # regions in parentheses, as in the generic form
        inner = a.context.source.after_blanks(opens + 1)
        if a.mask[inner] == "{" and not _is_dictionary(a, inner, a.context.source.pairs[inner]):
            regions.append((inner, a.context.source.pairs[inner]))
    return dictionaries, sorted(regions)


def _is_dictionary(a: Assembly, opens: int, closes: int) -> bool:
    found = _ENTRY.match(a.mask, opens + 1, closes + 1)
    if found is None:
        empty = a.context.source.after_blanks(opens + 1) == closes
        word = a.word_before(opens)
        return empty and a.before(opens) != ")" and word not in ("do", "else", "then", "cond")
    name = a.mask[opens + 1 : found.start(1)].strip()
    return found.group(1) != "}" or name.rpartition(".")[2] not in _TERMINATORS


def _operands(a: Assembly, covered: list[tuple[int, int]]) -> list[str]:
    """Collect operands outside of ``covered``; answers the names bound by ``%name =``."""
    bound: list[str] = []
    position = a.start
    for opens, closes in [*sorted(covered), (a.end, a.end)]:
        for found in _BINDING.finditer(a.mask, position, max(opens, position)):
            (bound if found.group(2) else a.operands).append(found.group(1))
        position = max(position, closes)
    return bound


def _head(a: Assembly, opens: int) -> tuple[int, int] | None:
    """The parenthesis with a region's arguments right before it: ``(%x: type, …) {``."""
    head = a.parenthesis_before(opens)
    if head is None or _ARGUMENT.match(a.mask, head[0] + 1, head[1]) is None:
        return None
    return None if a.mask[head[0] - 1].isalnum() else head  # `outs(%x : type) {` holds operands


def _keywords(a: Assembly, first_region: int) -> None:
    """``name = value`` outside of brackets as attributes."""
    position = a.start
    for start, stop in a.gaps():
        position = max(position, start)
        while (found := _KEYWORD.search(a.mask, position, stop)) is not None:
            position = found.end()
            if position >= first_region:
                return
            end = a.value_end(position)
            if end > position and a.mask[position] != "%":
                a.attributes.setdefault(found.group(1), a.context.attribute(a.text[position:end]))
            position = max(end, position)


def _symbols(a: Assembly) -> None:
    if a.symbol() is None:
        return
    last = a.name.rpartition(".")[2]
    if "call" in last or "launch" in last:
        a.put_reference("callee")
    elif not a.num_results and a.mask[a.context.source.after_blanks(a.start)] in '@pn"':
        a.put_symbol()
    else:
        a.put_reference("name" if "global" in last else "symbol")


def _predicate(a: Assembly) -> None:
    """``cmpi slt, …``: the number by which the generic form calls the comparison."""
    word = re.compile(r"\s*+(\w+)").match(a.mask, a.start, a.end)
    known = _PREDICATES.get(a.name, ())
    if word is not None and word.group(1) in known:
        a.put("predicate", f"{known.index(word.group(1))} : i64")


def _known_results(a: Assembly) -> None:
    """Result types that the assembly leaves unsaid."""
    if a.name in _INDEX and a.num_results:
        a.result_types = [a.context.type("index")] * a.num_results
    elif a.name in _ELEMENT_OF and a.operand_types:
        a.result_types = [a.context.element_of(a.operand_types[0])]
    elif a.name in _COMPARISONS and a.result_types and not a.statement.arrows:
        a.result_types = [a.context.with_element(a.result_types[0], "i1")]
