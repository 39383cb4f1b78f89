"""Two plans in a cell, and two runs of a module with their difference on the graph."""

from pathlib import Path

from playwright.sync_api import expect

ROOT = Path(__file__).parents[2]
SETUP = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nimport studio_widgets as studio"

PLANS = """
from studio_core.plan_runs.removal import Removal
from studio_core.plan_runs.request import Sources
from studio_core.plan_runs.solving import Known, PlanRoom
from studio_core.samples import sample_path
from studio_core.session import Session
from studio_widgets._plan_shelf import MemoryShelf

session = Session.open(sample_path("digits_cnn"))
room, shelf = PlanRoom(session, Removal(), Known()), MemoryShelf()
shelf.save(room.judge(session.planner.distribute(0.6)), "mild", "", Sources(None, None))
panel = studio.ComparePanel(session, plans=shelf.plans, room=lambda: room)
panel.plan = session.planner.distribute(0.9)
panel"""

RUNS = """
from tests.widgets.modules import two_layers
ex = studio.explore(two_layers(Path(".")))
ex.run().wait()
ex.edit(next(n.id for n in ex.graph.nodes if "matmul_1" in n.id), "data_type", "bfp_bf4")
ex.run().wait()
ex"""


def _pictures(notebook, page, name, part, height):
    """Light and dark, in a wide cell and in a narrow one; nothing may be cut off."""
    for width in (1100, 600):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(400)
        part.scroll_into_view_if_needed()
        outer = part.bounding_box()
        for inner in part.locator(".studio-grid, .studio-totals, .studio-compare-line").all():
            box = inner.bounding_box()
            assert box is None or box["x"] + box["width"] <= outer["x"] + outer["width"] + 1
        for is_dark in (False, True):
            notebook.set_theme(dark=is_dark)
            notebook.picture(f"{name}_{width}_{'dark' if is_dark else 'light'}")
    notebook.set_theme(dark=False)


def test_two_plans_side_by_side(run_cells, page):
    page.set_viewport_size({"width": 1100, "height": 900})
    notebook = run_cells(SETUP, PLANS, name="compare.ipynb")
    panel = page.locator(".studio-compare")
    table = panel.get_by_role("grid", name="Both sides compared")
    expect(panel.locator(".studio-sides")).to_contain_text("mild v1")
    expect(panel.locator(".studio-totals")).to_contain_text("60.0\u2009% → 90.0\u2009%")
    expect(table).to_have_attribute("aria-rowcount", "15")

    # Sorted by the difference, the largest first; then by keys down to the second row.
    table.get_by_role("columnheader", name="B less A").get_by_role("button").click()
    head = table.get_by_role("columnheader", name="B less A")
    expect(head).to_have_attribute("aria-sort", "descending")
    expect(table.locator("[aria-rowindex='2']")).to_contain_text("+60.0\u2009%")
    table.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    notebook.wait_for("panel.selected_layer == panel.view.table.selected != ''", "True")
    expect(panel.locator(".studio-table-detail")).to_contain_text("→")
    page.keyboard.press("/")
    page.keyboard.type("head")
    expect(panel.locator(".studio-table-count")).to_have_text("3 of 14 layers")
    page.keyboard.press("Escape")
    _pictures(notebook, page, "compare_plans", panel, 900)

    # The sides are turned round by the lists; then the curves of two analyses.
    panel.get_by_label("A", exact=True).select_option("present plan")
    panel.get_by_label("B", exact=True).select_option("mild v1")
    expect(panel.locator(".studio-totals")).to_contain_text("90.0\u2009% → 60.0\u2009%")
    notebook.evaluate(
        "panel.compare_analyses(session.loss, __import__('studio_core.sensitivity', fromlist=['x'])"
        ".estimate_loss(session.layers, metric='magnitude'))"
    )
    chart = panel.locator(".studio-pair-plot")
    expect(chart).to_be_visible()
    chart.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(panel.locator(".studio-pair-readout")).to_contain_text("B less A")
    page.set_viewport_size({"width": 1100, "height": 900})
    chart.scroll_into_view_if_needed()
    notebook.picture("compare_analyses")


def test_two_runs_with_their_difference_on_the_graph(run_cells, page):
    page.set_viewport_size({"width": 1100, "height": 1500})
    notebook = run_cells(f"{SETUP}\nfrom pathlib import Path", RUNS, name="runs.ipynb")
    explorer = page.locator(".studio-explorer")
    runs = explorer.locator(".studio-run-comparison")
    expect(runs.locator(".studio-sides")).to_contain_text("2 · Optimizer Enabled · 1 override")
    table = runs.get_by_role("grid", name="Both sides compared")
    expect(table.locator(".studio-sign[data-mark=changed]")).to_have_count(1)
    runs.get_by_label("colour the graph by the difference").check()
    notebook.wait_for("ex.overlay", "'perf_data_difference'")
    expect(explorer.locator(".studio-graph-legend")).to_contain_text("Time, B less A")

    # The row selects the op in the graph, which says what was asked of it.
    table.locator(".studio-tr", has_text="matmul_1").click()
    notebook.wait_for("'matmul_1' in ex.selected", "True")
    expect(runs.locator(".studio-table-detail")).to_contain_text("data_type bf16 → bfp_bf4")
    runs.get_by_label("Compare by").select_option("Accuracy")
    notebook.wait_for("ex.run_comparison.view.table.quantity", "'accuracy_data'")
    expect(table.get_by_role("columnheader", name="Accuracy A")).to_be_visible()
    runs.get_by_label("Compare by").select_option("Time")
    _pictures(notebook, page, "compare_runs", explorer, 1700)
