"""Custom assemblies of modules, functions, calls and constants."""

from __future__ import annotations

import re
from collections.abc import Callable

from studio_core.mlir.assembly import SYMBOL, Assembly, RegionText
from studio_core.mlir.context import ArgumentText
from studio_core.mlir.records import Attribute, OpaqueValue, Type
from studio_core.mlir.strings import unescaped


def read_module(a: Assembly) -> None:
    """``module @name attributes {…} {…}``; also modules of other dialects."""
    a.put_symbol()
    braces = a.groups("{")
    for opens, closes in braces:
        if a.word_before(opens) == "attributes":
            a.put_dictionary(opens, closes)
    if braces and a.word_before(braces[-1][0]) != "attributes":
        a.regions.append(RegionText(*braces[-1]))
    else:
        raise a.context.source.error(
            a.start, f"'{a.name}' has no region; a '{{' with its operations must follow."
        )


def read_function(a: Assembly) -> None:
    """``func.func private @name(%a: T {…}) -> (T {…}) attributes {…} {…}``."""
    a.put_symbol()
    name = a.symbol()
    signature = next((g for g in a.groups("(") if name and g[0] >= name.end()), None)
    if name is None or signature is None:
        a.is_opaque = True
        return
    arguments = a.context.arguments(signature[0] + 1, signature[1])
    results, after = _results(a, signature[1] + 1)
    a.put_value("function_type", _function_type(arguments, results))
    _put_attributes(a, "arg_attrs", arguments)
    _put_attributes(a, "res_attrs", results)
    for opens, closes in (g for g in a.groups("{") if g[0] >= after):
        if a.word_before(opens) == "attributes":
            a.put_dictionary(opens, closes)
        else:
            a.regions.append(RegionText(opens, closes, arguments))


def _put_attributes(a: Assembly, name: str, items: list[ArgumentText]) -> None:
    """The attributes of all arguments or results, as the generic form lists them."""
    if not any(item.attributes for item in items):
        return
    value = tuple({k: v.value for k, v in item.attributes.items()} for item in items)
    texts = [
        ", ".join(f"{k} = {v.text}" if v.text else k for k, v in item.attributes.items())
        for item in items
    ]
    a.put_value(name, Attribute(value, "[" + ", ".join(f"{{{t}}}" for t in texts) + "]"))


def _results(a: Assembly, position: int) -> tuple[list[ArgumentText], int]:
    arrow = next((p for p in a.statement.arrows if p >= position), None)
    if arrow is None:
        return [], position
    start = a.context.source.after_blanks(arrow + 2)
    if a.mask[start] == "(":
        end = a.context.source.pairs[start]
        return a.context.arguments(start + 1, end), end + 1
    types, end = a.types_at(start)
    return [ArgumentText("", t) for t in types], end


def _function_type(arguments: list[ArgumentText], results: list[ArgumentText]) -> Attribute:
    inputs = ", ".join(x.type.text for x in arguments)
    outputs = ", ".join(x.type.text for x in results)
    if len(results) != 1 or outputs.startswith("("):
        outputs = f"({outputs})"
    kind = Type(f"({inputs}) -> {outputs}")
    return Attribute(kind, kind.text)


def read_call(a: Assembly) -> None:
    """``call @name(%a) {…} : (T) -> T``."""
    a.put_reference("callee")
    a.operands = a.uses(a.start, a.end)
    for opens, closes in a.groups("{"):
        a.put_dictionary(opens, closes)
    a.read_types()


def read_constant(a: Assembly) -> None:
    """``arith.constant {…} value : T``; a lone ``true`` is an i1."""
    start = a.context.source.after_blanks(a.start)
    if a.mask[start] == "{":
        a.put_dictionary(start, a.context.source.pairs[start])
        start = a.context.source.after_blanks(a.context.source.pairs[start] + 1)
    text = a.text[start : a.end].strip()
    if text.startswith("@"):
        a.put_reference("value")
    else:
        a.put("value", text)
    a.read_types()
    value = a.attributes["value"].value
    if not a.result_types and isinstance(value, bool):
        a.result_types = [a.context.type("i1")] * a.num_results
    a.is_opaque = isinstance(value, OpaqueValue) and not value.name


_QUOTED = re.compile(r'\s*+("[^"\n]*")')


def named(attribute: str) -> Callable[[Assembly], None]:
    """A reader of ``op "name"(%a) {…} : (T) -> T``, whose string goes to ``attribute``."""

    def read(a: Assembly) -> None:
        found = _QUOTED.match(a.mask, a.start, a.end)
        if found is None:
            a.is_opaque = True
        else:
            text = a.text[found.start(1) : found.end(1)]
            a.put_value(attribute, Attribute(unescaped(text), text))
        for opens, closes in a.groups("{"):
            a.put_dictionary(opens, closes)
        first = next((o for o, _ in a.groups("{")), a.end)
        a.operands = a.uses(a.start, first)
        a.read_types()

    return read


def read_cached(a: Assembly) -> None:
    """``load_cached(@function, [%a]) : T -> T``"""
    found = SYMBOL.search(a.mask, a.start, a.end)
    if found is not None:
        a.put("callee", a.text[found.start() : found.end()])
    a.operands = a.uses(a.start, a.end)
    for opens, closes in a.groups("{"):
        a.put_dictionary(opens, closes)
    a.read_types()


def symbol_with(attribute: str) -> Callable[[Assembly], None]:
    """A reader of ``op @name = <…>``, whose right side is an attribute named as the operation."""

    def read(a: Assembly) -> None:
        a.put_symbol()
        groups = a.groups("<")
        if groups:
            opens, closes = groups[0]
            a.put(attribute, f"#{a.name}{a.text[opens : closes + 1]}")
        a.is_opaque = not groups

    return read


BUILTIN: dict[str, Callable[[Assembly], None]] = {
    "builtin.module": read_module,
    "ttcore.device_module": read_module,
    "ttcore.cpu_module": read_module,
    "ttcore.device": symbol_with("device_attr"),
    "ttcore.load_cached": read_cached,
    "sdy.mesh": symbol_with("mesh"),
    "func.func": read_function,
    "func.call": read_call,
    "func.constant": read_constant,
    "arith.constant": read_constant,
    "index.constant": read_constant,
    "stablehlo.constant": read_constant,
    "mhlo.constant": read_constant,
    "chlo.constant": read_constant,
    "complex.constant": read_constant,
    "emitc.call_opaque": named("callee"),
    "emitc.verbatim": named("value"),
    "emitc.literal": named("value"),
}
