"""The JavaScript and styles of a widget as one text, since anywidget takes no bundle.

The files in ``static/`` are plain ES modules: an editor, a linter and node can follow
their imports. A browser inside Jupyter could not, having one module and no address to
import from, so `esm` puts the shared file in front and drops the import and export words.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_STATIC = Path(__file__).parent / "static"
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(_\w+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=const |function |class |async )", re.MULTILINE)


@cache
def esm(name: str) -> str:
    """The module of widget ``name`` with every ``_*.js`` file it imports, as one text."""
    return "\n".join(_with_imports(f"{name}.js", seen=set()))


@cache
def css(*names: str) -> str:
    """The tokens that all widgets share, then the styles in the files ``names``."""
    return "".join([_read("_shared.css"), *(_read(f"{name}.css") for name in names)])


def _with_imports(file_name: str, seen: set[str]) -> list[str]:
    seen.add(file_name)
    text = _read(file_name)
    parts: list[str] = []
    for imported in _IMPORT.findall(text):
        if imported not in seen:
            parts += _with_imports(imported, seen)
    return [*parts, _EXPORT.sub("", _IMPORT.sub("", text))]


def _read(file_name: str) -> str:
    return (_STATIC / file_name).read_text(encoding="utf-8")
