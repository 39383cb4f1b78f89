"""The Python reference: a page a room, with the names that somebody outside of the room uses.

That is what public means in this code base: a name that another room, a door or a notebook
imports, or that a package lists in ``__all__``.
"""

from __future__ import annotations

import ast
import importlib
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType

from sphinx.pycode import ModuleAnalyzer

CORE = "studio_core"
WIDGETS = "studio_widgets"
PACKAGES = (CORE, WIDGETS, "studio_server", "studio_cli", "studio_model_explorer")
MOST_OF_A_VALUE = 70


@dataclass(frozen=True)
class Room:
    """A room of the core: its module's name, and public names by the module that defines them."""

    name: str
    names: dict[str, list[str]]

    @property
    def title(self) -> str:
        return self.name


def python_pages(repository: Path) -> dict[str, str]:
    """File names of the reference's pages with their reStructuredText."""
    rooms = core_rooms(repository)
    pages = {f"{room.name}.rst": _page(room.title, room.name, room.names) for room in rooms}
    widgets = importlib.import_module(WIDGETS)
    pages[f"{WIDGETS}.rst"] = _page(WIDGETS, WIDGETS, _grouped(WIDGETS, set(widgets.__all__)))
    return pages


def core_rooms(repository: Path) -> list[Room]:
    """The rooms of the core from the ground up, those that nobody uses from outside left out."""
    used = _names_used(repository)
    rooms = []
    for name in _rooms_in_order(repository):
        full = f"{CORE}.{name}"
        wanted = {m: names for m, names in used.items() if m == full or m.startswith(f"{full}.")}
        names = _defined(full, wanted)
        if names:
            rooms.append(Room(full, names))
    return rooms


def _rooms_in_order(repository: Path) -> list[str]:
    """The rooms as the table of the architecture test has them."""
    tree = ast.parse((repository / "tests/test_architecture.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ROOMS":
            return list(ast.literal_eval(node.value))
    raise LookupError("tests/test_architecture.py has no table ROOMS.")


def _names_used(repository: Path) -> dict[str, set[str]]:
    """Names of core by the module from which somebody outside of their room imports them."""
    used: dict[str, set[str]] = defaultdict(set)
    for importer, source in _sources(repository):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(CORE):
                module = str(node.module)
                if _room_of(module) != _room_of(importer):
                    used[module].update(alias.name for alias in node.names)
    return used


def _sources(repository: Path) -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for path in sorted((repository / package).rglob("*.py")):
            parts = path.relative_to(repository).with_suffix("").parts
            yield ".".join(parts), path.read_text(encoding="utf-8")
    for path in sorted((repository / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        for cell in cells:
            if cell["cell_type"] == "code":
                yield path.stem, "".join(cell["source"])


def _room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if parts[0] == CORE and len(parts) > 1 else parts[0]


def _defined(room: str, wanted: dict[str, set[str]]) -> dict[str, list[str]]:
    """The names used and those of ``__all__``, by the module of the room that defines them."""
    names: dict[str, list[str]] = {}
    listed = set(getattr(importlib.import_module(room), "__all__", ()))
    for module, some in sorted({**wanted, room: wanted.get(room, set()) | listed}.items()):
        for home, found in _grouped(module, some).items():
            if home == room or home.startswith(f"{room}."):
                names[home] = sorted({*names.get(home, ()), *found})
    return names


def _grouped(module: str, names: set[str]) -> dict[str, list[str]]:
    """``names`` of ``module`` by the module in whose source they stand."""
    loaded = importlib.import_module(module)
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        found = getattr(loaded, name, None)
        if found is not None and not isinstance(found, ModuleType):
            groups[_home(found, module, name)].append(name)
    return dict(groups)


def _home(found: object, module: str, name: str) -> str:
    """The module of Studio that defines ``found`` as ``name``, else ``module``."""
    home = getattr(found, "__module__", None)
    if not isinstance(home, str) or not home.startswith(module.split(".")[0]):
        return module
    return home if getattr(importlib.import_module(home), name, None) is found else module


def _page(title: str, package: str, names: dict[str, list[str]]) -> str:
    lines = [title, "=" * len(title), ""]
    if package not in names:
        lines += _module(package)
    for module in sorted(names):
        if module != package:
            lines += [module, "-" * len(module), ""]
        lines += _module(module)
        links = (f":py:obj:`~{module}.{name}`" for name in names[module])
        lines += [" · ".join(links), ""] if len(names[module]) > 1 else []
        for name in names[module]:
            lines += _entry(module, name)
    return "\n".join(lines) + "\n"


def _module(module: str) -> list[str]:
    return [f".. automodule:: {module}", "   :no-members:", ""]


def _entry(module: str, name: str) -> list[str]:
    found = getattr(importlib.import_module(module), name)
    if isinstance(found, type) and found.__name__ == name:
        kind = "autoexception" if issubclass(found, BaseException) else "autoclass"
        return [f".. {kind}:: {module}.{name}", ""]
    if isinstance(found, FunctionType):
        return [f".. autofunction:: {module}.{name}", ""]
    if ("", name) in ModuleAnalyzer.for_module(module).find_attr_docs():
        return [f".. autodata:: {module}.{name}", "   :no-value:", ""]
    return [f".. py:data:: {name}", f"   :value: {_short(found)}", ""]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MOST_OF_A_VALUE else text[:MOST_OF_A_VALUE] + " …"
