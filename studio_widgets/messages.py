"""What a widget says when something goes wrong: a heading for each class of error.

`HEADINGS` is the widgets' counterpart of the server's table of statuses; a test fails when
a class of ``studio_core.errors`` is missing here.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets

from studio_core import errors

HEADINGS: dict[type[errors.StudioError], str] = {
    errors.StudioError: "Studio could not do this",
    errors.NotFoundError: "Not found",
    errors.InvalidModelError: "This model cannot be used",
    errors.NotAModelError: "Not an ONNX model",
    errors.TruncatedModelError: "The model file is cut short",
    errors.MissingDataError: "Weights are missing",
    errors.UnsafePathError: "The model points outside its folder",
    errors.LimitError: "The model is beyond a limit",
    errors.MlirSyntaxError: "This is not valid MLIR",
    errors.InvalidRequestError: "Please check this value",
    errors.InfeasibleError: "No plan can do this",
    errors.ForbiddenPathError: "Studio may not read there",
    errors.ConflictError: "Somebody else changed this",
    errors.ChangedMeanwhileError: "Not what was read any more",
    errors.StorageError: "The disk refused",
}


def heading(error: Exception) -> str:
    """The heading of the nearest class in `HEADINGS`; one for bugs where there is none."""
    for cls in type(error).__mro__:
        if cls in HEADINGS:
            return HEADINGS[cls]
    return "Something unexpected happened in Studio"


def as_html(title: str, text: str, *, kind: str = "error") -> str:
    """A message as safe HTML; ``kind`` is error, warning or note."""
    role = "alert" if kind == "error" else "status"
    return (
        f'<div class="studio-message studio-message-{kind}" role="{role}">'
        f"<strong>{html.escape(title)}</strong> <span>{html.escape(text)}</span></div>"
    )


class MessageArea(ipywidgets.HTML):
    """The place in a widget where its messages stand; takes no room while there is none."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.add_class("studio-message-area")
        self.layout.display = "none"

    def say(self, title: str, text: str, *, kind: str = "note") -> None:
        self.value = as_html(title, text, kind=kind)
        self.layout.display = ""

    def show(self, error: Exception) -> None:
        text = str(error) if isinstance(error, errors.StudioError) else repr(error)
        self.say(heading(error), text, kind="error")

    def clear(self) -> None:
        if self.value:
            self.value = ""
            self.layout.display = "none"

    @contextmanager
    def catching(self) -> Iterator[None]:
        """Show what goes wrong inside; what is not of Studio's family is also raised."""
        self.clear()
        try:
            yield
        except errors.StudioError as error:
            self.show(error)
        except Exception as error:
            self.show(error)  # a callback's traceback only reaches a log nobody looks at
            raise
