"""What the pages show is what happens: their Python runs, their commands and addresses exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from textwrap import dedent

import pytest
from site_tools.snippets import Snippet, matches, run_page, snippets_of, with_outputs

from studio_cli.parser import make_parser
from studio_server.openapi import as_document

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "index.md", *sorted((DOCS / "how-to").glob("*.md"))]
WITH_PYTHON = [
    page
    for page in PAGES
    if any(s.language == "python" and not s.mark for s in snippets_of(page.read_text("utf-8")))
]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.stem)
def test_the_python_of_a_page_prints_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for ran in run_page(text, tmp_path, slow=False, console=False):
        place = f"{page.name}:{ran.snippet.line(text)}"
        assert not ran.is_failed, f"{place} raised:\n{ran.output}"
        assert ran.agrees, f"{place} printed:\n{ran.output}\nThe page shows:\n{ran.snippet.output}"


def _commands() -> list[tuple[str, str]]:
    """Every command of the pages, with its page."""
    return [
        (page.stem, snippet.code)
        for page in PAGES
        for snippet in snippets_of(page.read_text(encoding="utf-8"))
        if snippet.language == "console"
    ]


STUDIO_COMMANDS = [
    (page, part.strip())
    for page, code in _commands()
    for part in re.split(r"\||;|&&", code)
    if part.strip().startswith("studio ")
]


@pytest.mark.parametrize(("page", "command"), STUDIO_COMMANDS)
def test_the_command_line_knows_every_command_of_the_pages(page: str, command: str) -> None:
    words = shlex.split(command.split(" > ")[0].split(" 2>")[0])[1:]
    assert make_parser().parse_args(words).run is not None


def test_every_address_of_the_pages_is_in_the_openapi_document() -> None:
    code = "\n".join(code for _, code in _commands())
    shown = {address.rstrip("/") for address in re.findall(r"\$URL(/api[^\s\"?]*)", code)}
    assert len(shown) > 10
    patterns = [re.sub(r"\{\w+\}", "[^/]+", path) for path in as_document()["paths"]]
    unknown = {a for a in shown if not any(re.fullmatch(p, a) for p in patterns)}
    assert not unknown


def test_snippets_of_a_page_with_outputs_marks_and_continued_commands() -> None:
    page = dedent(
        """\
        ```python
        print(1)
        ```

        ```text
        1
        ```
        words
        <!-- slow: why -->
        ```console
        $ one \\
        > more
        out
        $ two
        ```
        <!-- not run: why -->
        ```python
        boom()
        ```
        """
    )
    python, one, two, skipped = snippets_of(page)
    assert (python.code, python.output, python.mark) == ("print(1)\n", "1\n", "")
    assert (one.code, one.output, one.mark) == ("one \\\nmore\n", "out\n", "slow")
    assert (two.code, two.output) == ("two\n", "")
    assert skipped.mark == "not run"


def test_outputs_agree_up_to_what_the_page_leaves_open() -> None:
    assert matches("a 1.5 ms b\n", "a … b")
    assert matches("line \n\n", "line")
    assert not matches("a\nb", "a")
    assert not matches("a (1)", "a .1.")


def test_the_real_output_takes_the_place_of_a_wrong_one(tmp_path: Path) -> None:
    page = "```python\nprint('new')\n```\n```text\nold\n```\n"
    ran = list(run_page(page, tmp_path, console=False))
    assert with_outputs(page, ran) == page.replace("old", "new")


def test_an_error_of_a_snippet_is_told(tmp_path: Path) -> None:
    (ran,) = run_page("```python\n1 / 0\n```\n", tmp_path, console=False)
    assert ran.is_failed
    assert "ZeroDivisionError" in ran.output


def test_the_line_of_a_snippet() -> None:
    assert Snippet("python", "", None, (4, 4)).line("a\nb\nc") == 3
