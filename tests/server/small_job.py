"""What workers do in the tests of the server, where the real work would take too long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio_core.errors import InvalidRequestError
from studio_core.jobs.plan_work import PLAN_KINDS
from studio_core.projects import ProjectStore


@dataclass(frozen=True)
class Step:
    done: int
    total: int
    message: str


def quick(order: Any) -> Iterator[Step]:
    """Saves one point as if it had been measured; a plan stays as it is."""
    if order.kind in PLAN_KINDS:
        yield Step(1, 1, "done")
        return
    point = {"sparsity": 0.5, "loss": 0.25, "flops": 1.0, "timing": 1.0}
    layer = {"id": "features", "baseline": {**point, "sparsity": 0.0}, "sparse": [point]}
    store = ProjectStore(Path(order.project_root))
    store.save_analysis(order.project_id, order.kind, order.name, {"layerSensitivities": [layer]})
    yield Step(1, 1, "measured")


def slow(order: Any) -> Iterator[Step]:
    """Half a minute, unless it is resumed; then as `quick`."""
    if not order.options.get("resume"):
        for number in range(1000):
            yield Step(number, 1000, f"layer <b>{number}</b>")
            time.sleep(0.03)
    yield from quick(order)


def refuse(order: Any) -> Iterator[Step]:
    yield Step(0, 1, "begun")
    raise InvalidRequestError("The metric needs labels.")


def crash(order: Any) -> Iterator[Step]:
    yield Step(0, 1, "begun")
    raise ZeroDivisionError
