"""A function as a program: what its arguments are, beside the operations."""

from __future__ import annotations

from dataclasses import dataclass

from studio_core.execution.lowering.tensors import Tensor
from studio_core.execution.program import Program
from studio_core.mlir.records import Operation, Value


@dataclass(frozen=True, slots=True, eq=False)
class Input:
    """An argument of the function: its name for people, and its tensor in the program."""

    name: str
    position: int
    tensor: Tensor
    element: str
    """The element type as the module writes it."""
    value: Value

    @property
    def names(self) -> tuple[str, ...]:
        """All names by which data may be given for it."""
        return (self.name, self.value.name, self.value.name.lstrip("%"), str(self.position))


@dataclass(frozen=True, slots=True, eq=False)
class Lowered:
    """A function lowered to ONNX."""

    function: Operation
    inputs: tuple[Input, ...]
    program: Program
