"""TTIR, TTNN and StableHLO as ONNX: `lower`, and `unlowerable` before anything runs."""

from studio_core.execution.lowering import (
    attention,
    convolutions,
    creation,
    elementwise,
    indexing,
    logic,
    movement,
    normalizations,
    pooling,
    products,
    quantized,
    reductions,
)
from studio_core.execution.lowering.entries import entry, functions
from studio_core.execution.lowering.lowered import Input, Lowered
from studio_core.execution.lowering.module import lower, unlowerable
from studio_core.execution.lowering.table import TABLE

LOWERINGS = (
    attention,
    convolutions,
    creation,
    elementwise,
    indexing,
    logic,
    movement,
    normalizations,
    pooling,
    products,
    quantized,
    reductions,
)
"""The modules that fill the table when they are imported."""

__all__ = ["LOWERINGS", "TABLE", "Input", "Lowered", "entry", "functions", "lower", "unlowerable"]
