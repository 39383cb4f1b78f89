"""Whether a model file is one that others accept: ONNX's checker, and onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx.checker
import onnxruntime as ort

_SILENT = 4


@dataclass(frozen=True)
class Verification:
    """Why a file is refused, in the words of those who do; empty where it is accepted."""

    checker: str
    runtime: str

    @property
    def is_accepted(self) -> bool:
        return not self.checker and not self.runtime


def verify_file(path: str | Path) -> Verification:
    """Give the model at ``path`` to onnx.checker and load it in onnxruntime (CPU)."""
    return Verification(_checker(Path(path)), _runtime(Path(path)))


def _checker(path: Path) -> str:
    try:
        onnx.checker.check_model(str(path))
    except Exception as error:  # ValidationError, and bare errors of the C++ parser
        return _first_line(error)
    return ""


def _runtime(path: Path) -> str:
    options = ort.SessionOptions()
    options.log_severity_level = _SILENT
    # Loading proves the file; optimising it would only take time and memory.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own kinds, without a common base
        return _first_line(error)
    return ""


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
