"""Running on the CPU: `run_module` for MLIR, `run_onnx` for ONNX models.

Both are generators of `RunStep`; the last step holds the `RunResult`. Closing the generator or
`Cancellation.cancel` from another thread ends a run.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TypeVar

import onnxruntime as ort

from studio_core.evaluation.conditions import cpu_name
from studio_core.execution.emulation import check_data_type
from studio_core.execution.inputs import Given, Inputs, inputs_for
from studio_core.execution.lowering import lower
from studio_core.execution.onnx_program import onnx_inputs, onnx_program
from studio_core.execution.program import Program
from studio_core.execution.records import (
    Array,
    OpKey,
    OpResult,
    RunResult,
    RunSettings,
    RunStep,
)
from studio_core.execution.sessions import Cancellation, ProfiledSession, median
from studio_core.execution.walk import Checked, DataTypes, Walk
from studio_core.mlir.records import Operation
from studio_core.models.model import Model

_Key = TypeVar("_Key", Operation, str)

_SINGLE_PRECISION = (
    "Floats of every type are computed in float32, because onnxruntime's CPU kernels have no "
    "others; the data types show in the accuracy only."
)
_UNFUSED = "Each operation ran by itself, without onnxruntime's fusion."
_FUSED = "onnxruntime fused operations; one without a time runs within another."
_TIME_SHARE = 0.5
"""How much of a run's progress is the timing, where accuracy is measured too."""
_MOST_STEPS = 200
_MOST_NAMES = 8


def run_module(
    module: Operation,
    *,
    function: str | None = None,
    inputs: Given = None,
    data_types: Mapping[Operation, str] | None = None,
    weight_data_types: Mapping[Operation, str] | None = None,
    settings: RunSettings | None = None,
    cancel: Cancellation | None = None,
) -> Iterator[RunStep]:
    """Run a function of a module: TTIR, TTNN or StableHLO.

    ``data_types`` are the overrides: what an operation's results (or its weights: the second
    operand) are rounded to, by operation, instead of what the module says. Raises
    `InvalidRequestError` naming each operation that cannot be lowered, before anything runs.
    """
    settings = settings or RunSettings()
    yield RunStep("Lowering to ONNX", 0.0)
    lowered = lower(module, function)
    types = _checked_types(data_types, weight_data_types)
    yield RunStep("Preparing inputs", 0.02)
    data = inputs_for(lowered, inputs, seed=settings.seed)
    names = {i.tensor.name: i.name for i in lowered.inputs}
    task = _Task(lowered.program, data, names, types, settings, cancel or Cancellation())
    yield from task.run()


def run_onnx(
    model: Model,
    *,
    inputs: Mapping[str, Array] | None = None,
    data_types: Mapping[str, str] | None = None,
    weight_data_types: Mapping[str, str] | None = None,
    weights: Mapping[str, Array] | None = None,
    settings: RunSettings | None = None,
    cancel: Cancellation | None = None,
) -> Iterator[RunStep]:
    """Run an ONNX model as it is; operations are its nodes, by their ids.

    ``data_types`` and ``weight_data_types`` by node id as in `run_module`. ``weights`` gives
    other values to initializers, such as pruned ones: accuracy is then against the model's own.
    """
    settings = settings or RunSettings()
    yield RunStep("Reading the model", 0.0)
    program = onnx_program(model)
    types = _checked_types(data_types, weight_data_types)
    data = onnx_inputs(model, inputs, seed=settings.seed)
    names = {name: name for name in data.arrays}
    task = _Task(program, data, names, types, settings, cancel or Cancellation(), weights)
    yield from task.run()


def _checked_types(
    results: Mapping[_Key, str] | None, weights: Mapping[_Key, str] | None
) -> DataTypes:
    return DataTypes(_by_key(results), _by_key(weights))


def _by_key(given: Mapping[_Key, str] | None) -> dict[OpKey, str]:
    found: dict[OpKey, str] = {}
    for key, data_type in (given or {}).items():
        check_data_type(data_type)
        found[key] = data_type
    return found


@dataclass(eq=False)
class _Task:
    """One run on its way."""

    program: Program
    data: Inputs
    names: Mapping[str, str]
    types: DataTypes
    settings: RunSettings
    cancel: Cancellation
    weights: Mapping[str, Array] | None = None

    def run(self) -> Iterator[RunStep]:
        timed = (yield from self._timed()) if self.settings.measure_time else None
        checks = (yield from self._checked()) if self.settings.measure_accuracy else None
        outputs = checks.outputs if checks else timed.outputs if timed else {}
        result = RunResult(
            ops=tuple(self._ops(timed.times_ns if timed else {}, checks.ops if checks else ())),
            total_ns=timed.total_ns if timed else None,
            outputs=outputs,
            inputs={self.names[n]: a for n, a in self.data.arrays.items()},
            generated=bool(self.data.generated),
            generated_inputs=self.data.generated,
            function=self.program.name,
            settings=self.settings,
            versions=versions(),
            cpu=cpu_name(),
            notes=tuple(self._notes()),
        )
        yield RunStep("Done", 1.0, result)

    # Time

    def _timed(self) -> Generator[RunStep, None, _Timed]:
        """Whole runs under the profiler; medians without the warm-up."""
        settings, program = self.settings, self.program
        yield RunStep("Preparing the run", 0.05)
        if self.weights:
            program = program.with_constants(self.weights)
        proto, constants = program.whole(self.data.arrays)
        session = ProfiledSession(proto, constants, settings.num_threads, settings.optimize)
        found: list[Array] = []
        try:
            count = settings.warmup + settings.iterations
            for done in range(1, count + 1):
                found = session.run(self.data.arrays, self.cancel)
                share = _TIME_SHARE if settings.measure_accuracy else 1.0
                yield RunStep(f"Run {done} of {count}", 0.05 + (share - 0.05) * done / count)
            totals, kernels = session.finish(settings.warmup)
        finally:
            session.close()
        places = session.places(program)
        times: dict[int, float] = {}
        for number, nodes in places.items():
            own = [kernels[n] for n in nodes if n in kernels]
            if own:
                times[number] = median(sum(own[1:], own[0]))
        tensors = dict(zip(program.result_tensors, found, strict=True))
        outputs = {name: tensors[tensor] for name, tensor in program.outputs}
        return _Timed(median(totals), times, outputs)

    # Accuracy

    def _checked(self) -> Generator[RunStep, None, _Checks]:
        begin = _TIME_SHARE if self.settings.measure_time else 0.05
        walk = Walk(
            self.program,
            self.data.arrays,
            self.types,
            self.weights or {},
            self.settings.num_threads,
            self.cancel,
        )
        count, checks = len(self.program.ops), list[Checked]()
        for checked in walk.steps():
            checks.append(checked)
            # A step for each would drown whoever draws ten thousand of them.
            if len(checks) % max(1, count // _MOST_STEPS) == 0:
                done = len(checks) / count
                message = f"Checking {checked.op.name} ({len(checks)} of {count})"
                yield RunStep(message, begin + (1 - begin) * min(done, 0.99))
        return _Checks(tuple(checks), walk.outputs)

    # The result

    def _ops(self, times: Mapping[int, float], checks: Sequence[Checked]) -> Iterator[OpResult]:
        for number, op in enumerate(self.program.ops):
            checked = checks[number] if checks else None
            time = times.get(number)
            yield OpResult(
                op.key,
                op.name,
                time,
                None if checked is None else checked.pcc,
                None if checked is None else checked.data_type,
                self._note(time, checked),
            )

    def _note(self, time: float | None, checked: Checked | None) -> str:
        if checked is not None and not checked.finite:
            return "Its result holds values that are no numbers (NaN)."
        if checked is not None and checked.pcc is None:
            return "Its correlation is undefined: a side is constant."
        if time is None and self.settings.measure_time:
            return "It has no kernel of its own in the run."
        return ""

    def _notes(self) -> Iterator[str]:
        yield _FUSED if self.settings.optimize else _UNFUSED
        if any(op.data_type and op.data_type != "f32" for op in self.program.ops):
            yield _SINGLE_PRECISION
        yield from self.program.notes
        if self.data.generated:
            names = ", ".join(self.data.generated[:_MOST_NAMES])
            more = len(self.data.generated) - _MOST_NAMES
            also = f" and {more} more" if more > 0 else ""
            yield f"Generated inputs: {names}{also}."


@dataclass(frozen=True, slots=True, eq=False)
class _Timed:
    total_ns: float
    times_ns: Mapping[int, float]
    outputs: dict[str, Array]


@dataclass(frozen=True, slots=True, eq=False)
class _Checks:
    ops: tuple[Checked, ...]
    outputs: dict[str, Array]


def versions() -> dict[str, str]:
    """What computed, for the record."""
    found = {name: version(name) for name in ("onnx", "numpy")}
    return {"onnxruntime": str(ort.__version__), **found}


def finish(steps: Iterable[RunStep]) -> RunResult:
    """The result of a run, for who does not draw its progress."""
    result = None
    for step in steps:
        result = step.result
    assert result is not None
    return result
