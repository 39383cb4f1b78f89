"""Whole journeys in JupyterLab, each with the clicks and keys of a person who has just come."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from playwright.sync_api import expect

from studio_core.samples import module_path, sample_path

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
    expect(words).to_contain_text("Solve again")  # together they lose more than each alone
    open_section(page, "Goal")
    press(page, "Solve")
    expect(page.locator(".studio-goal")).to_contain_text(best, timeout=30_000)
    open_section(page, "Verify")
    press(page, "Verify plan")
    expect(page.locator(".studio-verified")).to_contain_text("96", timeout=60_000)
    picture(page, "journey_4_verified")

    open_section(page, "Export")
    page.get_by_role("button", name="Write pruned model").click()
    expect(page.locator(".studio-export")).to_contain_text("digits_cnn-pruned.onnx", timeout=60_000)
    picture(page, "journey_5_exported")
    (written,) = lab.root.rglob("digits_cnn-pruned.onnx")
    weights = [numpy_helper.to_array(t) for t in onnx.load(written).graph.initializer]
    zeros = sum(np.count_nonzero(w == 0) for w in weights) / sum(w.size for w in weights)
    assert zeros > 0.2
