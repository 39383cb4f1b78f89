"""How long a person waits in the browser: opening, a slider's answer, selecting, opening a group.

    python benchmarks/interaction.py

JupyterLab in Chromium, a model of ResNet-50's shape. Beside Studio stands the naive way: a
FloatSlider a layer, a Select, and a Plotly FigureWidget with a curve a layer, over the same core.
The page's own clock runs from the event to the second frame after the change that it brings.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser.conftest import CHROMIUM, CHROMIUM_ARGUMENTS, Lab, Notebook  # noqa: E402

SETUP = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
import ipywidgets, plotly.graph_objects as go
import studio_widgets as studio
from studio_core.session import Session
from studio_core.samples.generated import generate_model
from tests.widgets.graphs import decoder
path = generate_model('resnet50', 'resnet50.onnx')
Session.open(path).loss
go.FigureWidget()
graph = decoder(500)
None
"""
STUDIO = "wb = studio.open(path, project_root='projects'); wb"
GRAPH = "view = studio.GraphView(graph); view"
NAIVE = """
session = Session.open(path)
names = {layer.id: layer.name for layer in session.prunable_layers}
figure = go.FigureWidget(
    [go.Scatter(x=c.sparsities, y=c.losses, name=c.layer_name) for c in session.loss.curves])
pick = ipywidgets.Select(options=[(n, i) for i, n in names.items()])
target = ipywidgets.FloatSlider(value=0.5, max=1.0, step=0.01, description='target')
estimate = ipywidgets.Label(); estimate.add_class('said')
rows = {i: ipywidgets.FloatSlider(max=1.0, step=0.01, description=n) for i, n in names.items()}
def plan(_=None):
    made = session.planner.distribute(target.value)
    for layer_id, row in rows.items():
        row.value = made.sparsities.get(layer_id, 0.0)
    estimate.value = str(session.planner.estimate(made))
def select(_):
    with figure.batch_update():
        for trace, layer_id in zip(figure.data, session.loss.layer_ids):
            trace.line.width = 4 if layer_id == pick.value else 1
target.observe(plan, 'value'); pick.observe(select, 'value'); plan()
box = ipywidgets.VBox([pick, figure, target, estimate, *rows.values()]); box.add_class('naive'); box
"""
WAIT = """async ([watched, act]) => {
    const target = document.querySelector(watched);
    const changed = new Promise(resolve => {
        const observer = new MutationObserver(() => { observer.disconnect(); resolve(); });
        observer.observe(target, { childList: true, characterData: true, subtree: true,
                                   attributes: true });
    });
    const frame = () => new Promise(requestAnimationFrame);
    const start = performance.now();
    (0, eval)(act);
    const late = new Promise((_, no) => setTimeout(() => no(`nothing changed: ${watched}`), 15000));
    await Promise.race([changed, late]); await frame(); await frame();
    return performance.now() - start;
}"""
PICK = """n => { const select = document.querySelector('.naive select');
    select.selectedIndex = n; select.dispatchEvent(new Event('change', { bubbles: true })); }"""
KEY = "new KeyboardEvent('keydown', { key: '%s', bubbles: true, cancelable: true })"


@contextmanager
def opened_page() -> Iterator[tuple[Page, Lab]]:
    if CHROMIUM is None:
        raise SystemExit("No Chromium found. Debian: apt-get install chromium; or set $CHROMIUM.")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        lab = Lab(Path(folder))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        try:
            yield browser.new_page(viewport={"width": 1400, "height": 1350}), lab
        finally:
            browser.close()
            lab.stop()


def notebook_of(page: Page, lab: Lab, *cells: str) -> Notebook:
    notebook = nbformat.v4.new_notebook()
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(notebook, lab.root / "times.ipynb")
    return Notebook(page, lab, "times.ipynb")


def opening(notebook: Notebook, cell: int, ready: str) -> float:
    """Milliseconds from running the cell to what ``ready`` (JavaScript) answers true to."""
    page = notebook.page
    page.evaluate(
        """cell => { const book = window.jupyterapp.shell.currentWidget.content;
            book.activeCellIndex = cell; book.activeCell.outputArea.model.clear(); }""",
        cell,
    )
    start = time.perf_counter()
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-cell'); }")
    page.wait_for_function(ready, timeout=120_000, polling=10)
    took = 1000 * (time.perf_counter() - start)
    notebook.wait_until_idle()
    page.wait_for_timeout(500)
    return took


def waits(page: Page, watched: str, actions: list[str]) -> list[float]:
    found = []
    for act in actions:
        found.append(float(page.evaluate(WAIT, [watched, act])))
        page.wait_for_timeout(250)
    return found


def key(selector: str, name: str) -> str:
    return f"document.querySelector({selector!r}).dispatchEvent({KEY % name})"


def studio_times(notebook: Notebook, rounds: int) -> dict[str, list[float]]:
    page, table = notebook.page, ".studio-workbench .studio-tr:not([hidden])"
    parts = (table, ".studio-estimates", ".studio-layer-row")
    ready = " && ".join(f"document.querySelectorAll({part!r}).length > 0" for part in parts)
    found = {"open": [opening(notebook, 1, ready) for _ in range(rounds)]}
    handle = ".studio-plan-editor .noUi-handle"
    arrows = ["ArrowRight", "ArrowLeft"] * rounds
    moves = [key(handle, name) for name in arrows]
    found["slider"] = waits(page, ".widget-html-content:has(> .studio-estimates)", moves)
    clicks = [
        f"document.querySelectorAll({table!r})[{n % 8}].click()" for n in range(1, 2 * rounds)
    ]
    found["select"] = waits(page, ".studio-plan-editor", clicks)
    return found


def naive_times(notebook: Notebook, rounds: int) -> dict[str, list[float]]:
    page = notebook.page
    ready = (
        "document.querySelectorAll('.naive .widget-hslider').length > 50 && "
        "document.querySelectorAll('.naive .scatterlayer .trace').length > 50"
    )
    found = {"open": [opening(notebook, 2, ready) for _ in range(rounds)]}
    arrows = ["ArrowRight", "ArrowLeft"] * rounds
    moves = [key(".naive .noUi-handle", name) for name in arrows]
    found["slider"] = waits(page, ".naive .said", moves)
    picks = [f"({PICK})({n})" for n in range(1, 2 * rounds)]
    found["select"] = waits(page, ".naive .js-plotly-plot .scatterlayer", picks)
    return found


def graph_times(notebook: Notebook, rounds: int) -> list[float]:
    """Opening and closing a group among 10,005 nodes, by its key."""
    page = notebook.page
    opening(notebook, 3, "document.querySelector('.studio-graph [role=application]') !== null")
    stage = ".studio-graph [role=application]"
    page.locator(stage).focus()
    page.keyboard.press("/")
    page.keyboard.type("layer_7/attention/scores")
    page.keyboard.press("Enter")
    notebook.wait_for("view.selected", "'decoder/layer_7/attention/scores'")
    page.locator(stage).focus()
    page.keyboard.press("Backspace")
    notebook.wait_for("view.selected_group", "'decoder/layer_7/attention'")
    return waits(page, ".studio-graph-said", [key(stage, "Enter")] * (2 * rounds))


def row(what: str, ours: list[float], theirs: list[float] | None) -> str:
    mine = statistics.median(ours)
    if theirs is None:
        return f"| {what} | {mine:.0f} ms | – | – |"
    other = statistics.median(theirs)
    return f"| {what} | {mine:.0f} ms | {other:.0f} ms | {other / mine:.1f}× |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with opened_page() as (page, lab):
        notebook = notebook_of(page, lab, SETUP, STUDIO, NAIVE, GRAPH)
        notebook.wait_until_idle()
        opening(notebook, 0, "true")
        ours, theirs = studio_times(notebook, rounds), naive_times(notebook, rounds)
        group = graph_times(notebook, rounds)
    print("| what | Studio | naive | naive / Studio |\n|---|---|---|---|")
    print(row("open ResNet-50's shape, 54 layers", ours["open"], theirs["open"]))
    print(row("a slider's answer", ours["slider"], theirs["slider"]))
    print(row("selecting a layer", ours["select"], theirs["select"]))
    print(row("opening a group, 10,005 nodes", group, None))


if __name__ == "__main__":
    main()
