"""Names that are an attack, through every writer: each says them as text, or not at all."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from studio_cli.main import main
from studio_core.exports import FORMATS, ExportSource, export
from studio_core.graphs.from_onnx import graph_from_onnx
from studio_core.graphs.model_explorer_json import graph_to_json
from studio_core.jobs.report import shown
from studio_core.plans.plan import PruningPlan
from studio_core.session import Session

from . import attacks

NAMES = tuple(attacks.NAMES.values())
# What steers a terminal or reverses text: C0 but line ends, C1, and Unicode's own controls.
STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return attacks.named(tmp_path_factory.mktemp("named"))


@pytest.fixture(scope="module")
def session(path: Path) -> Session:
    return Session.open(path)


@pytest.fixture(scope="module")
def source(session: Session) -> ExportSource:
    layers = session.prunable_layers
    sparsities = {layer.id: (i + 1) / 20 for i, layer in enumerate(layers)}
    names = {layer.id: layer.name for layer in layers}
    plan = PruningPlan(sparsities, frozenset(), 0.5, None, names)
    return ExportSource(session.model, session.layers, plan)


def test_the_model_has_them_and_runs(session: Session) -> None:
    assert {layer.name for layer in session.layers} == set(NAMES)
    (*_, last) = session.measure(levels=[0.5], samples=1)
    assert last.done == last.total


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_export_is_written_or_refused_in_words(name: str, source: ExportSource) -> None:
    assert export(name, source).content


def test_yaml_reads_back_the_names_and_makes_no_objects(source: ExportSource) -> None:
    """Loaded without constructors: a tag of ours is known, one of an attacker's would raise."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor(
        "!", lambda loader, _suffix, node: loader.construct_mapping(node, deep=True)
    )
    text = export("sparseml", source).content.decode()
    found = set()
    for modifiers in yaml.load(text, Loader).values():
        for modifier in modifiers:
            found |= set(modifier.get("params") or ()) if isinstance(modifier, dict) else set()
    assert set(NAMES) <= found


def test_llm_compressor_targets_are_the_names_and_no_patterns(source: ExportSource) -> None:
    text = export("llm-compressor", source).content.decode()
    assert yaml.safe_load(text)


def test_csv_starts_no_formula_in_any_cell(source: ExportSource) -> None:
    rows = list(csv.reader(io.StringIO(export("csv", source).content.decode(), newline="")))
    assert len(rows) == len(NAMES) + 1 and len({len(row) for row in rows}) == 1
    numbers = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")
    bad = [c for row in rows for c in row if c.startswith(FORMULA) and not numbers.fullmatch(c)]
    assert bad == []


def test_json_is_one_document(source: ExportSource) -> None:
    rows = json.loads(export("json", source).content)["layers"]
    assert {row["name"] for row in rows} == set(NAMES)


def test_code_holds_them_in_strings_only(source: ExportSource) -> None:
    tree = ast.parse(export("pytorch", source).content.decode())
    words = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    words |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    assert not {"system", "os", "evil", "alert", "HYPERLINK"} & words


@pytest.mark.parametrize("command", ["layers", "loss", "perf", "plan"])
def test_a_terminal_is_not_steered(
    command: str, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--sparsity", "0.5"] if command == "plan" else []
    status = main([command, str(path), *more])
    captured = capsys.readouterr()
    assert status == 0, captured.err
    assert STEERING.findall(captured.out) == []
    if command == "layers":
        assert "[bold red]alarm[/bold red]" in captured.out, "markup is text"


def test_an_error_on_a_terminal_is_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("controls", "bidirectional", "rich"):
        text = attacks.NAMES[name].replace("/", "_").replace("\0", "")
        (tmp_path / f"{text}.onnx").write_bytes(b"no model")
        assert main(["layers", str(tmp_path / f"{text}.onnx")]) == 1
        captured = capsys.readouterr()
        assert STEERING.findall(captured.out + captured.err) == []


def test_a_log_line_stays_one_line() -> None:
    for name in NAMES:
        text = shown(f"layer {name}")
        assert "\n" not in text and STEERING.findall(text) == []


def test_graph_documents_are_plain_json(session: Session) -> None:
    document = json.dumps(graph_to_json(graph_from_onnx(session.model, session.layers)))
    assert document.isascii() and json.loads(document)


class _Tags(HTMLParser):
    """Elements and attributes of a page, as a browser would make them of its text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_a_report_shows_them_and_runs_none(session: Session) -> None:
    reports = pytest.importorskip("studio_core.reports.model_report")
    html = pytest.importorskip("studio_core.reports.html")
    page = _Tags()
    page.feed(html.report_html(reports.model_report(session)))
    assert [tag for tag, _ in page.found if tag in ("script", "img", "iframe", "object")] == []
    attributes = [(k, v) for _, given in page.found for k, v in given.items()]
    assert [k for k, _ in attributes if k.startswith("on")] == []
    links = [v for k, v in attributes if k in ("href", "src", "action") and v is not None]
    assert [link for link in links if not link.startswith(("#", "data:image/"))] == []


def test_nothing_was_run_by_reading_them(path: Path, tmp_path: Path) -> None:
    """The names ask for commands; a process that opens and prints them starts none."""
    code = (
        "import sys, os; started = []\n"
        "sys.addaudithook(lambda e, a: started.append(e) if e in "
        "('os.system', 'subprocess.Popen', 'os.exec', 'os.posix_spawn') else None)\n"
        "from studio_core.session import Session\n"
        f"s = Session.open({str(path)!r}); s.layers, s.loss, s.summary\n"
        "assert started == [], started\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
