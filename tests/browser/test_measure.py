"""Measure and verify as a person does it: buttons pressed, curves that grow, numbers that stand."""

import re

import pytest
from playwright.sync_api import expect

OPEN = [
    "import studio_widgets as studio",
    "wb = studio.open_sample('digits_cnn', project_root='projects'); wb",
]


@pytest.fixture
def notebook(run_cells, page):
    page.set_viewport_size({"width": 1400, "height": 1350})
    return run_cells(*OPEN, name="measure.ipynb")


def known(notebook):
    """How many points are measured."""
    return int(notebook.evaluate("wb.measure_panel._pace.done"))


def opened(page, title):
    page.locator(".studio-sections-row button", has_text=title).click()


def button(page, text):
    buttons = ":is(.studio-sections-body, .studio-curve-source) button:visible"
    return page.locator(buttons, has_text=re.compile(f"^\\s*{text}$"))


def test_measure_cancel_resume_and_verify(notebook, page):
    opened(page, "Measure")
    panel = page.locator(".studio-measure")
    panel.get_by_label("Metric").select_option("accuracy")
    panel.get_by_role("spinbutton", name="Samples").fill("200")
    panel.get_by_role("spinbutton", name="Samples").press("Enter")
    notebook.picture("measure_before")

    button(page, "Measure").click()
    label = page.locator(".studio-chart-label")
    expect(label).to_have_text("accuracy lost (measured, lower is better)")
    expect(panel).to_contain_text(" a second · about ")
    first = known(notebook)
    page.locator(".studio-tr").nth(0).click()
    notebook.picture("measure_running")
    page.wait_for_timeout(600)
    assert known(notebook) > first

    button(page, "Cancel").click()
    expect(panel).to_contain_text("measured are kept")
    kept = known(notebook)
    assert 0 < kept < 140
    assert known(notebook) == kept

    button(page, "Resume").click()
    expect(panel).to_contain_text("all 140 measured on 200 samples", timeout=60_000)
    expect(page.locator(".studio-estimates")).to_contain_text("Predicted loss, accuracy")
    notebook.picture("measure_done")

    opened(page, "Verify")
    button(page, "Verify plan").click()
    table = page.locator(".studio-verified")
    expect(table).to_contain_text("of 160", timeout=30_000)
    notebook.picture("verify_light")
    notebook.set_theme(dark=True)
    notebook.picture("verify_dark")
    notebook.set_theme(dark=False)

    opened(page, "Goal")
    button(page, "Solve").click()
    goal = page.locator(".studio-goal")
    expect(goal).to_contain_text("proven best")
    expect(goal.locator("tr[title]")).to_have_count(14)
    button(page, "Draw").click()
    dots = goal.locator(".studio-trade-dot")
    expect(dots.nth(4)).to_be_visible()
    dots.nth(4).focus()
    dots.nth(4).press("ArrowRight")
    dots.nth(5).press("Enter")
    expect(dots.nth(5)).to_have_attribute("aria-pressed", "true")
    notebook.wait_for("wb.plan == wb.goal_panel.chart.points[5].plan", "True")
    notebook.picture("goal")

    opened(page, "Plans")
    rows = page.locator(".studio-history-row")
    expect(rows).to_have_count(1)  # what was verified
    rows.get_by_placeholder("note").fill("half of it")
    rows.get_by_placeholder("note").press("Enter")
    notebook.wait_for("wb.verified[0].note", "'half of it'")
    button(page, "Use").click()
    notebook.wait_for("wb.plan == wb.verified[0].verification.plan", "True")
    opened(page, "Verify")

    button(page, "estimated").click()
    expect(label).to_contain_text("(estimated")
    expect(page.locator(".studio-estimates")).to_contain_text("Estimated loss")
    notebook.wait_for("wb.curves", "'estimated'")
    page.set_viewport_size({"width": 600, "height": 1900})
    button(page, "measured").click()
    page.locator(".studio-verify").scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    notebook.picture("verify_narrow")
    cell = page.locator(".studio-workbench").bounding_box()
    for part in (".studio-sections", ".studio-verify .studio-verified", ".studio-curve-source"):
        box = page.locator(part).first.bounding_box()
        assert box["x"] + box["width"] <= cell["x"] + cell["width"] + 1, part


IN_PROJECT = [
    "import studio_widgets as studio\nfrom studio_core.samples import sample_path",
    "from studio_core.workbench import Workbench\n"
    "w = Workbench('projects')\n"
    "if not w.store.root.is_dir() or not [p for p in w.projects() if p.name == 'kept']:\n"
    "    w.create_project(sample_path('digits_cnn'), {'projectName': 'kept'})",
    "wb = studio.open('kept', project_root='projects'); wb",
]


def test_a_projects_measurement_outlives_its_kernel(run_cells, page):
    page.set_viewport_size({"width": 1400, "height": 1350})
    notebook = run_cells(*IN_PROJECT, name="kept.ipynb")
    opened(page, "Measure")
    panel = page.locator(".studio-measure")
    panel.get_by_label("Metric").select_option("accuracy")
    panel.get_by_role("spinbutton", name="Samples").fill("200")
    panel.get_by_role("spinbutton", name="Samples").press("Enter")
    button(page, "Measure").click()
    expect(page.locator(".studio-chart-label")).to_contain_text("(measured", timeout=30_000)
    pid = notebook.evaluate("wb.measure_panel._steps.job.pid")
    assert notebook.evaluate("wb.measure_panel.is_complete") == "False"

    page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    notebook.run_all()
    assert notebook.evaluate("wb.measure_panel._steps.job.pid") in (pid, "None")  # None: done
    assert notebook.evaluate("wb.measure_panel._steps.job.attempt") == "1"
    opened(page, "Measure")
    expect(panel).to_contain_text("all 140 measured on 200 samples", timeout=60_000)
    expect(page.locator(".studio-chart-label")).to_contain_text("(measured")
    notebook.picture("measure_reopened")


def test_where_the_time_goes(notebook, page):
    opened(page, "Performance")
    panel = page.locator(".studio-performance")
    panel.get_by_label("Runs").fill("8")
    panel.get_by_label("Runs").press("Enter")
    notebook.evaluate("wb.measure_perf(levels=[0.5, 0.9], iterations=8) and None")
    expect(panel).to_contain_text("all 71 steps measured", timeout=60_000)
    bars = panel.locator("button.studio-perf-bar")
    expect(bars).to_have_count(14)
    bars.first.click()
    expect(bars.first).to_have_attribute("aria-pressed", "true")
    expect(panel.locator(".studio-perf-words").first).to_contain_text("Single weights made zero")
    expect(panel.locator(".studio-perf-line")).to_have_count(3)
    notebook.wait_for("wb.selected_layer != ''", "True")
    notebook.picture("performance")
    panel.get_by_text("show operators").click()
    expect(bars).to_have_count(0)
    expect(panel.locator(".studio-perf-bars")).to_contain_text("layers")
