"""One tool run to its end: an argument list, never a shell; a time limit; killed as a whole."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from studio_core.errors import InvalidModelError, InvalidRequestError, StorageError
from studio_core.execution.sessions import Cancellation

_POLL_SECONDS = 0.05
_LAST_WORDS_BYTES = 4000
MAX_HELP_BYTES = 8 << 20


@dataclass(frozen=True)
class ToolRunner:
    """Runs tools in ``folder``, their words going to files there and through ``say``.

    Each tool is the head of a process group of its own, so that all it starts ends with it.
    """

    folder: Path
    cancel: Cancellation
    say: Callable[[str], None]

    def run(self, command: Sequence[str], limit_seconds: float, name: str) -> str:
        """What the tool printed, standard output and error together.

        Raises `InvalidModelError` where it fails, with its last words; `InvalidRequestError`
        past the limit; `RunCancelledError`.
        """
        self.cancel.check()
        self.say("$ " + " ".join(command))
        path = self.folder / f"{name}.log"
        try:
            with path.open("wb") as output:
                process = subprocess.Popen(
                    list(command),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=self.folder,
                    process_group=0 if os.name == "posix" else None,
                )
                code = self._wait(process, limit_seconds, Path(command[0]).name)
        except OSError as error:
            raise StorageError(f"{command[0]} could not be started ({error}).") from error
        text = _text(path)
        if code != 0:
            last = text[-_LAST_WORDS_BYTES:].strip()
            self.say(last)
            raise InvalidModelError(
                f"{Path(command[0]).name} ended with exit code {code} while {name}. "
                f"Its last words: {_last_line(last)}"
            )
        return text

    def _wait(self, process: subprocess.Popen[bytes], limit_seconds: float, tool: str) -> int:
        deadline = time.monotonic() + limit_seconds
        try:
            while (code := process.poll()) is None:
                self.cancel.check()
                if time.monotonic() > deadline:
                    raise InvalidRequestError(
                        f"{tool} was ended: it took longer than {limit_seconds:g} seconds. "
                        "Raise the time limit, or take a smaller module."
                    )
                time.sleep(_POLL_SECONDS)
            return code
        finally:
            _kill_group(process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the tool, children that outlive it among them."""
    with suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _text(path: Path) -> str:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - MAX_HELP_BYTES))
        return file.read().decode("utf-8", "replace")


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return (lines[-1][:500] if lines else "it said nothing") + "."
