"""A Studio server in a process of its own, as a person starts it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TOKEN = "a-token-for-tests"
START = "import sys; from studio_server.app import main; sys.exit(main())"


@dataclass(frozen=True)
class LiveServer:
    url: str
    root_dir: Path
    project_root: Path
    log: Path


@contextmanager
def live_server(
    folder: Path, *arguments: str, start: str = START, project_root: Path | None = None
) -> Iterator[LiveServer]:
    """``jupyter studio --project-root …`` below the base URL ``/prefix/``, until the block ends."""
    root_dir, log = folder / "root", folder / "server.log"
    project_root = project_root or folder / "projects"
    root_dir.mkdir()
    port = _free_port()
    command = [
        *(sys.executable, "-c", start, f"--project-root={project_root}", "--no-browser"),
        *(f"--port={port}", "--ServerApp.port_retries=0", "--allow-root"),
        *(f"--ServerApp.root_dir={root_dir}", "--ServerApp.base_url=/prefix/"),
        *(f"--IdentityProvider.token={TOKEN}", *arguments),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=_environment(folder), stdout=output, stderr=output)
        try:
            server = LiveServer(f"http://127.0.0.1:{port}/prefix", root_dir, project_root, log)
            _wait_for(server, process)
            yield server
        finally:
            process.terminate()
            process.wait(timeout=20)


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of the person's own settings, and nothing written into their home."""
    isolated = {f"JUPYTER_{n}_DIR": str(folder / n.lower()) for n in ("CONFIG", "DATA", "RUNTIME")}
    repository = Path(__file__).parents[2]
    return {**os.environ, **isolated, "HOME": str(folder), "PYTHONPATH": str(repository)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(server: LiveServer, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            request = urllib.request.Request(
                f"{server.url}/api/studio", headers={"Authorization": f"token {TOKEN}"}
            )
            urllib.request.urlopen(request, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"The server did not start:\n{server.log.read_text()}")
