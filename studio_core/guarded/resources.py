"""What a process may use, told to the system; where the system cannot be told, nothing happens.

Windows has none of it: there only the time of a process is bounded, by whoever started it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import psutil

from studio_core.limits import Limits

if sys.platform != "win32":
    import resource

_MEMORY_SHARE = 0.8
"""Of the machine's memory, where no limit says how much a job may take."""


def restrict_memory(most_bytes: int) -> None:
    """Let this process, and each one it starts, allocate at most ``most_bytes``.

    Mapped files do not count, nor do threads' address spaces.
    """
    if sys.platform != "win32":
        _lower(resource.RLIMIT_DATA, most_bytes)


def restrict_job(limits: Limits) -> None:
    """Let this process allocate what a job may: without a limit, most of the machine's memory."""
    most = limits.max_job_memory_bytes or int(_MEMORY_SHARE * psutil.virtual_memory().total)
    restrict_memory(most)


def restrict_reader(limits: Limits) -> None:
    """Memory as the limits say, no core dumps, and nothing written: who reads has no need to."""
    restrict_memory(limits.max_open_memory_bytes)
    if sys.platform != "win32":
        _lower(resource.RLIMIT_CORE, 0)
        _lower(resource.RLIMIT_FSIZE, 0)


def restrict_time(seconds: float) -> None:
    """Let this process take ``seconds`` of processor time from now on."""
    if sys.platform != "win32":
        used = resource.getrusage(resource.RUSAGE_SELF)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        most = int(used.ru_utime + used.ru_stime + seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (most, hard))


def peak_memory() -> int:
    """The most that this process ever had in memory, in bytes; 0 where nobody knows."""
    if sys.platform == "win32":
        return 0
    try:
        # getrusage would tell the peak of whoever started this process, if that was higher.
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    except OSError:
        found = None  # no Linux
    if found is not None:
        return 1024 * int(found[1])
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def _lower(kind: int, most: int) -> None:
    if sys.platform != "win32":
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
