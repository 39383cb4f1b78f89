"""axe-core looks at each screen, light and dark, and finds no serious fault.

Only what Studio draws is looked at; the rest of the page is JupyterLab's.
"""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

GRAVE = ("serious", "critical")


def faults(page, context):
    """What axe-core finds grave below ``context``: rule, element, and what to do."""
    options = {"resultTypes": ["violations"]}
    violations = Axe().run(page, context=context, options=options).response["violations"]
    return [
        f"{found['id']}: {node['html'][:160]} {node['failureSummary']}"
        for found in violations
        if found["impact"] in GRAVE
        for node in found["nodes"]
    ]


@pytest.fixture(params=["light", "dark"])
def theme(request):
    return request.param


def test_the_workbench_and_each_of_its_sections(run_cells, page, theme):
    page.set_viewport_size({"width": 1400, "height": 1000})
    notebook = run_cells(
        "import studio_widgets as studio",
        "wb = studio.open_sample('digits_cnn', project_root='projects'); wb",
        name=f"axe-{theme}.ipynb",
    )
    notebook.set_theme(dark=theme == "dark")
    expect(page.locator(".studio-workbench .studio-tr").first).to_be_visible()
    page.locator(".studio-workbench .studio-tr").nth(2).click()
    notebook.evaluate("wb.measure(wb.held_out_data, samples=8, levels=(.5, .9)).wait()")
    notebook.evaluate("wb.verify().wait()")
    found = faults(page, ".studio-workbench")
    for button in page.locator(".studio-sections-row button").all():
        if button.get_attribute("aria-pressed") != "true":
            button.click()
        expect(page.locator(".studio-sections-body")).to_be_visible()
        notebook.evaluate("None")  # the kernel has answered
        page.wait_for_timeout(800)
        found += faults(page, ".studio-sections")
        title = button.inner_text().split()[0].lower()
        page.evaluate("document.querySelector('.studio-sections').scrollIntoView()")
        notebook.picture(f"section_{title}_{theme}")
    notebook.set_theme(dark=False)
    assert not found, "\n".join(sorted(set(found)))


def test_the_explorer(run_cells, page, theme):
    notebook = run_cells(
        "import studio_widgets as studio",
        "ex = studio.explore_sample('feed_forward'); ex",
        name=f"axe-explorer-{theme}.ipynb",
    )
    notebook.set_theme(dark=theme == "dark")
    notebook.evaluate(
        "setattr(ex, 'selected', next(n.id for n in ex.graph.nodes if n.label == 'ttnn.matmul'))"
    )
    notebook.evaluate("ex.run().wait()")
    page.wait_for_timeout(600)
    notebook.picture(f"explorer_run_{theme}")
    found = faults(page, ".studio-explorer")
    notebook.set_theme(dark=False)
    assert not found, "\n".join(sorted(set(found)))


def test_the_start_page_and_the_sidebar(page, lab):
    page.goto(f"{lab.url}/lab?token={lab.token}&reset")
    page.wait_for_selector(".jp-Launcher", timeout=60_000)
    page.locator(".jp-LauncherCard", has_text="Studio").click()
    expect(page.locator(".studio-Card").first).to_be_visible()
    page.locator(".jp-SideBar [data-id=studio-sidebar]").click()
    expect(page.locator(".studio-Sidebar")).to_be_visible()
    found = faults(page, ".studio-Home") + faults(page, ".studio-Sidebar")
    assert not found, "\n".join(sorted(set(found)))
