"""The graph view with ten thousand nodes, and a module edited and run, as a person does it."""

from pathlib import Path

from playwright.sync_api import expect

ROOT = Path(__file__).parents[2]
IMPORTS = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nimport studio_widgets as studio"


def test_a_graph_of_ten_thousand_nodes_by_keyboard(run_cells, page):
    page.set_viewport_size({"width": 1400, "height": 900})
    notebook = run_cells(
        f"{IMPORTS}\nfrom tests.widgets.graphs import decoder",
        "view = studio.GraphView(decoder(500)); view",
        name="graph.ipynb",
    )
    graph = page.locator(".studio-graph")
    stage, said = graph.get_by_role("application"), graph.locator(".studio-graph-said")
    expect(stage).to_have_attribute("aria-label", r"Graph decoder, 10,005 nodes. "
                                    "Arrow keys follow the edges, Enter opens or closes a group, "
                                    "Backspace goes to the group around, slash searches, n goes "
                                    "to the next hit, plus and minus zoom, 0 fits.")  # fmt: skip

    # Search leads into closed groups; what is found there is selected.
    stage.focus()
    stage.press("/")
    page.keyboard.type("layer_7/attention/scores")
    expect(graph.locator(".studio-graph-count")).to_have_text("1 hit")
    page.keyboard.press("Enter")
    expect(said).to_contain_text("in decoder/layer_7/attention")
    notebook.wait_for("view.selected", "'decoder/layer_7/attention/scores'")
    graph.get_by_text(".*", exact=True).click()
    graph.locator("input[type=search]").fill(r"layer_\d+/mlp/up$")
    expect(graph.locator(".studio-graph-count")).to_have_text("500 hits")

    # Arrow keys follow the edges; Backspace and Enter close the group around.
    stage.focus()
    for key, node in (("ArrowDown", "scale"), ("ArrowDown", "softmax"), ("ArrowDown", "mix")):
        stage.press(key)
        notebook.wait_for("view.selected", f"'decoder/layer_7/attention/{node}'")
    expect(said).to_contain_text("2 inputs")
    notebook.picture("graph_light")
    notebook.set_theme(dark=True)
    notebook.picture("graph_dark")
    stage.focus()
    stage.press("Backspace")
    notebook.wait_for("view.selected_group", "'decoder/layer_7/attention'")
    expect(said).to_contain_text("group of 13 nodes, open")
    stage.press("Enter")
    notebook.wait_for("'decoder/layer_7/attention' in view.open_groups", "False")
    expect(said).to_contain_text("closed")

    # All of it, coloured by time.
    graph.get_by_text("Open all").click()
    notebook.wait_for("len(view.open_groups)", "1503")
    graph.get_by_label("Colour the nodes by").select_option("perf_data")
    expect(graph.locator(".studio-graph-legend")).to_contain_text("no value", timeout=20_000)
    graph.get_by_text("List", exact=True).click()
    tree = graph.get_by_role("tree")
    expect(tree.get_by_role("treeitem", selected=True)).to_contain_text("attention")
    assert tree.get_by_role("treeitem").count() < 80
    notebook.picture("graph_list_dark")
    notebook.set_theme(dark=False)
    page.set_viewport_size({"width": 600, "height": 900})
    notebook.picture("graph_narrow")


def test_a_module_is_edited_and_run(run_cells, page, lab):
    page.set_viewport_size({"width": 1400, "height": 1250})
    notebook = run_cells(
        f"{IMPORTS}\nfrom pathlib import Path\nfrom tests.widgets.modules import two_layers",
        "ex = studio.explore(two_layers(Path('.'))); ex",
        name="explore.ipynb",
    )
    explorer = page.locator(".studio-explorer")
    explorer.get_by_role("application").focus()
    page.keyboard.press("/")
    page.keyboard.type("matmul_1")
    page.keyboard.press("Enter")
    editor = explorer.locator(".studio-attribute-editor")
    expect(editor.locator(".studio-attribute-title")).to_have_text("ttnn.matmul")
    bar = editor.get_by_role("meter", name="l1_memory")
    before = float(bar.get_attribute("aria-valuenow") or "nan")
    fits = explorer.locator(".studio-facts .studio-fact", has_text="Fits in L1")
    expect(fits).to_contain_text("yes")
    explorer.scroll_into_view_if_needed()
    notebook.picture("explorer_light")

    # A smaller grid: more of the tensor in each core, until it does not fit.
    rows, columns = editor.get_by_role("group", name="grid_shape").get_by_role("spinbutton").all()
    rows.fill("2")
    rows.press("Enter")
    expect(editor).to_contain_text("changed")
    notebook.wait_for("[dict(o.attributes) for o in ex.overrides]", "[{'grid_shape': '2x8'}]")
    assert float(bar.get_attribute("aria-valuenow") or "nan") > 2 * before
    columns.fill("9")
    columns.press("Enter")
    expect(editor.get_by_role("alert").filter(has_text="axis 1")).to_be_visible()
    expect(columns).to_have_value("8")
    columns.fill("1")
    columns.press("Enter")
    rows.fill("1")
    rows.press("Enter")
    expect(fits.locator(".studio-fact-value")).to_have_text("no")
    expect(explorer.locator(".studio-sent")).to_contain_text("matmul_1=1x1")
    expect(bar).to_have_count(0)  # more than there is: no bar, but the figure
    notebook.picture("explorer_edited")

    notebook.evaluate("ex.edit(ex.selected, 'data_type', 'bfp_bf8')")
    explorer.locator(".studio-run button.studio-primary").click()
    expect(explorer.locator(".studio-run-status")).to_contain_text("done", timeout=30_000)
    expect(explorer.locator(".studio-graph-legend")).to_contain_text("Time")
    notebook.wait_for("ex.overlay", "'perf_data'")
    expect(editor).to_contain_text("applied")
    expect(editor).to_contain_text("rejected")
    expect(explorer.locator(".studio-slow-row")).to_have_count(4)
    explorer.locator(".studio-slow-row button").nth(1).click()
    notebook.wait_for("ex.selected != ''", "True")

    # What was noticed leads to its operation, by keyboard; the report opens in a tab.
    findings = explorer.locator(".studio-findings")
    expect(findings.get_by_role("listitem").first).to_contain_text("Warning")
    expect(findings.get_by_role("status")).to_contain_text("1 warning")
    findings.get_by_role("button", name="Show matmul_1").first.focus()
    page.keyboard.press("Enter")
    notebook.wait_for("'matmul_1' in ex.selected", "True")
    notebook.picture("explorer_run")
    explorer.get_by_role("button", name="Write report").click()
    link = explorer.locator(".studio-report a")
    expect(link).to_have_text("two_layers-report.html")
    explorer.get_by_role("button", name="Write report").click()
    expect(explorer.locator(".studio-report")).to_contain_text("is there already")
    notebook.set_theme(dark=True)
    notebook.picture("explorer_dark")
    notebook.set_theme(dark=False)
    page.set_viewport_size({"width": 640, "height": 1500})
    page.wait_for_timeout(300)
    notebook.picture("explorer_narrow")
    cell = explorer.bounding_box()
    for part in (".studio-graph", ".studio-attribute-editor", ".studio-run"):
        box = explorer.locator(part).first.bounding_box()
        assert box["x"] + box["width"] <= cell["x"] + cell["width"] + 1, part
