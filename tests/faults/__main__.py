"""Two servers and a notebook at one project, for as long as told: ``python -m tests.faults``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.writers import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--writes", type=int, default=5000, help="of all three together")
    each = -(-parser.parse_args().writes // 3)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        conflicts = run(Path(folder), each)
    seconds = time.monotonic() - begun
    print(
        f"{3 * each:,} writes in {seconds:.0f} s; {conflicts:,} conflicts told and tried again; "
        "nothing lost, no file torn"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
