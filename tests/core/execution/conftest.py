"""Running one operation or one module on the CPU, for the tests beside this file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from studio_core.execution.inputs import inputs_for
from studio_core.execution.lowering import lower
from studio_core.execution.sessions import Cancellation, run, session_for
from studio_core.mlir.reader import parse_mlir
from studio_core.mlir.records import Operation

Outputs = list[np.ndarray]

ELEMENTS = {"float32": "f32", "int32": "i32", "int64": "i64", "bool": "i1", "uint8": "ui8",
            "int8": "i8", "uint32": "ui32", "float64": "f64", "int16": "i16"}  # fmt: skip


def type_of(array: np.ndarray, element: str | None = None) -> str:
    dims = "".join(f"{d}x" for d in array.shape)
    return f"tensor<{dims}{element or ELEMENTS[array.dtype.name]}>"


def module_of(text: str) -> Operation:
    return parse_mlir(text).modules[0]


def outputs_of(module: Operation, inputs: Any = None, function: str | None = None) -> Outputs:
    """The function's results, computed as a whole without a profile."""
    lowered = lower(module, function)
    arrays = inputs_for(lowered, inputs).arrays
    proto, constants = lowered.program.whole(arrays)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = session_for(proto, constants, options)
    found = run(session, arrays, Cancellation(), "the test")
    tensors = dict(zip(lowered.program.result_tensors, found, strict=True))
    return [tensors[tensor] for _, tensor in lowered.program.outputs]


def op_module(
    name: str,
    types: Sequence[str],
    results: Sequence[str],
    attributes: str = "",
    regions: Sequence[str] = (),
) -> str:
    """A module with one operation in the generic form, its operands the arguments."""
    arguments = ", ".join(f"%arg{i}: {t}" for i, t in enumerate(types))
    operands = ", ".join(f"%arg{i}" for i in range(len(types)))
    answers = ", ".join(f"%0#{i}" if len(results) > 1 else "%0" for i in range(len(results)))
    named = f"%0:{len(results)}" if len(results) > 1 else "%0"
    inner = f"({', '.join('{' + r + '}' for r in regions)}) " if regions else ""
    properties = f"<{{{attributes}}}> " if attributes else ""
    listed = ", ".join(results)
    return f"""
    func.func @main({arguments}) -> ({listed}) {{
      {named} = "{name}"({operands}) {properties}{inner}: ({", ".join(types)}) -> ({listed})
      return {answers} : {listed}
    }}"""


RunOp = Callable[..., Outputs]


@pytest.fixture(scope="session")
def run_op() -> RunOp:
    """Runs one operation on arrays; ``results`` are types, by default the first array's."""

    def run_one(
        name: str,
        arrays: Sequence[np.ndarray],
        results: Sequence[str] = (),
        attributes: str = "",
        regions: Sequence[str] = (),
        elements: Mapping[int, str] | None = None,
    ) -> Outputs:
        types = [type_of(a, (elements or {}).get(i)) for i, a in enumerate(arrays)]
        text = op_module(name, types, list(results) or types[:1], attributes, regions)
        return outputs_of(module_of(text), list(arrays))

    return run_one


@pytest.fixture(scope="session")
def parse() -> Callable[[str], Operation]:
    return module_of


@pytest.fixture(scope="session")
def outputs() -> Callable[..., Outputs]:
    return outputs_of
