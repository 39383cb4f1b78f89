"""Puts the site's pages together in one folder, from which Sphinx makes HTML.

    python -m site_tools.assemble build/site/pages

Pages of ``docs/`` come as they are, notebooks as they are committed, the reference from the
code, and the texts of the repository with their links made to fit.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
NOTEBOOKS = "tutorials"

# Texts of the repository that are pages as well; one that does not exist is left out.
TEXTS = {
    "docs/reliability.md": "about/reliability.md",
    "SECURITY.md": "about/security.md",
    "benchmarks/README.md": "about/benchmarks.md",
    "CONTRIBUTING.md": "about/contributing.md",
    "CHANGELOG.md": "about/changelog.md",
}

# What stands in a notebook's page where JupyterLab draws a widget, if there is the picture.
PICTURES = {
    "WorkbenchView": "images/workbench_light.png",
    "ExplorerView": "images/explorer_light.png",
}

_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def assemble(target: Path) -> None:
    """Write all pages below ``target``, which is emptied first."""
    from site_tools.cli_pages import cli_page
    from site_tools.python_pages import python_pages
    from site_tools.rest_pages import rest_pages
    from studio_cli.parser import make_parser
    from studio_server.openapi import as_document

    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    places = site_places()
    for source, place in places.items():
        _place(REPOSITORY / source, target / place, places)
    (target / "about/index.md").write_text(_about(places), encoding="utf-8")
    reference = target / "reference"
    _write(reference / "rest", rest_pages(as_document()))
    _write(reference, {"command_line.md": cli_page(make_parser())})
    python = python_pages(REPOSITORY)
    _write(reference / "python", {**python, "index.md": _python_index(list(python))})


def site_places() -> dict[str, str]:
    """Files of the repository that are part of the site, with their place on it."""
    places = {source: place for source, place in TEXTS.items() if (REPOSITORY / source).exists()}
    for path in sorted((REPOSITORY / "notebooks").glob("*.ipynb")):
        places[f"notebooks/{path.name}"] = f"{NOTEBOOKS}/{path.name}"
    for path in _own_files():
        source = path.relative_to(REPOSITORY).as_posix()
        places.setdefault(source, source.removeprefix("docs/"))
    return places


def _own_files() -> Iterator[Path]:
    docs = REPOSITORY / "docs"
    for path in sorted(docs.rglob("*")):
        parts = path.relative_to(docs).parts
        if path.is_file() and parts[0] != "site_tools" and "__pycache__" not in parts:
            yield path


def _place(source: Path, place: Path, places: dict[str, str]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    name = source.relative_to(REPOSITORY).as_posix()
    if source.suffix == ".md":
        text = with_links(source.read_text(encoding="utf-8"), name, places)
        place.write_text(text, encoding="utf-8")
    elif source.suffix == ".ipynb":
        notebook = json.loads(source.read_text(encoding="utf-8"))
        place.write_text(json.dumps(_notebook(notebook, places)), encoding="utf-8")
    else:
        shutil.copyfile(source, place)


def with_links(text: str, source: str, places: dict[str, str]) -> str:
    """``text`` of the file ``source`` with its relative links made those of the site.

    A link to a file that is not on the site becomes the file's name; one to nothing is left,
    so that the strict build fails on it.
    """
    parts, end = [], 0
    for fence in _FENCE.finditer(text):
        parts += [_linked(text[end : fence.start()], source, places), fence.group()]
        end = fence.end()
    return "".join([*parts, _linked(text[end:], source, places)])


def _linked(text: str, source: str, places: dict[str, str]) -> str:
    here = PurePosixPath(places[source]).parent

    def one(match: re.Match[str]) -> str:
        mark, label, link, anchor = match.groups()
        if ":" in link:
            return match.group()
        file = os.path.normpath(PurePosixPath(source).parent / link)
        if file in places:
            return f"{mark}[{label}]({os.path.relpath(places[file], here)}{anchor or ''})"
        if f"{file}/README.md" in places:
            return f"{mark}[{label}]({os.path.relpath(places[f'{file}/README.md'], here)})"
        return f"`{file}`" if (REPOSITORY / file).exists() and not mark else match.group()

    return _LINK.sub(one, text)


def _notebook(notebook: dict[str, Any], places: dict[str, str]) -> dict[str, Any]:
    """The notebook with pictures in place of widgets, which need a kernel."""
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        for output in cell["outputs"]:
            data = output.get("data", {})
            shown = "".join(data.get("text/plain", ""))
            if data.pop("application/vnd.jupyter.widget-view+json", None) is not None:
                picture = _picture_of(shown)
                if picture in places.values():
                    data["text/markdown"] = f"![{shown.strip('<>')}](../{picture})"
    return notebook


def _picture_of(shown: str) -> str | None:
    return next((path for name, path in PICTURES.items() if f".{name}>" in shown), None)


def _about(places: dict[str, str]) -> str:
    names = [Path(place).stem for place in places.values() if place.startswith("about/")]
    return "\n".join(["# About", "", "```{toctree}", *names, "```", ""])


def _python_index(pages: list[str]) -> str:
    names = sorted((Path(page).stem for page in pages), key=lambda n: n.startswith("studio_core"))
    return "\n".join(
        [
            "# Python reference",
            "",
            "`studio_widgets` is what a notebook imports; the rooms of `studio_core`, from the",
            "ground up, are what it is made of. Listed is what other parts of Studio or the",
            "notebooks use of a room.",
            "",
            "```{toctree}",
            ":maxdepth: 1",
            *names,
            "```",
            "",
        ]
    )


def _write(folder: Path, pages: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    assemble(Path(sys.argv[1]))
