"""What a run on the CPU answers: times and accuracy by operation, outputs, and its conditions.

A run is a generator of `RunStep`; the last one holds the `RunResult`. The results are keyed by
`Operation` for a module and by node id for an ONNX model; `by_node` turns them into a graph's ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from studio_core.errors import InvalidRequestError
from studio_core.mlir.records import Operation

Array: TypeAlias = NDArray[Any]
OpKey: TypeAlias = Operation | str
"""An operation of a module, or the id of an ONNX model's node."""

EXPECTED_PCC = 0.99
"""The correlation that tt-mlir's own golden comparison asks of an operation."""


class RunCancelledError(Exception):
    """A run ended because it was cancelled; nothing of it is kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Unlowerable:
    """An operation that the CPU cannot run, with the reason in a sentence."""

    operation: Operation
    reason: str

    @property
    def line(self) -> int:
        return self.operation.line

    def __str__(self) -> str:
        return f"Line {self.line}: {self.operation.name}: {self.reason}"


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How a run is made.

    ``warmup`` runs come before the ``iterations`` whose medians are the times. ``measure_accuracy``
    runs each operation twice more: in full precision, and rounded to its data type.
    ``optimize`` lets onnxruntime fuse operations; then not every one has a time of its own.
    """

    num_threads: int = 1
    warmup: int = 1
    iterations: int = 5
    seed: int = 0
    measure_time: bool = True
    measure_accuracy: bool = True
    optimize: bool = False

    def __post_init__(self) -> None:
        if self.num_threads < 1 or self.iterations < 1 or self.warmup < 0:
            raise InvalidRequestError(
                "Give at least 1 thread and 1 iteration, and no negative warm-up."
            )


@dataclass(frozen=True, slots=True, eq=False)
class OpResult:
    """One operation of a run, in the order in which they ran.

    ``time_ns`` is a median over the iterations; None if the operation has no kernel of its own
    (``note`` says why). ``pcc`` is the Pearson correlation of its output, computed with every
    operation before it rounded as well, with the same in full precision; None where undefined
    (see `accuracy.pearson`). ``data_type`` is what its outputs were rounded to; None: not rounded.
    """

    key: OpKey
    name: str
    time_ns: float | None = None
    pcc: float | None = None
    data_type: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class RunResult:
    """A finished run. Times are nanoseconds; those of operations and the rest add up."""

    ops: tuple[OpResult, ...]
    total_ns: float | None
    """Wall time of a whole run, a median; None if time was not measured."""
    outputs: Mapping[str, Array]
    """Results of the function by name, as computed under the data types (float32 for bf16)."""
    inputs: Mapping[str, Array]
    generated: bool
    """True where an input was generated rather than given; ``generated_inputs`` names them."""
    generated_inputs: tuple[str, ...] = ()
    function: str = ""
    settings: RunSettings = RunSettings()
    versions: Mapping[str, str] = field(default_factory=dict)
    cpu: str = ""
    notes: tuple[str, ...] = ()
    """What a reader must know of these numbers, in sentences."""

    @property
    def times_ns(self) -> Mapping[OpKey, float]:
        """Nanoseconds by operation; one that is called several times has their sum."""
        return _summed({(o.key, i): o.time_ns for i, o in enumerate(self.ops)})

    @property
    def pcc(self) -> Mapping[OpKey, float]:
        """Correlation by operation; of one that is called several times the lowest."""
        lowest: dict[OpKey, float] = {}
        for op in self.ops:
            if op.pcc is not None:
                lowest[op.key] = min(op.pcc, lowest.get(op.key, np.inf))
        return lowest

    @property
    def unattributed_ns(self) -> float | None:
        """The run without its operations: the runtime's own work, and disturbances."""
        if self.total_ns is None:
            return None
        return self.total_ns - sum(self.times_ns.values())

    def accuracy(self, expected: float = EXPECTED_PCC) -> Mapping[OpKey, float]:
        """Correlation minus the expected one, by operation: below 0 is a failure."""
        return {key: value - expected for key, value in self.pcc.items()}


def _summed(values: Mapping[tuple[OpKey, int], float | None]) -> dict[OpKey, float]:
    sums: dict[OpKey, float] = {}
    for (key, _), value in values.items():
        if value is not None:
            sums[key] = sums.get(key, 0.0) + value
    return sums


def by_node(
    values: Mapping[OpKey, float], node_of: Callable[[OpKey], str | None]
) -> dict[str, float]:
    """``values`` by the ids of a graph's nodes; what has no node there is left out."""
    nodes = ((node_of(key), value) for key, value in values.items())
    return {node: value for node, value in nodes if node is not None}


@dataclass(frozen=True, slots=True, eq=False)
class RunStep:
    """Progress of a run: what is being done, and how much is done (0 to 1)."""

    message: str
    fraction: float
    result: RunResult | None = None
    """Set in the last step only."""
