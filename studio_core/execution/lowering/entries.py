"""Which functions a module has, and which of them is run."""

from __future__ import annotations

from studio_core.errors import NotFoundError
from studio_core.mlir.records import Operation

_NAMES = ("forward", "main")


def functions(module: Operation) -> tuple[Operation, ...]:
    """Functions with a body, in the order of the file."""
    found = (o for o in module.walk() if o.name == "func.func")
    return tuple(f for f in found if any(b.operations for b in f.blocks()))


def entry(module: Operation, name: str | None = None) -> Operation:
    """The function ``name``, or the one that is run when none is named.

    That is a public function named forward or main, else the first public one, else the first.
    Raises `NotFoundError` naming those there are.
    """
    found = functions(module)
    if name is not None:
        for function in found:
            if function.symbol == name:
                return function
        names = ", ".join(f"'{f.symbol}'" for f in found) or "none"
        raise NotFoundError(f"The module has no function '{name}'; it has {names}.")
    public = [f for f in found if _is_public(f)] or list(found)
    if not public:
        raise NotFoundError("The module has no function that could run.")
    named = (f for wanted in _NAMES for f in public if f.symbol == wanted)
    return next(named, public[0])


def _is_public(function: Operation) -> bool:
    attributes = function.attributes
    if "sym_visibility" in attributes and attributes["sym_visibility"].value == "private":
        return False
    kinds = [
        a.text
        for k, a in attributes.items()
        if k.endswith("function_type") and k != "function_type"
    ]
    return not any("const_eval" in text for text in kinds) and "const_eval" not in attributes
