"""Fuzzes for as long as told, and says how many inputs were tried: ``python -m tests.fuzz``.

Each target has its share of the time; ``rest`` is a live server under Schemathesis. An input that
fails is shrunk by hypothesis, kept in its database (``.hypothesis``), printed, and makes the exit
code 1.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, seed, settings

from tests.fuzz.targets import TARGETS, Target
from tests.server.live import live_server
from tests.server.rest_fuzz import STYLES, WITH_SMALL_JOBS, attack

INPUTS_A_ROUND = 500
REST = "rest"
EXAMPLES_A_ROUND = 20


def fuzz(target: Target, seconds: float) -> tuple[int, bool]:
    """How many inputs were tried in that time, and whether all of them passed."""
    count = 0

    def counted(given_input: Any) -> None:
        nonlocal count
        count += 1
        target.run(given_input)

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            one_round(target, counted)()
        except Exception:
            traceback.print_exc()
            return count, False
    return count, True


def fuzz_rest(seconds: float) -> tuple[int, bool]:
    """How many requests a live server got in that time, in all styles, and whether all passed."""
    count, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        for name, style in STYLES.items():
            left = max(20.0, (end - time.monotonic()) / len(STYLES))
            limits = ("--max-examples", str(EXAMPLES_A_ROUND), "--max-time", f"{left:.0f}")
            seed = secrets.randbits(32)
            with (
                tempfile.TemporaryDirectory() as folder,
                live_server(Path(folder), start=WITH_SMALL_JOBS) as server,
            ):
                tried = attack(server, Path(folder), style, seed=seed, more=limits)
            count += tried.num_requests
            print(f"  rest, {name:12} {tried.num_requests:9,} requests, seed {seed}", flush=True)
            if not tried.passed:
                print(tried.text)
                return count, False
    return count, True


def one_round(target: Target, run: Callable[[Any], None]) -> Callable[[], None]:
    many = settings(
        max_examples=INPUTS_A_ROUND,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    tried: Callable[[], None] = seed(secrets.randbits(64))(many(given(target.inputs)(run)))
    return tried


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="for all targets together")
    parser.add_argument(
        "--only", choices=(*TARGETS, REST), action="append", help="these targets only"
    )
    args = parser.parse_args()
    chosen = args.only or [*TARGETS, REST]
    total, failed = 0, []
    for name in chosen:
        seconds = 60 * args.minutes / len(chosen)
        count, passed = fuzz_rest(seconds) if name == REST else fuzz(TARGETS[name], seconds)
        print(f"{name:20} {count:9,} inputs  {'passed' if passed else 'FAILED'}", flush=True)
        total += count
        failed += [] if passed else [name]
    print(f"{'all':20} {total:9,} inputs  {', '.join(failed) or 'passed'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
