"""JupyterLab in a real browser: an isolated server, and a page that refuses every other host.

The browser is the system's Chromium (Debian: ``apt-get install chromium``), or the one that
``$CHROMIUM`` names. Without one these tests are skipped, but fail in continuous integration.
Pictures go to ``tests/browser/screenshots/``.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
SCREENSHOTS = HERE / "screenshots"

CHROMIUM = next(
    (
        found
        for name in (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
        if name and (found := shutil.which(name))
    ),
    None,
)
CHROMIUM_ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

# No pop-up over the page, every cell in the page, nothing written behind a test's back.
LAB_SETTINGS: dict[str, dict[str, Any]] = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}
ERROR_OUTPUTS = ",".join(
    f".jp-RenderedText[data-mime-type='application/vnd.jupyter.{kind}']"
    for kind in ("stderr", "error")
)


@dataclass
class Watched:
    """What a page did that it should not: requests to other hosts, errors on its console."""

    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def isolated_environment(top: Path) -> dict[str, str]:
    """An environment in which Jupyter finds nobody's settings, and ``~`` is below ``top``."""
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
        "HOME": "home",
    }
    return {**os.environ, **{name: str(top / folder) for name, folder in folders.items()}}


def _start(command: list[str], url: str, top: Path) -> subprocess.Popen[bytes]:
    """Start ``command`` and wait until ``url`` answers; ``top`` is its home and holds its log."""
    (top / "home").mkdir(exist_ok=True)
    log = top / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=isolated_environment(top),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.time() + 90
    while not _answers(url):
        if process.poll() is not None or time.time() > deadline:
            process.kill()
            raise RuntimeError(log.read_text())
        time.sleep(0.1)
    return process


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked ``slow`` run in continuous integration, or where $STUDIO_SLOW is set."""
    if os.environ.get("CI") or os.environ.get("STUDIO_SLOW"):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="slow: runs in CI, or with STUDIO_SLOW=1"))


@pytest.fixture(scope="session")
def chromium() -> str:
    if CHROMIUM is None:
        reason = "No Chromium found. Debian: apt-get install chromium; or set $CHROMIUM."
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return CHROMIUM


class Lab:
    """JupyterLab below ``top``: settings, projects and kernels of its own; `stop` ends it."""

    def __init__(self, top: Path) -> None:
        self.root = top / "root"
        self.root.mkdir(exist_ok=True)
        for plugin, value in LAB_SETTINGS.items():
            package, name = plugin.rsplit(":", 1)
            file = top / "settings" / package / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(value))
        self.token = secrets.token_hex(16)
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            *("--ip=127.0.0.1", f"--port={port}", "--port-retries=0", "--expose-app-in-browser"),
            *(f"--ServerApp.root_dir={self.root}", f"--IdentityProvider.token={self.token}"),
            "--LabApp.extension_manager=readonly",
        ]
        self._process = _start(command, f"{self.url}/api?token={self.token}", top)

    def stop(self) -> None:
        _stop(self._process)


@pytest.fixture(scope="session")
def lab(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab on a free port of this machine."""
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.stop()


@pytest.fixture
def start_lab(chromium: str) -> Iterator[Callable[[Path], Lab]]:
    """Starts JupyterLab below a folder; whatever still runs ends with the test."""
    started: list[Lab] = []

    def start(top: Path) -> Lab:
        started.append(Lab(top))
        return started[-1]

    yield start
    for lab in started:
        lab.stop()


@pytest.fixture
def free_port() -> Callable[[], int]:
    return _free_port


@pytest.fixture
def start_server() -> Iterator[Callable[[list[str], str, Path], None]]:
    """Starts servers that end with the test."""
    started: list[subprocess.Popen[bytes]] = []
    yield lambda command, url, top: started.append(_start(command, url, top))
    for process in started:
        _stop(process)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, headless=True, args=CHROMIUM_ARGUMENTS
        )
        yield browser
        browser.close()


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def page(browser: Browser, watched: Watched) -> Iterator[Page]:
    """A page; a test that leaves an error on its console or asked another host fails."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()

    def gate(route: Any) -> None:
        url = route.request.url
        if url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            route.continue_()
        else:
            watched.outside.append(url)
            route.abort()

    context.route("**/*", gate)
    page.on("pageerror", lambda error: watched.errors.append(str(error)))
    page.on(
        "console",
        lambda line: watched.errors.append(line.text) if line.type == "error" else None,
    )
    yield page
    context.close()
    assert not watched.outside, "requests to other hosts"
    assert not watched.errors, "errors on the page's console"


class Notebook:
    """A notebook opened alone in JupyterLab, driven by the commands of the application."""

    def __init__(self, page: Page, lab: Lab, name: str) -> None:
        self.page = page
        page.goto(f"{lab.url}/doc/tree/{name}?token={lab.token}&reset")
        page.wait_for_function("window.jupyterapp !== undefined", timeout=60_000)
        page.evaluate("() => window.jupyterapp.restored")
        page.wait_for_selector(".jp-NotebookPanel .jp-Notebook", timeout=60_000)

    def command(self, name: str, arguments: dict[str, Any] | None = None) -> None:
        self.page.evaluate(
            "([c, a]) => window.jupyterapp.commands.execute(c, a).then(() => true)",
            [name, arguments or {}],
        )

    def wait_until_idle(self) -> None:
        self.page.wait_for_function(
            """() => {
                const s = window.jupyterapp.shell.currentWidget?.sessionContext;
                return s && s.session?.kernel && s.session.kernel.status === 'idle'; }""",
            timeout=120_000,
        )

    def run_all(self) -> None:
        self.wait_until_idle()
        self.command("notebook:run-all-cells")  # answers when the last cell has replied
        self.wait_until_idle()
        errors = self.page.locator(ERROR_OUTPUTS)
        assert errors.count() == 0, errors.all_inner_texts()

    def evaluate(self, expression: str) -> str:
        """The value of a Python expression in the notebook's kernel, as its repr."""
        reply = self.page.evaluate(
            """async expression => {
                const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
                const content = { code: '', user_expressions: { value: expression } };
                const reply = await kernel.requestExecute(content).done;
                return reply.content.user_expressions.value;
            }""",
            expression,
        )
        assert reply["status"] == "ok", reply
        return str(reply["data"]["text/plain"])

    def wait_for(self, expression: str, value: str) -> None:
        """Wait until a Python expression has this repr: widgets' messages are on their way."""
        deadline = time.time() + 15
        while (found := self.evaluate(expression)) != value:
            assert time.time() < deadline, f"{expression} is {found}, not {value}"
            self.page.wait_for_timeout(100)

    def set_theme(self, *, dark: bool) -> None:
        theme = "JupyterLab Dark" if dark else "JupyterLab Light"
        self.command("apputils:change-theme", {"theme": theme})
        self.page.wait_for_function(
            f"document.body.dataset.jpThemeLight === '{'false' if dark else 'true'}'"
        )
        self.page.wait_for_timeout(700)  # the style sheet arrives after the attribute

    def picture(self, name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


@pytest.fixture
def open_notebook(page: Page, lab: Lab) -> Callable[[Path], Notebook]:
    """Opens a copy of a notebook."""

    def open_(path: Path) -> Notebook:
        shutil.copy(path, lab.root / path.name)
        return Notebook(page, lab, path.name)

    return open_


@pytest.fixture
def run_cells(page: Page, lab: Lab) -> Callable[..., Notebook]:
    """Opens and runs a new notebook of code cells."""

    def run(*cells: str, name: str = "test.ipynb") -> Notebook:
        notebook = nbformat.v4.new_notebook()
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        nbformat.write(notebook, lab.root / name)
        opened = Notebook(page, lab, name)
        opened.run_all()
        return opened

    return run
