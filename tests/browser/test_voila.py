"""Voila shows the first notebook without its code, the widgets alive."""

import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "01_open_a_model.ipynb"


@pytest.fixture
def voila_url(chromium, tmp_path, free_port, start_server):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        *(sys.executable, "-m", "voila", str(NOTEBOOK), "--no-browser"),
        *(f"--port={port}", "--Voila.ip=127.0.0.1"),
    ]
    start_server(command, f"{url}/static/", tmp_path)
    return url


def test_the_first_notebook_in_voila(voila_url, page, watched):
    page.goto(voila_url, timeout=120_000)
    workbench = page.locator(".studio-workbench")
    expect(workbench.locator(".studio-tr").first).to_be_visible(timeout=120_000)
    estimates = workbench.locator(".studio-estimates")
    before = estimates.inner_text()
    slider = workbench.locator(".studio-plan-editor .noUi-handle").first
    slider.focus()
    slider.press("ArrowLeft")
    expect(estimates).not_to_have_text(before)
    # Voila's own page asks a content network for icons; refused, it works without them.
    refused = [url for url in watched.outside if "fontawesome" in url]
    watched.outside[:] = [url for url in watched.outside if url not in refused]
    failed = [error for error in watched.errors if "ERR_FAILED" in error]
    assert len(failed) <= len(refused)
    watched.errors[:] = [error for error in watched.errors if error not in failed]
