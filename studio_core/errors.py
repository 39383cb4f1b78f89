"""Everything that can go wrong, as one family that both doors map once.

    StudioError
    ├── NotFoundError             a project, layer, analysis or file that is not there
    ├── InvalidModelError         a file that cannot be used as a model
    │   ├── NotAModelError        not an ONNX model at all
    │   ├── TruncatedModelError   begins as a model and ends too early
    │   ├── MissingDataError      its external data file is absent or too short
    │   ├── UnsafePathError       its external data points outside the model's folder
    │   ├── LimitError            larger or deeper than the limits allow, or too slow to open
    │   └── MlirSyntaxError       a text of MLIR that is broken, with line and column
    ├── InvalidRequestError       a value that the caller can correct
    ├── InfeasibleError           a plan that no choice of sparsities can meet
    ├── ForbiddenPathError        a path outside the folders Studio may read
    ├── ConflictError             somebody else changed or holds the same thing
    │   └── ChangedMeanwhileError what was to be changed is not what was read
    └── StorageError              the disk refused (full, read-only, damaged project)

The server maps each class to a status in ``studio_server.errors``, the widgets to a
heading in ``studio_widgets.messages``; a test fails when a class here is missing there.
Messages are whole sentences in the caller's words and say what to do next.
"""

from __future__ import annotations


class StudioError(Exception):
    """Base of the family; ``str(error)`` is a sentence a person can act on."""

    @property
    def message(self) -> str:
        return str(self)


class NotFoundError(StudioError):
    """What was asked for does not exist."""


class InvalidModelError(StudioError):
    """The file exists but cannot be used as a model."""


class NotAModelError(InvalidModelError):
    """The file is something other than an ONNX model."""


class TruncatedModelError(InvalidModelError):
    """The file begins as an ONNX model but ends too early."""


class MissingDataError(InvalidModelError):
    """The model keeps weights in another file that is absent or too short."""


class UnsafePathError(InvalidModelError):
    """The model's external data points outside the model's own folder."""


class LimitError(InvalidModelError):
    """The file asks for more than a limit allows; the message names the limit."""


class MlirSyntaxError(InvalidModelError):
    """The text breaks off or breaks the rules of MLIR; ``line`` and ``column`` count from 1."""

    def __init__(
        self, message: str = "", line: int | None = None, column: int | None = None
    ) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class InvalidRequestError(StudioError):
    """A value given by the caller cannot be used."""


class InfeasibleError(StudioError):
    """No choice of sparsities meets what was asked of the plan."""


class ForbiddenPathError(StudioError):
    """The path lies outside the folders that Studio may read."""


class ConflictError(StudioError):
    """The same thing was changed or is held by somebody else."""


class ChangedMeanwhileError(ConflictError):
    """What was to be changed is no longer what the caller has read."""


class StorageError(StudioError):
    """The disk refused, or what it holds is damaged."""
