"""A model, a module and a project whose every name is an attack: no script runs, no markup shows.

Each name would set ``window.attacked`` if anything in the page took it for more than text, or
leave an element behind that Studio never makes.
"""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from studio_core.samples import module_path

ROOT = Path(__file__).parents[2]
READY = 60_000
ATTACKS = (
    "<img src=x onerror=window.attacked=1>",
    "<script>window.attacked=2</script>",
    "<svg/onload=window.attacked=3><b class=planted>bold</b>",
    '" onmouseover="window.attacked=4" autofocus onfocus="window.attacked=5',
    "'><iframe srcdoc='<script>parent.attacked=6</script>'></iframe>",
    "<a class=planted href='javascript:window.attacked=7'>here</a>",
    "</style></textarea></title><img src=x onerror=window.attacked=8>",
    "${window.attacked=9}{{constructor.constructor('window.attacked=9')()}}",
    "<details open ontoggle=window.attacked=10><summary>x</summary></details>",
    "![x](x)<math><mtext></form><style>*{display:none}</style>",
    "weight\u202egnp.exe\u2066",
)
PLANTED = (
    "img, iframe, object, embed, script, math, a[href^='javascript'], .planted, [onerror], "
    "[onload], [onmouseover], [onfocus], [ontoggle]"
)
SETUP = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
import studio_widgets as studio
from pathlib import Path
from tests.core.hostile.attacks import named
path = named(Path('.'), {ATTACKS!r})
"""


def assert_unharmed(page, root):
    """No script of a name ran, and nothing below ``root`` is made of a name's markup."""
    assert page.evaluate("window.attacked") is None
    found = page.locator(root).locator(PLANTED)
    assert found.count() == 0, [e.evaluate("e => e.outerHTML")[:200] for e in found.all()]


def hover_over_all(page, selector):
    """Move over what there is, so that tooltips are made too."""
    for place in page.locator(selector).all()[:12]:
        if place.is_visible():
            place.hover()


def test_a_model_in_every_part_of_the_workbench(run_cells, page):
    page.set_viewport_size({"width": 1400, "height": 1500})
    notebook = run_cells(
        SETUP,
        "from studio_core.workbench import Workbench\n"
        f"project = Workbench('hostile').create_project(path, {{'projectName': {ATTACKS[0]!r}}})",
        "wb = studio.open(project.id, project_root='hostile'); wb",
        name="hostile.ipynb",
    )
    root = ".studio-workbench"
    rows = page.locator(f"{root} .studio-tr")
    expect(rows.first).to_contain_text("<img src=x onerror=")
    notebook.evaluate("wb.measure(samples=2, levels=(.5, .9)).wait()")
    notebook.evaluate("wb.measure_perf(levels=(.5,), iterations=2).wait()")
    notebook.evaluate("wb.verify().wait()")
    notebook.evaluate(f"wb.save_plan('plain', {ATTACKS[2]!r})")
    for row in rows.all()[:8]:
        row.click()
        row.hover()
    assert_unharmed(page, root)
    for button in page.locator(".studio-sections-row button").all():
        if button.get_attribute("aria-pressed") != "true":
            button.click()
        page.wait_for_timeout(400)
        hover_over_all(page, ".studio-sections-body button")
        assert_unharmed(page, root)
    page.get_by_role("button", name="Copy as code").click()
    expect(page.locator(".studio-copy pre")).to_be_visible()
    assert_unharmed(page, "body .jp-Notebook .studio")
    notebook.picture("hostile_workbench")


def test_the_graph_of_a_model_and_of_a_module(run_cells, page, lab):
    text = module_path("feed_forward").read_text()
    assert '"up"' in text
    for place, attack in zip(('"up"', '"down"'), ATTACKS, strict=False):
        text = text.replace(place, '"' + attack.replace('"', "'") + '"')
    (lab.root / "hostile.mlir").write_text(text)
    notebook = run_cells(
        SETUP,
        "ex = studio.explore(path); ex",
        "module = studio.explore('hostile.mlir'); module",
        name="hostile_graph.ipynb",
    )
    for view, root in (
        ("ex", ".studio-explorer >> nth=0"),
        ("module", ".studio-explorer >> nth=1"),
    ):
        notebook.evaluate(f"{view}.run().wait()")
        explorer = page.locator(root)
        explorer.scroll_into_view_if_needed()
        explorer.get_by_text("List", exact=True).click()
        for item in explorer.get_by_role("treeitem").all()[:6]:
            item.click()
        assert_unharmed(page, root)
        stage = explorer.get_by_role("application")
        box = stage.bounding_box()
        for x in (0.3, 0.5, 0.7):
            for y in (0.3, 0.5, 0.7):
                page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        assert_unharmed(page, root)
    notebook.picture("hostile_graph")


def test_files_and_projects_in_jupyterlab(page, lab):
    name = "<img src=x onerror=window.attacked=1>.onnx"
    (lab.root / name).write_bytes((ROOT / "studio_core/samples/data/digits_cnn.onnx").read_bytes())
    page.goto(f"{lab.url}/lab?token={lab.token}&reset")
    page.wait_for_selector(".jp-Launcher", timeout=READY)
    page.evaluate(
        """async name => {
            const token = document.cookie.match(/_xsrf=([^;]+)/)?.[1] ?? '';
            const projectConfig = { projectName: '<script>window.attacked=2</script>' };
            const body = JSON.stringify({ modelPath: name, projectConfig });
            const headers = { 'Content-Type': 'application/json', 'X-XSRFToken': token };
            await fetch('/api/projects', { method: 'POST', body, headers });
        }""",
        name,
    )
    page.locator(".jp-DirListing-item", has_text="onerror").first.dblclick()
    expect(page.locator(".studio-workbench .studio-tr").first).to_be_visible(timeout=READY)
    page.locator(".jp-SideBar [data-id=studio-sidebar]").click()
    side = page.locator(".studio-Sidebar")
    expect(side).to_contain_text("<script>window.attacked=2</script>")
    assert_unharmed(page, ".studio-Sidebar")
    assert_unharmed(page, ".studio-Panel")
    side.locator(".studio-Row", has_text="attacked=2").first.click()
    expect(page.locator(".studio-Panel")).to_have_count(2, timeout=READY)
    assert_unharmed(page, ".studio-Panel")
