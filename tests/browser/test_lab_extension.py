"""At home in JupyterLab: launcher, double click, a page loaded again, sidebar, notebook."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from studio_core.samples import sample_path

READY = 60_000


@pytest.fixture
def jupyterlab(page, lab):
    """JupyterLab's whole surface, with a model in its file browser."""
    shutil.copy(sample_path("digits_cnn"), lab.root / "digits.onnx")
    page.goto(f"{lab.url}/lab?token={lab.token}&reset")
    page.wait_for_selector(".jp-Launcher", timeout=READY)
    return page


def picture(page, name):
    page.screenshot(path=Path(__file__).parent / "screenshots" / f"{name}.png")


def tab(page, title):
    return page.locator("#jp-main-dock-panel .lm-TabBar-tab", has_text=title)


def test_from_the_launcher_to_the_workbench_of_a_bundled_model(jupyterlab):
    page = jupyterlab
    page.locator(".jp-LauncherCard", has_text="Studio").click()
    card = page.locator(".studio-Card", has_text="Handwritten digits, CNN")
    expect(card).to_contain_text("Residual network")
    picture(page, "home_light")
    page.keyboard.press("Tab")
    card.press("Enter")

    expect(page.locator(".studio-workbench")).to_be_visible(timeout=READY)
    expect(tab(page, "Handwritten digits, CNN")).to_have_count(1)
    tab(page, "Studio").first.click()
    card.click()  # the same tab comes to the front; no second kernel starts
    expect(tab(page, "Handwritten digits, CNN")).to_have_count(1)
    expect(page.locator(".studio-workbench")).to_be_visible()


def test_a_double_click_opens_a_model_and_a_reload_finds_it_as_it_was(jupyterlab):
    page = jupyterlab
    page.locator(".jp-DirListing-item", has_text="digits.onnx").dblclick()
    rows = page.locator(".studio-workbench .studio-tr")
    expect(rows.first).to_be_visible(timeout=READY)
    rows.nth(3).click()
    expect(rows.nth(3)).to_have_attribute("aria-selected", "true")
    chosen = rows.nth(3).text_content()
    picture(page, "document_light")

    page.wait_for_timeout(1500)  # JupyterLab writes its layout a while after a change
    page.reload()
    expect(page.locator(".studio-tr[aria-selected=true]")).to_have_text(chosen, timeout=READY)

    page.get_by_text("Open in a notebook").click()
    cell = page.locator(".jp-Notebook .jp-CodeCell").first
    expect(cell).to_contain_text("studio.open('digits.onnx')", timeout=READY)
    expect(cell).to_contain_text("wb.selected_layer")


def test_the_sidebar_shows_projects_and_opens_them(jupyterlab):
    page = jupyterlab
    page.locator(".jp-SideBar [data-id=studio-sidebar]").click()
    side = page.locator(".studio-Sidebar")
    expect(side).to_contain_text("Projects")
    page.evaluate(
        """async () => {
            const token = document.cookie.match(/_xsrf=([^;]+)/)?.[1] ?? '';
            const projectConfig = { projectName: 'Numbers' };
            const body = JSON.stringify({ modelPath: 'digits.onnx', projectConfig });
            const headers = { 'Content-Type': 'application/json', 'X-XSRFToken': token };
            await fetch('/api/projects', { method: 'POST', body, headers });
        }"""
    )
    page.locator(".jp-SideBar [data-id=studio-sidebar]").click()
    page.locator(".jp-SideBar [data-id=studio-sidebar]").click()
    expect(side).to_contain_text("Numbers")
    side.locator(".studio-Row", has_text="Numbers").click()
    expect(page.locator(".studio-workbench")).to_be_visible(timeout=READY)
    picture(page, "sidebar_light")
