"""Plain prose docstrings on the site: names in backticks become links where there is a target.

A name that belongs to Studio but has no entry stays text; a name that is nowhere is a broken
reference, and the strict build fails on it.
"""

from __future__ import annotations

import builtins
import importlib
import re
import typing
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref, pending_xref_condition
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform

OURS = ("studio_core", "studio_server", "studio_widgets", "studio_cli", "studio_model_explorer")
_LIST_ITEM = re.compile(r"(?:[-*+]|\d+[.)])\s")
_IDENTIFIER = re.compile(r"[A-Za-z_][\w.]*(?:\(\))?$")
# What tells a name from a word: a capital, an underscore, a dot, a call.
_MARKS = re.compile(r"[A-Z_.(]")
_IN_PROSE = "studio_in_prose"
_ENDINGS = "studio_endings"


def name_role(
    _role: str, rawtext: str, text: str, _lineno: int, inliner: Any, *_: Any
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """`Name` in a docstring: a link to what is called so, else plain code."""
    code = nodes.literal(rawtext, text, classes=["xref", "py"])
    if not _IDENTIFIER.match(text) or not _MARKS.search(text):
        return [code], []
    context = inliner.document.settings.env.ref_context
    where = {"refdomain": "py", "reftype": "obj", "refexplicit": False}
    place = {name: context.get(name) for name in ("py:module", "py:class")}
    target = text.removesuffix("()")
    node = pending_xref(rawtext, code, reftarget=target, refwarn=True, **where, **place)
    node[_IN_PROSE] = True
    return [node], []


def literal_blocks(lines: list[str]) -> list[str]:
    """``lines`` with indented blocks and tables by columns as literal text, lists as they are."""
    answer: list[str] = []
    in_list = in_block = False
    for paragraph in _paragraphs(lines):
        is_indented = paragraph[0].startswith("    ")
        if not is_indented:
            in_list, in_block = bool(_LIST_ITEM.match(paragraph[0])), False
        is_table = not in_list and any(line.startswith("    ") for line in paragraph)
        if is_table and not in_block:
            told = next((line for line in reversed(answer) if line.strip()), "")
            answer += [] if told.rstrip().endswith("::") else ["::", ""]
            in_block = is_indented
        if is_table:
            answer += paragraph if is_indented else [f"    {line}" for line in paragraph]
        else:
            answer += [line.replace("|", "\\|") for line in paragraph]
        answer.append("")
    return answer


def _paragraphs(lines: list[str]) -> Iterator[list[str]]:
    """Runs of lines that are not empty."""
    for is_text, run in groupby(lines, lambda line: bool(line.strip())):
        if is_text:
            yield list(run)


def _prepare(
    _app: Sphinx, _what: str, _name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    lines[:] = literal_blocks(lines)


def is_known(target: str) -> bool:
    """Whether ``target`` names something that can be imported, as ``module.Name.part``."""
    parts = target.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        for part in parts[cut:]:
            fields = getattr(found, "__annotations__", {})
            if not hasattr(found, part) and part not in fields:
                return False
            found = getattr(found, part, None)
        return True
    return False


class OthersNames(SphinxPostTransform):
    """Type hints of other packages and builtins as text, before anybody searches for them."""

    default_priority = 5

    def run(self, **_: object) -> None:
        for node in list(self.document.findall(pending_xref)):
            if node.get("refdomain") == "py" and not node.get(_IN_PROSE):
                target = node["reftarget"].lstrip(".")
                is_dotted = "." in target and not target.startswith(OURS)
                if is_dotted or hasattr(builtins, target) or hasattr(typing, target):
                    node.replace_self(_shown(node))


def _shown(node: pending_xref) -> list[nodes.Node]:
    """What a reference shows once it is resolved: of two forms the short one."""
    for condition in node.findall(pending_xref_condition):
        if condition.get("condition") == "resolved":
            return list(condition.children)
    return list(node.children)


def _elsewhere(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.Element
) -> nodes.Element | None:
    """A link to the entry meant, or text for an inner name of ours; None is a broken reference."""
    if node.get("refdomain") != "py":
        return None
    target, module = node["reftarget"].lstrip("."), node.get("py:module") or ""
    cls = node.get("py:class") or ""
    found = _entry_named(env, target, module)
    if found is not None:
        domain = env.domains.python_domain
        return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", found, node, contnode)
    return contnode if _is_plain(target, module, cls) else None


def _entry_named(env: BuildEnvironment, target: str, module: str) -> str | None:
    """The one entry whose last parts are ``target``, those of the same room first."""
    endings: dict[str, list[str]] = _endings(env)
    suffix = f".{target}"
    entries = [n for n in endings.get(target.rsplit(".", 1)[-1], ()) if f".{n}".endswith(suffix)]
    room = ".".join(module.split(".")[:2]) + "."
    near = [name for name in entries if name.startswith(room)]
    for some in (near, entries):
        if len(some) == 1:
            return some[0]
    return None


def _endings(env: BuildEnvironment) -> dict[str, list[str]]:
    """All entries by their last part, collected once they are all known."""
    known: dict[str, list[str]] | None = getattr(env, _ENDINGS, None)
    if known is None:
        known = {}
        for name in env.domains.python_domain.objects:
            known.setdefault(name.rsplit(".", 1)[-1], []).append(name)
        setattr(env, _ENDINGS, known)
    return known


def _is_plain(target: str, module: str, cls: str) -> bool:
    """Whether a name in backticks that has no entry is real all the same."""
    if target.islower() or hasattr(builtins, target):
        return True
    nearer = (f"{module}.{target}", f"{module}.{cls}.{target}")
    return any(is_known(name) for name in (target, *nearer))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", _prepare)
    app.connect("missing-reference", _elsewhere)
    app.add_post_transform(OthersNames)
    app.add_role("name", name_role)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
