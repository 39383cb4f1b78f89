"""The first notebook as a person runs it: cells run, a slider moved, the plan changed."""

from pathlib import Path

from playwright.sync_api import expect

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def planned(page):
    """The planned sparsities in the first workbench's table, as shown."""
    return page.locator(".studio-workbench .studio-tr [data-column=plan]").all_inner_texts()


def test_the_first_notebook_runs_and_the_plan_answers_the_slider(open_notebook, page):
    page.set_viewport_size({"width": 1400, "height": 1350})
    notebook = open_notebook(NOTEBOOKS / "01_open_a_model.ipynb")
    notebook.run_all()

    workbench = page.locator(".studio-workbench")
    expect(workbench).to_have_count(1)
    expect(workbench.locator(".studio-tr").first).to_contain_text("stem.conv.weight")
    workbench.scroll_into_view_if_needed()

    estimates = workbench.locator(".studio-estimates")
    before = estimates.inner_text()
    slider = workbench.locator(".studio-plan-editor .widget-hslider .noUi-handle").first
    slider.focus()
    for _ in range(10):
        slider.press("ArrowLeft")
    expect(estimates).not_to_have_text(before)

    workbench.locator(".studio-tr").nth(3).click()
    expect(workbench.locator(".studio-chart")).to_contain_text("down.conv.weight")
    expect(workbench.locator(".studio-plan-editor")).to_contain_text("down.conv.weight")

    page.evaluate("document.querySelector('.studio-workbench').scrollIntoView()")
    notebook.picture("workbench_light")
    notebook.set_theme(dark=True)
    page.evaluate("document.querySelector('.studio-workbench').scrollIntoView()")
    notebook.picture("workbench_dark")
    notebook.set_theme(dark=False)


def test_what_is_set_by_hand_is_in_python(run_cells, page):
    notebook = run_cells(
        "import studio_widgets as studio",
        "wb = studio.open_sample('digits_cnn', project_root='projects'); wb",
    )
    row = page.locator(".studio-layer-row:visible", has_text="block1.conv1.weight").last
    handle = row.locator(".noUi-handle")
    handle.focus()
    before = float(notebook.evaluate("wb.plan.sparsities[wb.layers[1].id]"))
    handle.press("ArrowRight")
    handle.press("ArrowRight")
    expect(row.locator("input[type=checkbox]")).to_be_checked()
    notebook.wait_for(f"wb.plan.sparsities[wb.layers[1].id] > {before}", "True")
    notebook.wait_for("sorted(wb.plan.locked) == [wb.layers[1].id]", "True")
    notebook.wait_for("round(wb.planner.estimate(wb.plan).sparsity, 3)", "0.5")


def test_two_workbenches_keep_to_themselves(run_cells, page):
    notebook = run_cells(
        "import studio_widgets as studio",
        "one = studio.open_sample('digits_cnn', project_root='projects'); one",
        "two = studio.open_sample('digits_transformer', project_root='projects'); two",
    )
    first, second = page.locator(".studio-workbench").all()
    second.locator(".studio-tr").nth(1).click()
    expect(second.locator(".studio-plan-editor")).to_contain_text("patch.weight")
    notebook.wait_for("two.selected_layer", "'/patch/MatMul_output_0'")
    assert notebook.evaluate("one.selected_layer") == "''"
    expect(first.locator("[aria-selected=true]")).to_have_count(0)


def test_a_narrow_cell_stays_readable(run_cells, page):
    page.set_viewport_size({"width": 700, "height": 1600})
    notebook = run_cells(
        "import studio_widgets as studio",
        "wb = studio.open_sample('digits_cnn', project_root='projects'); wb",
    )
    page.locator(".studio-tr").first.wait_for()
    cell = page.locator(".studio-workbench").bounding_box()
    for part in (".studio-plan-editor", ".studio-chart", ".studio-table"):
        box = page.locator(part).first.bounding_box()
        assert box["x"] + box["width"] <= cell["x"] + cell["width"] + 1, part
    notebook.picture("workbench_narrow")
