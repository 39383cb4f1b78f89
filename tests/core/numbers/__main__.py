"""Every layer of all generated models against the naive sweep: ``python -m tests.core.numbers``.

Prints how many points agreed; the first that does not is an error. It takes some minutes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from studio_core.samples import generate_model
from studio_core.session import Session
from tests.core.numbers.test_naive_sweep import GENERATED, TOLERANCE, compare

LEVELS = (0.3, 0.7, 0.95)
ALL: dict[str, dict[str, int]] = {
    **GENERATED,
    "resnet18": {},
    "resnet50": {},
    "bert_base": {"num_layers": 3, "vocabulary_size": 100, "sequence_length": 32},
    "many_layers": {"num_layers": 200},
}


def main() -> int:
    total = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, options in ALL.items():
            path = generate_model(name, Path(folder, f"{name}.onnx"), **options)
            count = compare(Session.open(path), "relative_l2", LEVELS, 1)
            path.unlink()
            print(f"{name:14} {count:6,} points agree to {TOLERANCE:g}", flush=True)
            total += count
    print(f"{'all':14} {total:6,} points")
    return 0


if __name__ == "__main__":
    sys.exit(main())
