"""onnxruntime sessions for programs: made, run, stopped, and their profile read."""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from studio_core.errors import InvalidModelError
from studio_core.evaluation.runtime import make_session, session_options, to_value
from studio_core.execution.program import Program
from studio_core.execution.records import Array, RunCancelledError
from studio_core.sensitivity.sweep.trace import read_trace

_NS = 1e6
"""Nanoseconds in a millisecond."""


class Cancellation:
    """Stops a run from another thread, also in the middle of a long kernel sequence."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.options = ort.RunOptions()

    def cancel(self) -> None:
        self._event.set()
        self.options.terminate = True

    @property
    def is_cancelled(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raises `RunCancelledError` once the run was cancelled."""
        if self.is_cancelled:
            raise RunCancelledError("The run was cancelled.")


def run(
    session: ort.InferenceSession, feed: Mapping[str, Array], cancel: Cancellation, what: str
) -> list[Array]:
    """The outputs. Raises `InvalidModelError` naming ``what`` if onnxruntime stops."""
    cancel.check()
    try:
        # A result without dimensions comes as a numpy scalar.
        return [np.asarray(a) for a in session.run(None, dict(feed), cancel.options)]
    except Exception as error:  # onnxruntime raises its own kinds, without a common base
        cancel.check()
        raise InvalidModelError(
            f"onnxruntime stopped in {what}: {error} If an index lies outside, give inputs."
        ) from error


def session_for(
    proto: bytes, constants: Mapping[str, Array], options: ort.SessionOptions
) -> ort.InferenceSession:
    """A session over constants that are not copied."""
    values = {name: to_value(array) for name, array in constants.items()}
    if values:
        options.add_external_initializers(list(values), list(values.values()))
    return make_session(proto, options)


class ProfiledSession:
    """A session that writes a profile into a folder of its own."""

    def __init__(
        self, proto: bytes, constants: Mapping[str, Array], num_threads: int, optimize: bool
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="studio-run-")
        options = session_options(num_threads=num_threads, optimize=optimize)
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(self._folder.name) / "run")
        self._saved = Path(self._folder.name) / "optimized.onnx" if optimize else None
        if self._saved is not None:
            options.optimized_model_filepath = str(self._saved)
            prefix = "session.optimized_model_external_initializers_"
            options.add_session_config_entry(f"{prefix}file_name", "weights.bin")
            options.add_session_config_entry(f"{prefix}min_size_in_bytes", "64")
        self._session = session_for(proto, constants, options)
        self._graph: onnx.GraphProto | None = None
        if self._saved is not None:
            self._graph = onnx.load(str(self._saved), load_external_data=False).graph

    def places(self, program: Program) -> dict[int, list[str]]:
        """Names of the nodes that ran for each operation, by its number.

        A node that onnxruntime made of several belongs to the operation whose result it makes.
        """
        if self._graph is None:
            return {i: [n.name for n in op.nodes] for i, op in enumerate(program.ops)}
        makers = {
            tensor: i
            for i, op in enumerate(program.ops)
            for node in op.nodes
            for tensor in node.output
        }
        found: dict[int, list[str]] = {}
        names = Counter(node.name for node in self._graph.node)
        for node in self._graph.node:
            owner = next((makers[t] for t in node.output if t in makers), None)
            # A name that is not unique cannot be told apart in the profile.
            if owner is not None and names[node.name] == 1:
                found.setdefault(owner, []).append(node.name)
        return found

    def run(self, feed: Mapping[str, Array], cancel: Cancellation) -> list[Array]:
        return run(self._session, feed, cancel, "the run of the whole function")

    def finish(self, warmup: int) -> tuple[Array, dict[str, Array]]:
        """Nanoseconds of each run after the warm-up, and of each node in it."""
        path = Path(self._session.end_profiling())
        total, kernels = read_trace(path)
        self.close()
        return total[warmup:] * _NS, {n: a[warmup:] * _NS for n, a in kernels.items()}

    def close(self) -> None:
        self._folder.cleanup()


def median(array: Array) -> float:
    return float(np.median(array))
