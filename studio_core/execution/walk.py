"""Every operation on its own, twice: in full precision, and as the data types round it.

Both go through the program side by side, so that only the tensors still needed are held. The
rounded side reads rounded operands and rounds its own results: an operation's correlation holds
all that was lost before it as well, as it would on the hardware.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnxruntime as ort

from studio_core.evaluation.runtime import session_options
from studio_core.execution.accuracy import pearson
from studio_core.execution.emulation import round_to, rounds
from studio_core.execution.program import Program, ProgramOp, names_read
from studio_core.execution.records import Array, OpKey
from studio_core.execution.sessions import Cancellation, run, session_for

_KEPT_SESSIONS = 64


@dataclass(frozen=True, slots=True)
class DataTypes:
    """What results and weights are rounded to, by operation; otherwise as the module says."""

    results: Mapping[OpKey, str] = field(default_factory=dict)
    weights: Mapping[OpKey, str] = field(default_factory=dict)

    def of(self, op: ProgramOp) -> str | None:
        wanted = self.results.get(op.key, op.data_type)
        return wanted if rounds(wanted) else None


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """One operation after it ran: its correlation, and what its results were rounded to."""

    op: ProgramOp
    pcc: float | None
    data_type: str | None
    finite: bool


class Walk:
    """Goes through a program; `outputs` are there at its end."""

    def __init__(
        self,
        program: Program,
        inputs: Mapping[str, Array],
        data_types: DataTypes,
        weights: Mapping[str, Array],
        num_threads: int,
        cancel: Cancellation,
    ) -> None:
        self._program, self._types, self._cancel = program, data_types, cancel
        self._threads = num_threads
        self._weights = weights
        self._exact = dict(inputs)
        stored = program.input_data_types
        self._rounded = {n: round_to(a, stored.get(n)) for n, a in inputs.items()}
        for name, array in inputs.items():  # one array where rounding changes nothing
            if np.array_equal(array, self._rounded[name]):
                self._rounded[name] = array
        self._uses = Counter(n for op in program.ops for n in op.inputs)
        self._uses.update(t for _, t in program.outputs)
        self._uses.update(n for node in program.extra for n in names_read(node))
        self._sessions: dict[bytes, ort.InferenceSession] = {}

    def steps(self) -> Iterator[Checked]:
        for op in self._program.ops:
            yield self._step(op)
        self._extra()

    @property
    def outputs(self) -> dict[str, Array]:
        """Results of the function, rounded."""
        known = {**self._program.constants, **self._rounded}
        return {name: known[tensor] for name, tensor in self._program.outputs}

    def _step(self, op: ProgramOp) -> Checked:
        feed = {n: self._exact[n] for n in op.inputs}
        rounded = {n: self._rounded[n] for n in op.inputs}
        exact = self._run(op, feed, {})
        changed, constants = self._changed(op, rounded)
        alike = not constants and all(feed[n] is changed[n] for n in feed)
        actual = exact if alike else self._run(op, changed, constants)
        data_type = self._types.of(op)
        if data_type is not None:
            actual = [np.asarray(round_to(a, data_type)) for a in actual]
        for name, a, e in zip(op.outputs, actual, exact, strict=True):
            if self._uses[name]:
                self._exact[name], self._rounded[name] = e, a
        self._release(op)
        # The smallest of them is NaN if any is.
        finite = not any(a.size and np.isnan(a.min()) for a in exact if a.dtype.kind == "f")
        return Checked(op, pearson(actual[0], exact[0]) if exact else None, data_type, finite)

    def _release(self, op: ProgramOp) -> None:
        for name in op.inputs:
            self._uses[name] -= 1
            if self._uses[name] <= 0:
                self._exact.pop(name, None)
                self._rounded.pop(name, None)

    def _run(
        self, op: ProgramOp, feed: Mapping[str, Array], constants: Mapping[str, Array]
    ) -> list[Array]:
        if not op.nodes:
            return []
        session = self._session(op, feed, constants)
        return run(session, feed, self._cancel, f"the operation {op.name}")

    def _changed(
        self, op: ProgramOp, feed: dict[str, Array]
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """What the rounded side reads: operands, and constants with other values.

        Weights are the second operand, and constants of two dimensions and more.
        """
        read = {n for node in op.nodes for n in names_read(node)}
        constants = {n: self._weights[n] for n in read if n in self._weights}
        data_type = self._types.weights.get(op.key)
        if data_type is None:
            return feed, constants
        weights = set(op.operands[1:2])
        feed = {n: round_to(a, data_type) if n in weights else a for n, a in feed.items()}
        known = {**self._program.constants, **constants}
        large = [n for n in read if n in known and known[n].ndim > 1]
        return feed, constants | {n: round_to(known[n], data_type) for n in large}

    def _session(
        self, op: ProgramOp, feed: Mapping[str, Array], constants: Mapping[str, Array]
    ) -> ort.InferenceSession:
        program = self._program.with_constants(constants) if constants else self._program
        proto, large = program.part(op, feed)
        key = proto if not large else None
        if key is not None and key in self._sessions:
            return self._sessions[key]
        options = session_options(num_threads=self._threads, optimize=False)
        # Memory kept for the next run would stay with each of the sessions.
        options.enable_cpu_mem_arena = False
        session = session_for(proto, large, options)
        if key is not None:
            if len(self._sessions) >= _KEPT_SESSIONS:
                self._sessions.clear()
            self._sessions[key] = session
        return session

    def _extra(self) -> None:
        if not self._program.extra:
            return
        for side in (self._exact, self._rounded):
            read = {n for node in self._program.extra for n in names_read(node)}
            feed = {n: side[n] for n in read if n in side}
            proto, large = self._program.rest(feed)
            session = session_for(proto, large, session_options(optimize=False))
            names = [o for node in self._program.extra for o in node.output]
            found = run(session, feed, self._cancel, "the results")
            side.update(zip(names, found, strict=True))
