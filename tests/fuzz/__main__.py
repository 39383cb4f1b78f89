"""Fuzzes for as long as told, and says how many inputs were tried: ``python -m tests.fuzz``.

Each target has its share of the time. An input that fails is shrunk by hypothesis, kept in its
database (``.hypothesis``), printed, and makes the exit code 1.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, seed, settings

from tests.fuzz.targets import TARGETS, Target

INPUTS_A_ROUND = 500


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
    parser.add_argument("--only", choices=TARGETS, action="append", help="these targets only")
    args = parser.parse_args()
    chosen = args.only or list(TARGETS)
    total, failed = 0, []
    for name in chosen:
        count, passed = fuzz(TARGETS[name], 60 * args.minutes / len(chosen))
        print(f"{name:20} {count:9,} inputs  {'passed' if passed else 'FAILED'}", flush=True)
        total += count
        failed += [] if passed else [name]
    print(f"{'all':20} {total:9,} inputs  {', '.join(failed) or 'passed'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
