"""Studio's adapter in Model Explorer's own server: found, and the same graphs."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio_core.explorer.conversion import converted
from studio_core.samples import sample_path

pytest.importorskip("model_explorer", reason="needs the extra model-explorer")

DATA = Path(__file__).parents[1] / "data" / "mlir"
SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "mlir"

# Its own check for a newer version asks another host; without a proxy it would hang.
START = """
import sys
import model_explorer.server as server
server._check_new_version = lambda *_: {}
server.start("127.0.0.1", int(sys.argv[1]), no_open_in_browser=True, skip_health_check=True,
             extensions=["studio_model_explorer"])
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Model Explorer's server, as `model-explorer --extensions=studio_model_explorer` starts it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", START, str(port)], stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + 60
        while not _is_healthy(f"http://127.0.0.1:{port}"):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/check_health", timeout=2) as answer:
            return bool(answer.read() == b"model_explorer_ok")
    except (urllib.error.URLError, OSError):
        return False


def ask(url: str, path: Path | str, command: str = "convert") -> Any:
    document = {
        "cmdId": command,
        "extensionId": "studio",
        "modelPath": str(path),
        "settings": {},
        "deleteAfterConversion": False,
    }
    request = urllib.request.Request(
        f"{url}/apipost/v1/send_command",
        json.dumps(document).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def without_nothing(value: Any) -> Any:
    """Without what Model Explorer's own records have and nobody set."""
    if isinstance(value, dict):
        return {k: without_nothing(v) for k, v in value.items() if v is not None}
    return [without_nothing(v) for v in value] if isinstance(value, list) else value


def test_the_server_finds_the_adapter(url: str) -> None:
    with urllib.request.urlopen(f"{url}/api/v1/get_extensions", timeout=30) as answer:
        [studio] = [e for e in json.load(answer) if e["id"] == "studio"]
    assert studio["fileExts"] == ["mlir", "ttir", "ttnn", "onnx"]
    assert studio["type"] == "adapter"


@pytest.mark.parametrize("suffix", [".mlir", ".ttir", ".ttnn"])
def test_its_graphs_are_those_of_studios_server(url: str, tmp_path: Path, suffix: str) -> None:
    path = Path(shutil.copy(DATA / "hw_overridable.mlir", tmp_path / f"module{suffix}"))
    answer = without_nothing(ask(url, path))
    assert answer == json.loads(json.dumps(converted(path)))
    attributes = [a for node in answer["graphs"][0]["nodes"] for a in node["attrs"]]
    assert any("editable" in a for a in attributes)
    assert any(a.get("display_type") == "memory" for a in attributes)


def test_an_onnx_model_and_a_folder(url: str, tmp_path: Path) -> None:
    model = Path(shutil.copy(sample_path("digits_cnn"), tmp_path / "net.onnx"))
    shutil.copy(DATA / "graph_several.mlir", tmp_path)
    assert without_nothing(ask(url, model)) == json.loads(json.dumps(converted(model)))
    found = without_nothing(ask(url, tmp_path))["graphCollections"]
    wanted = json.loads(json.dumps(converted(tmp_path)))["graphCollections"]
    # The server adds how the graphs are sorted.
    assert [(c["label"], c["graphs"]) for c in found] == [(c["label"], c["graphs"]) for c in wanted]
    assert {c["label"] for c in found} == {"net.onnx", "graph_several.mlir"}


def test_an_error_comes_as_the_server_tells_errors(url: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.mlir"
    path.write_text("module {", encoding="utf-8")
    assert ask(url, path)["error"].startswith("MlirSyntaxError: ")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared modules are not here")
def test_every_shared_module_is_taken(url: str) -> None:
    for path in sorted(SHARED.glob("*.mlir")):
        answer = ask(url, path)
        assert answer.get("graphs"), (path.name, answer)
