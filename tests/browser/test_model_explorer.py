"""Model Explorer's own page, opened with a module in one click, with the colours of a run."""

from __future__ import annotations

import json
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from .conftest import SCREENSHOTS

pytestmark = pytest.mark.skipif(
    find_spec("model_explorer") is None, reason="needs the extra model-explorer"
)
MODULE = Path(__file__).parents[1] / "data" / "mlir" / "hw_sharded_chain.mlir"


def command(lab: Any, name: str, path: str) -> Any:
    document = {
        "cmdId": name,
        "extensionId": "tt_adapter",
        "modelPath": path,
        "settings": {},
        "deleteAfterConversion": False,
    }
    request = urllib.request.Request(
        f"{lab.url}/apipost/v1/send_command",
        json.dumps(document).encode(),
        headers={"Authorization": f"token {lab.token}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_a_module_opens_in_the_page_and_shows_its_run(lab: Any, page: Any) -> None:
    (lab.root / "chain.mlir").write_bytes(MODULE.read_bytes())
    page.goto(f"{lab.url}/studio/model-explorer/open?path=chain.mlir&token={lab.token}")
    expect(page.locator("model-graph-visualizer")).to_be_visible(timeout=20_000)
    expect(page.locator("model-graph-visualizer")).to_contain_text("op node count")
    page.screenshot(path=SCREENSHOTS / "model_explorer.png")

    assert command(lab, "execute", "chain.mlir") == {"graphs": []}
    deadline = time.monotonic() + 60
    while not (status := command(lab, "status_check", "chain.mlir")["graphs"][0])["isDone"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert "error" not in status, status
    page.goto(f"{lab.url}/studio/model-explorer/open?path=chain.mlir")
    expect(page.get_by_text("chain.mlir - Execution").first).to_be_visible(timeout=20_000)
    expect(page.get_by_text("perf_data").first).to_be_visible(timeout=20_000)
    page.wait_for_timeout(500)  # the picture only: the graph fades in
    page.screenshot(path=SCREENSHOTS / "model_explorer_executed.png")
