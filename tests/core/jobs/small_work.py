"""Work that takes no time and needs no model, done by real worker processes."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio_core.errors import InvalidRequestError


@dataclass(frozen=True)
class Step:
    done: int
    total: int
    message: str


def count(order: Any) -> Iterator[Step]:
    """Measures 0, 1, 2 … into a file that stands for the analysis; `resume` goes on from it."""
    options = order.options
    kept = Path(order.project_root, f"{order.name}.json")
    resumes = options.get("resume") and kept.exists()
    done = json.loads(kept.read_text()) if resumes else []
    total = options.get("total", 3)
    yield Step(len(done), total, "begun")
    for number in range(len(done), total):
        time.sleep(options.get("seconds", 0))
        done.append([number, os.getpid()])
        kept.with_suffix(".tmp").write_text(json.dumps(done))
        kept.with_suffix(".tmp").replace(kept)
        yield Step(number + 1, total, f"layer {number}")
        if number == options.get("dies_at") and not resumes:
            os.kill(os.getpid(), options.get("signal", signal.SIGKILL))
            time.sleep(60)


def refuse(order: Any) -> Iterator[Step]:
    yield Step(0, 1, "begun")
    raise InvalidRequestError("It needs labels.")


def crash(order: Any) -> Iterator[Step]:
    yield Step(0, 1, "name\nwith\x1b[31m control")
    raise ZeroDivisionError("by nothing")


def fill(order: Any) -> Iterator[Step]:
    yield Step(0, 1, "begun")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/somewhere")


def vanish(order: Any) -> Iterator[Step]:
    yield Step(0, 1, "begun")
    os._exit(7)


def family(order: Any) -> Iterator[Step]:
    """Deaf to SIGTERM, with a deaf child in a session of its own and that one's child."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sleep = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(99)"
    start = f"subprocess.Popen([sys.executable, '-c', {sleep!r}])"
    parent = f"import subprocess, sys; print({start}.pid, flush=True); {sleep}"
    child = subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, start_new_session=True, text=True
    )
    assert child.stdout is not None
    grandchild = int(child.stdout.readline())
    held = bytearray(64 << 20)
    yield Step(1, 2, json.dumps([os.getpid(), child.pid, grandchild]))
    time.sleep(99)
    yield Step(2, 2, str(len(held)))


def hoard(order: Any) -> Iterator[Step]:
    """Takes ever more memory."""
    kept = []
    for number in range(64):
        kept.append(bytearray(64 << 20))
        yield Step(number, 64, "hoarding")


def endless(order: Any) -> Iterator[Step]:
    """Computes without end, and hears no signal meanwhile."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    yield Step(1, 2, "begun")
    while True:
        sum(range(10**6))
