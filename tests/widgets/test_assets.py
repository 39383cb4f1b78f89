"""The JavaScript as it is shipped: whole, self-contained, and in step with Python."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import studio_widgets
from studio_widgets import _format
from studio_widgets._assets import css, esm

STATIC = Path(studio_widgets.__file__).parent / "static"
WIDGETS = [
    "comparison_table",
    "curve_pair",
    "copy_button",
    "graph_view",
    "layer_table",
    "number_list",
    "performance_view",
    "sensitivity_chart",
    "trade_off",
]
LARGEST = {"graph_view": 90_000}  # a whole view; every instance brings it along
node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


@pytest.mark.parametrize("name", WIDGETS)
def test_a_widget_is_one_module_without_imports(name: str) -> None:
    text = esm(name)
    assert not re.search(r"^\s*import\b", text, re.MULTILINE)
    assert re.findall(r"^export .*$", text, re.MULTILINE) == ["export default { render };"]
    assert len(text) + len(css(name)) < LARGEST.get(name, 40_000)


@pytest.mark.parametrize("file", sorted(STATIC.iterdir()), ids=lambda f: f.name)
def test_nothing_makes_html_of_names_or_asks_the_network(file: Path) -> None:
    text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    for word in ("innerHTML", "insertAdjacentHTML", "outerHTML", "eval(", "http://", "https://"):
        assert word not in text
    assert "@import" not in text
    assert len(text.splitlines()) <= 400


@node
@pytest.mark.parametrize("name", WIDGETS)
def test_the_joined_module_is_valid(name: str, tmp_path: Path) -> None:
    module = tmp_path / "widget.mjs"
    module.write_text(esm(name), encoding="utf-8")
    subprocess.run(["node", "--check", str(module)], check=True, timeout=30)


@node
def test_both_languages_write_the_same_numbers() -> None:
    counts = [0, 7, 320, 999, 999.7, 9216, 25_557_032, 118_013_952, 4.1e9, None]
    fractions = [0, 0.0001, 0.00095, 0.004, 0.05, 0.8, 1, None]
    script = (
        f"import * as s from {json.dumps((STATIC / '_shared.js').as_uri())};"
        f"console.log(JSON.stringify([{json.dumps(counts)}.map(s.formatCount),"
        f"{json.dumps(fractions)}.map(s.formatFraction)]))"
    )
    run = subprocess.run(
        ["node", "--input-type=module", "-e", script],
        check=True, timeout=30, capture_output=True, text=True,
    )  # fmt: skip
    expected = [[_format.count(v) for v in counts], [_format.fraction(v) for v in fractions]]
    assert json.loads(run.stdout) == expected


def test_long_names_keep_both_ends() -> None:
    assert _format.shortened("encoder.0.attention.query.weight", 22) == "encoder…n.query.weight"
    assert _format.shortened("fc", 22) == "fc"
