"""The pages made from code and from texts of the repository, and the check of a finished site."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="needs the extra [docs]")

from site_tools.assemble import REPOSITORY, site_places, with_links
from site_tools.check import faults
from site_tools.python_pages import core_rooms
from site_tools.rest_pages import operations_of, rest_pages, type_text

from studio_server.openapi import as_document


def test_every_operation_of_the_openapi_document_is_in_the_reference() -> None:
    document = as_document()
    pages = rest_pages(document)
    everything = "\n".join(pages.values())
    for operation in operations_of(document):
        assert f"(rest-{operation.fields['operationId']})=" in everything
        assert operation.path in pages["index.md"]
    for name in document["components"]["schemas"]:
        assert f"(schema-{name})=" in pages["schemas.md"]


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"$ref": "#/components/schemas/Plan"}, "[Plan](#schema-Plan)"),
        ({"type": ["number", "null"], "minimum": 0}, "number or null ≥ 0"),
        ({"type": "array", "items": {"type": "string"}}, "list of string"),
        ({"enum": ["a", "b"], "default": "a"}, '`a` `b`, default `"a"`'),
        ({"oneOf": [{"type": "string"}, {"type": "integer"}]}, "string or integer"),
        ({}, "any value"),
    ],
)
def test_types_in_words(schema: dict[str, object], text: str) -> None:
    assert type_text(schema) == text


def test_the_python_reference_has_what_notebooks_and_doors_use() -> None:
    names = {
        f"{module}.{name}"
        for room in core_rooms(REPOSITORY)
        for module, found in room.names.items()
        for name in found
    }
    assert "studio_core.session.Session" in names
    assert "studio_core.plans.solver.Solver" in names
    assert "studio_core.evaluation.data.samples_from" in names
    assert not [name for name in names if name.rsplit(".", 1)[-1].startswith("_")]


def test_links_are_made_to_fit_the_site() -> None:
    places = {
        "docs/a/page.md": "a/page.md",
        "notebooks/one.ipynb": "tutorials/one.ipynb",
        "CHANGELOG.md": "about/changelog.md",
    }
    text = "[n](../../notebooks/one.ipynb#part) [web](https://x.org) [c](../../scripts/docs)"
    expected = "[n](../tutorials/one.ipynb#part) [web](https://x.org) `scripts/docs`"
    assert with_links(text, "docs/a/page.md", places) == expected
    assert with_links("[x](gone.md)", "docs/a/page.md", places) == "[x](gone.md)"
    fenced = "```\n[n](../../notebooks/one.ipynb)\n```\n"
    assert with_links(fenced, "docs/a/page.md", places) == fenced


def test_every_notebook_is_a_tutorial() -> None:
    places = site_places()
    for notebook in (REPOSITORY / "notebooks").glob("*.ipynb"):
        assert places[f"notebooks/{notebook.name}"] == f"tutorials/{notebook.name}"


def test_broken_links_and_other_hosts_are_found(tmp_path: Path) -> None:
    (tmp_path / "good.html").write_text('<p id="here"><a href="#here">a</a></p>')
    assert faults(tmp_path) == []
    (tmp_path / "bad.html").write_text(
        '<a href="gone.html">a</a><a href="good.html#gone">b</a><a href="https://x.org">c</a>'
        '<script src="https://cdn.org/x.js"></script>'
    )
    (tmp_path / "style.css").write_text("@import url(//fonts.org/f.css);")
    assert len(faults(tmp_path)) == 4


def test_indented_blocks_and_tables_of_docstrings_are_literal_and_lists_are_not() -> None:
    from site_tools.docstrings import literal_blocks

    lines = ["A |w|:", "", "    x = 1", "", "    y = 2", "", "- item", "  more", "", "    of it"]
    assert literal_blocks(lines) == [
        *("A \\|w\\|:", "", "::", "", "    x = 1", "", "    y = 2", ""),
        *("- item", "  more", "", "    of it", ""),
    ]
    assert literal_blocks(["a.csv   one", "        two"])[:2] == ["::", ""]
