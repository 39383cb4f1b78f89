"""Whole journeys in JupyterLab, each with the clicks and keys of a person who has just come."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from playwright.sync_api import expect

from studio_core.samples import module_path

READY = 60_000
PICTURES = Path(__file__).parent / "screenshots"


@pytest.fixture
def jupyterlab(page, lab):
    """JupyterLab's whole surface, as it is after `jupyter lab`."""
    page.set_viewport_size({"width": 1500, "height": 1000})
    page.goto(f"{lab.url}/lab?token={lab.token}&reset")
    page.wait_for_selector(".jp-Launcher", timeout=READY)
    return page


def picture(page, name):
    page.wait_for_timeout(300)
    page.screenshot(path=PICTURES / f"{name}.png")


def open_section(page, title):
    page.locator(".studio-sections-row button", has_text=title).click()


def press(page, text):
    page.locator(
        ".studio-sections-body button:visible", has_text=re.compile(rf"^\s*{text}$")
    ).click()


def test_from_the_launcher_to_a_verified_pruned_model(jupyterlab, lab):
    page = jupyterlab
    page.locator(".jp-LauncherCard", has_text="Studio").click()
    page.locator(".studio-Card", has_text="Handwritten digits, CNN").click()
    rows = page.locator(".studio-workbench .studio-tr")
    expect(rows.first).to_be_visible(timeout=READY)
    words = page.locator(".studio-next-words")
    expect(words).to_contain_text("Next: measure")
    picture(page, "journey_1_opened")

    open_section(page, "Measure")
    press(page, "Measure")
    expect(words).to_contain_text("then verify", timeout=120_000)
    expect(page.locator(".studio-chart-label")).to_contain_text("(measured")
    picture(page, "journey_2_measured")

    # Which layers are fragile: sorted by sensitivity, the worst comes first.
    header = page.locator(".studio-th", has_text="Sensitivity")
    header.click()
    if "ascending" in (header.get_attribute("aria-sort") or ""):
        header.click()
    expect(rows.first).to_contain_text("stem.conv.weight")

    open_section(page, "Goal")
    press(page, "Solve")
    best = re.compile("proven best|within .* of best")
    expect(page.locator(".studio-goal")).to_contain_text(best, timeout=30_000)
    picture(page, "journey_3_goal")

    open_section(page, "Verify")
    press(page, "Verify plan")
    expect(page.locator(".studio-verified")).to_contain_text(" of 296", timeout=60_000)
    verified = re.compile("Next: export|Solve again")
    expect(words).to_contain_text(verified)
    if "Solve again" in words.inner_text():  # together the layers lost more than each alone
        open_section(page, "Goal")
        press(page, "Solve")
        expect(words).to_contain_text("then verify", timeout=30_000)
        open_section(page, "Verify")
        press(page, "Verify plan")
        expect(words).to_contain_text(verified, timeout=60_000)
    picture(page, "journey_4_verified")

    open_section(page, "Export")
    page.get_by_role("button", name="Write pruned model").click()
    expect(page.locator(".studio-export")).to_contain_text("digits_cnn-pruned.onnx", timeout=60_000)
    picture(page, "journey_5_exported")
    (written,) = lab.root.rglob("digits_cnn-pruned.onnx")
    weights = [numpy_helper.to_array(t) for t in onnx.load(written).graph.initializer]
    zeros = sum(np.count_nonzero(w == 0) for w in weights) / sum(w.size for w in weights)
    assert zeros > 0.2


def test_from_a_double_clicked_module_to_an_executed_override(jupyterlab, lab):
    page = jupyterlab
    shutil.copy(module_path("feed_forward"), lab.root / "feed_forward.ttnn")
    page.locator(".jp-DirListing-item", has_text="feed_forward.ttnn").dblclick(timeout=READY)
    explorer = page.locator(".studio-explorer")
    explorer.get_by_role("application").focus(timeout=READY)
    page.keyboard.press("/")
    page.keyboard.type("matmul")
    page.keyboard.press("Enter")
    editor = explorer.locator(".studio-attribute-editor")
    editor.get_by_label("data_type").select_option("bfp_bf8")
    expect(editor).to_contain_text("changed")
    expect(explorer.locator(".studio-sent")).to_contain_text("bfp_bf8")
    picture(page, "journey_module_edited")
    explorer.locator(".studio-run button.studio-primary").click()
    expect(explorer.locator(".studio-run-status")).to_contain_text("done", timeout=READY)
    expect(explorer.locator(".studio-graph-legend")).to_contain_text("Time")
    expect(editor).to_contain_text("applied")
    picture(page, "journey_module_run")

    page.get_by_text("Open in a notebook").click()
    cell = page.locator(".jp-Notebook .jp-CodeCell").first
    expect(cell).to_contain_text("ex.edit(", timeout=READY)
    expect(cell).to_contain_text("'data_type', 'bfp_bf8'")
    expect(cell).to_contain_text("ex.run(")


def make_project(page, name, model="sample:digits_cnn"):
    """A project, by the server's own interface; answers its id."""
    return page.evaluate(
        """async ([modelPath, projectName]) => {
            const token = document.cookie.match(/_xsrf=([^;]+)/)?.[1] ?? '';
            const body = JSON.stringify({ modelPath, projectConfig: { projectName } });
            const headers = { 'Content-Type': 'application/json', 'X-XSRFToken': token };
            const answer = await fetch('/api/projects', { method: 'POST', body, headers });
            return (await answer.json()).projectId;
        }""",
        [model, name],
    )


def open_project(page, name):
    side = page.locator(".studio-Sidebar")
    if not side.is_visible():
        page.locator(".jp-SideBar [data-id=studio-sidebar]").click()
    side.locator("button.studio-Row", has_text=name).first.click(timeout=READY)
    expect(page.locator(".studio-workbench .studio-tr").first).to_be_visible(timeout=READY)


def start_measuring(page, samples):
    open_section(page, "Measure")
    panel = page.locator(".studio-measure")
    panel.get_by_role("spinbutton", name="Samples").fill(str(samples))
    panel.get_by_role("spinbutton", name="Samples").press("Enter")
    press(page, "Measure")
    expect(panel.locator(".studio-run-status")).to_contain_text(" of 140", timeout=READY)


def test_a_page_that_is_loaded_again_finds_the_job_at_work(jupyterlab):
    page = jupyterlab
    make_project(page, "reloaded")
    open_project(page, "reloaded")
    start_measuring(page, 360)
    page.wait_for_timeout(1500)  # JupyterLab writes its layout a while after a change
    page.reload()
    panel = page.locator(".studio-measure")
    expect(panel).to_contain_text("all 140 measured on 360 samples", timeout=120_000)
    expect(page.locator(".studio-chart-label")).to_contain_text("(measured")
    side = page.locator(".studio-Sidebar")
    expect(side).to_contain_text("reloaded")


@pytest.mark.slow
def test_a_server_that_is_started_again_finds_what_was_measured(start_lab, page, watched, tmp_path):
    first = start_lab(tmp_path)
    page.goto(f"{first.url}/lab?token={first.token}&reset")
    page.wait_for_selector(".jp-Launcher", timeout=READY)
    make_project(page, "kept")
    open_project(page, "kept")
    start_measuring(page, 360)
    page.wait_for_timeout(2500)
    first.stop()
    page.goto("about:blank")
    watched.errors.clear()  # the page lost its server, and said so

    again = start_lab(tmp_path)
    page.goto(f"{again.url}/lab?token={again.token}&reset")
    page.wait_for_selector(".jp-Launcher", timeout=READY)
    open_project(page, "kept")
    label = page.locator(".studio-chart-label")
    expect(label).to_contain_text("(measured", timeout=READY)
    open_section(page, "Measure")
    panel = page.locator(".studio-measure")
    resume = panel.locator("button:visible", has_text="Resume")
    running = panel.locator("button:visible", has_text="Cancel")
    done = panel.get_by_text("all 140 measured")
    expect(resume.or_(running).or_(done).first).to_be_visible()
    if resume.is_visible():
        resume.click()
    expect(panel).to_contain_text("all 140 measured on 360 samples", timeout=120_000)


def tab_to(page, is_there, most=80):
    """Press Tab until the focused element answers ``is_there`` (JavaScript) with true."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate(f"(() => {{ const e = document.activeElement; return {is_there}; }})()"):
            return
    raise AssertionError(f"No element reached by Tab with {is_there}")


def test_with_the_keyboard_alone(jupyterlab):
    page = jupyterlab
    tab_to(page, "e.matches('.jp-LauncherCard') && e.textContent.trim() === 'Studio'")
    page.keyboard.press("Enter")
    page.locator(".studio-Card").first.wait_for()
    tab_to(page, "e.classList.contains('studio-Card')")
    page.keyboard.press("Enter")
    rows = page.locator(".studio-workbench .studio-tr")
    expect(rows.first).to_be_visible(timeout=READY)

    tab_to(page, "e.textContent.trim() === 'Measure' && e.tagName === 'BUTTON'")
    page.keyboard.press("Enter")
    tab_to(page, "e.matches('.studio-sections-body button.studio-primary')")
    page.keyboard.press("Enter")
    expect(page.locator(".studio-measure")).to_contain_text("all 140 measured", timeout=120_000)

    tab_to(page, "e.getAttribute('role') === 'grid' || e.closest('.studio-table')")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".studio-tr[aria-selected=true]")).to_have_count(1)
    tab_to(page, "e.getAttribute('aria-label') === 'Average sparsity'")
    before = page.locator(".studio-estimates").inner_text()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".studio-estimates")).not_to_have_text(before)
