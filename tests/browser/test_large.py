"""A model of five thousand layers in the workbench: scrolled, searched, selected, planned."""

from __future__ import annotations

from playwright.sync_api import expect

OPEN = [
    "import studio_widgets as studio",
    "from studio_core.samples.generated import generate_model\n"
    "path = generate_model('many_layers', 'many.onnx', num_layers=5000, width=8)",
    "wb = studio.open(path, project_root='projects'); wb",
]


def name_of(notebook, place):
    return notebook.evaluate(f"wb.layers[{place}].name").strip("'")


def test_five_thousand_layers(run_cells, page):
    page.set_viewport_size({"width": 1400, "height": 1350})
    notebook = run_cells(*OPEN, name="large.ipynb")
    count = int(notebook.evaluate("len(wb.layers)"))
    assert count >= 5000
    table = page.locator(".studio-workbench .studio-table").first
    rows = page.locator(".studio-workbench .studio-tr")
    expect(rows.first).to_be_visible()
    assert rows.count() < 60  # only those in view are in the page

    # To the end and back, by keyboard.
    rows.first.click()
    page.keyboard.press("End")
    shown = page.locator(".studio-workbench .studio-tr:not([hidden])")
    expect(shown.filter(has_text=name_of(notebook, -1))).to_be_visible()
    page.keyboard.press("Home")
    expect(shown.filter(has_text=name_of(notebook, 0))).to_be_visible()

    wanted = name_of(notebook, 4321)
    search = page.locator(".studio-workbench input[type=search]").first
    search.fill(wanted)
    expect(shown).to_have_count(1)
    shown.first.click()
    notebook.wait_for("wb.selected_layer == wb.layers[4321].id", "True")
    expect(page.locator(".studio-chart")).to_contain_text(wanted)
    expect(page.locator(".studio-plan-editor")).to_contain_text(wanted)
    notebook.picture("large_selected")
    search.fill("")

    estimates = page.locator(".studio-estimates")
    before = estimates.inner_text()
    slider = page.locator(".studio-plan-editor .noUi-handle").first
    slider.focus()
    for _ in range(5):
        slider.press("ArrowRight")
    expect(estimates).not_to_have_text(before)
    table.scroll_into_view_if_needed()

    for title in ("Findings", "Charts", "Compare"):
        page.locator(".studio-sections-row button", has_text=title).click()
        notebook.evaluate("None")
        expect(page.locator(".studio-sections-body")).to_be_visible()
    notebook.evaluate("wb.save_plan('kept')")
    notebook.evaluate("wb.compare_panel.refresh()")
    expect(page.locator(".studio-compare .studio-tr").first).to_be_visible(timeout=30_000)
    page.locator(".studio-sections-row button", has_text="Charts").click()
    expect(page.locator(".studio-sections-body .js-plotly-plot")).to_be_visible(timeout=30_000)
    page.wait_for_timeout(1500)
    # Drawn a second time, it still has the theme's colours and not those of Plotly.
    plot = page.locator(".studio-sections-body .js-plotly-plot")
    html = plot.inner_html()
    assert "rgb(31, 119, 180)" not in html and "rgb(255, 127, 14)" not in html
    notebook.picture("large_charts")
