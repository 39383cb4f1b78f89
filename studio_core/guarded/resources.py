"""What a process may use, told to the system; where the system cannot be told, nothing happens.

Windows has none of it: there only the time of a process is bounded, by whoever started it.
"""

from __future__ import annotations

import sys

from studio_core.limits import Limits

if sys.platform != "win32":
    import resource


def restrict_memory(most_bytes: int) -> None:
    """Let this process, and each one it starts, allocate at most ``most_bytes``.

    Mapped files do not count, nor do threads' address spaces.
    """
    if sys.platform != "win32":
        _lower(resource.RLIMIT_DATA, most_bytes)


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


def _lower(kind: int, most: int) -> None:
    if sys.platform != "win32":
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
