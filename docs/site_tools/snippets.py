"""The snippets of a page, run as a reader would run them, and their output beside the page's.

    python -m site_tools.snippets docs/how-to/*.md     # writes the real output where it differs

Blocks marked `python` run one after the other in one namespace, commands of `console` blocks
(after ``$ ``) in one shell; a `text` block right behind a Python block is what it prints. ``…``
in an output stands for anything. Comments say what is special:

    <!-- not run: why -->   the next block is not run
    <!-- slow: why -->      the next block and its output are run by this command, not by the tests
    <!-- server -->         the page's commands have a Jupyter server at $URL, with $TOKEN
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- (not run|slow)(?::[^>]*)? -->\s*$")
_SERVER = "<!-- server -->"
_PROMPT, _CONTINUED = "$ ", "> "
_START_SECONDS = 180

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_CHANGING = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?"
)
_PROGRESS = re.compile(r"(?:^studio: (?:measuring|running): .*\n)+", re.MULTILINE)


@dataclass(frozen=True)
class Snippet:
    """Code of a page with the output that the page shows (None: it shows none)."""

    language: str
    code: str
    output: str | None
    span: tuple[int, int]
    """Where the output stands in the page's text."""
    mark: str = ""

    def line(self, text: str) -> int:
        return text.count("\n", 0, self.span[0]) + 1


@dataclass(frozen=True)
class Ran:
    """What a snippet really printed."""

    snippet: Snippet
    output: str
    is_failed: bool = False
    """Python raised; what it raised is in the output."""

    @property
    def agrees(self) -> bool:
        return self.snippet.output is None or matches(self.output, self.snippet.output)


def snippets_of(text: str) -> list[Snippet]:
    """All snippets of a page's ``text``, a command each, in their order."""
    found: list[Snippet] = []
    fences = list(_FENCE.finditer(text))
    for at, fence in enumerate(fences):
        mark = _MARK.search(text, 0, fence.start())
        kind = mark.group(1) if mark else ""
        if fence.group(1) == "console":
            found += _commands(fence, kind)
        elif fence.group(1) == "python":
            shown = fences[at + 1] if at + 1 < len(fences) else None
            is_output = (
                shown is not None
                and shown.group(1) == "text"
                and not text[fence.end() : shown.start()].strip()
            )
            output, span = (
                (shown[2], shown.span(2)) if shown and is_output else (None, fence.span())
            )
            found.append(Snippet("python", fence.group(2), output, span, kind))
    return found


def _commands(fence: re.Match[str], mark: str) -> Iterator[Snippet]:
    """The commands of a console block; lines that begin with ``> `` go on with one."""
    start = fence.start(2)
    lines = fence.group(2).splitlines(keepends=True)
    offsets = [start + sum(map(len, lines[:n])) for n in range(len(lines) + 1)]
    heads = [n for n, line in enumerate(lines) if line.startswith(_PROMPT)]
    for head, following in zip(heads, [*heads[1:], len(lines)], strict=True):
        end = head + 1
        while end < following and lines[end].startswith(_CONTINUED):
            end += 1
        code = "".join(line[len(_PROMPT) :] for line in lines[head:end])
        span = (offsets[end], offsets[following])
        yield Snippet("console", code, "".join(lines[end:following]), span, mark)


def matches(real: str, shown: str) -> bool:
    """Whether ``real`` is what ``shown`` shows, ``…`` being anything; spaces at ends are free."""
    parts = (re.escape(part) for part in _trimmed(shown).split("…"))
    return re.fullmatch(".*?".join(parts), _trimmed(real), re.DOTALL) is not None


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.rstrip().lstrip("\n").splitlines())


def run_page(text: str, folder: Path, *, slow: bool = True, console: bool = True) -> Iterator[Ran]:
    """Run the snippets of a page in ``folder``, which is the home of all that they start.

    Without ``console`` only the Python ones, which takes no process of its own.
    """
    with contextlib.ExitStack() as stack:
        environment = {**os.environ, **_settings(folder)}
        if _SERVER in text and console:
            environment |= stack.enter_context(_server(folder, environment))
        shell = stack.enter_context(_Shell(folder, environment)) if console else None
        stack.enter_context(_at(folder))
        names: dict[str, Any] = {"__name__": "__main__"}
        for snippet in snippets_of(text):
            if snippet.mark == "not run" or (snippet.mark == "slow" and not slow):
                continue
            if snippet.language == "python":
                output, is_failed = _run_python(snippet.code, names)
                yield Ran(snippet, _plain(output, folder), is_failed)
            elif shell is not None:
                yield Ran(snippet, _plain(shell.run(snippet.code), folder))


def _settings(folder: Path) -> dict[str, str]:
    jupyter = {f"JUPYTER_{n}_DIR": str(folder / f".{n}") for n in ("CONFIG", "DATA", "RUNTIME")}
    tools = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**jupyter, "HOME": str(folder), "PATH": tools, "COLUMNS": "100", "NO_COLOR": "1"}


@contextlib.contextmanager
def _at(folder: Path) -> Iterator[None]:
    home = os.environ.get("HOME")
    os.environ["HOME"] = str(folder)
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        os.environ.pop("HOME") if home is None else os.environ.update(HOME=home)


def _plain(output: str, folder: Path) -> str:
    """Output as a page has it: without colours, the folder of the run as the reader's home."""
    return _COLOUR.sub("", output).replace(str(folder), "~")


def _run_python(code: str, names: dict[str, Any]) -> tuple[str, bool]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(code, "<page>", "exec"), names)
        except Exception:
            traceback.print_exc(file=printed)
            return printed.getvalue(), True
    return printed.getvalue(), False


class _Shell:
    """One bash for all commands of a page, so that variables and folders stay."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            ["bash", "--norc"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )

    def run(self, command: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        end = f"end-{secrets.token_hex(8)}"
        self._process.stdin.write(f"{command}\necho\necho {end}\n")
        self._process.stdin.flush()
        lines: list[str] = []
        for line in self._process.stdout:
            if line.strip() == end:
                break
            lines.append(line)
        return "".join(lines)[:-1]

    def __enter__(self) -> _Shell:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)


@contextlib.contextmanager
def _server(folder: Path, environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """A Studio server of its own; what is to be known of it as environment variables."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(8)
    start = "import sys; from studio_server.app import main; sys.exit(main())"
    options = ["--no-browser", f"--port={port}", "--allow-root", f"--ServerApp.root_dir={folder}"]
    command = [sys.executable, "-c", start, *options, f"--IdentityProvider.token={token}"]
    with (folder / ".server.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(f"{url}/api/studio?token={token}")
        yield {"URL": url, "TOKEN": token}
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def with_outputs(text: str, ran: list[Ran]) -> str:
    """``text`` with the real output in place of each shown one that differs."""
    for one in reversed(ran):
        if not one.agrees:
            start, end = one.snippet.span
            output = _trimmed(_steady(one.output))
            text = f"{text[:start]}{output}{chr(10) if output else ''}{text[end:]}"
    return text


def _steady(output: str) -> str:
    """``output`` with ``…`` for what is another at each run: ids, times of day, progress."""
    return _PROGRESS.sub("…\n", _CHANGING.sub("…", output))


def main(paths: list[Path]) -> int:
    failed = 0
    for path in paths:
        text = path.read_text(encoding="utf-8")
        if not snippets_of(text):
            continue
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="studio-docs-") as folder:
            ran = list(run_page(text, Path(folder)))
        faults = [one for one in ran if one.is_failed]
        failed += len(faults)
        for fault in faults:
            print(f"{path}:{fault.snippet.line(text)}: {fault.output}", file=sys.stderr)
        ran = [one for one in ran if not one.is_failed]
        changed = sum(not one.agrees for one in ran)
        path.write_text(with_outputs(text, ran), encoding="utf-8")
        seconds = time.monotonic() - started
        print(f"{path}: {len(ran)} snippets in {seconds:.1f} s, {changed} outputs written")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main([Path(argument) for argument in sys.argv[1:]]))
