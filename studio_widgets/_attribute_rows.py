"""The rows of the attribute editor: one for each attribute that can be changed.

A row knows the value that the model has, the one that is asked for, and what became of it.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any, Literal

import ipywidgets

from studio_core.attributes.specs import EditableSpec, GridSpec, IntListSpec, ValueListSpec
from studio_core.attributes.values import options_of, parse_value, read_value
from studio_core.errors import InvalidRequestError
from studio_core.graphs.records import GraphAttribute
from studio_widgets.number_list import NumberList

Mark = Literal["", "changed", "applied", "rejected"]
MARKS: tuple[Mark, ...] = ("", "changed", "applied", "rejected")
_WORDS: dict[Mark, str] = {
    "changed": "changed",
    "applied": "applied",
    "rejected": "rejected",
}
_TOOLTIPS: dict[Mark, str] = {
    "changed": "Asked for; nothing was run with it yet",
    "applied": "The last run used this value",
    "rejected": "The last run did not use this value",
}


class AttributeRow(ipywidgets.VBox):
    """An attribute with its control, a mark, the reason, and a way back to its own value.

    ``on_change`` hears of the key and the new value, None where it is the model's own again.
    """

    def __init__(
        self, attribute: GraphAttribute, on_change: Callable[[str, str | None], None]
    ) -> None:
        assert attribute.editable is not None
        self.key, self.spec = attribute.key, attribute.editable
        self.own = attribute.value
        self._on_change, self._is_drawing = on_change, False
        self.mark: Mark = ""
        self.title = ipywidgets.HTML()
        self.control = self._make_control(self.spec)
        self.back = ipywidgets.Button(icon="undo", tooltip=f"Reset {self.key}")
        self.back.add_class("studio-attribute-back")
        self.back.on_click(lambda _: self.reset())
        self.reason = ipywidgets.HTML()
        line = ipywidgets.HBox([self.title, self.control, self.back])
        line.add_class("studio-attribute-line")
        super().__init__([line, self.reason])
        self.add_class("studio-attribute-row")
        self.show(attribute)

    @property
    def value(self) -> str:
        """The value as it stands in the control."""
        if isinstance(self.control, NumberList):
            return str(self.control.text)
        return str(self.control.value)

    @property
    def change(self) -> str | None:
        """What is asked for; None where it is the model's own value."""
        return None if self.value == self.own else self.value

    def show(
        self,
        attribute: GraphAttribute,
        asked: str | None = None,
        mark: Mark = "",
        reason: str = "",
    ) -> None:
        """Show the attribute of another node with the same specification."""
        self.own = attribute.value
        try:
            read_value(self.spec, self.own if asked is None else asked, current=self.own)
            self._set_value(self.own if asked is None else asked)
        except InvalidRequestError as error:
            self._set_value(self.own)
            self.say("rejected", f"{asked}: {error}")
            return
        self.say(mark or ("changed" if self.change is not None else ""), reason)

    def set_value(self, text: str) -> None:
        """Ask for a value; raises `InvalidRequestError` where the specification forbids it."""
        read_value(self.spec, text, current=self.own)
        self._set_value(text)
        self._changed()

    def reset(self) -> None:
        """Go back to the model's own value."""
        self._set_value(self.own)
        self._changed()

    def say(self, mark: Mark, reason: str = "") -> None:
        """Set the mark and what is said below the control."""
        self.mark = mark
        self.back.layout.visibility = "visible" if self.change is not None else "hidden"
        self.title.value = _title_html(self.key, mark)
        kind = "error" if mark == "rejected" else "note"
        words = html.escape(reason)
        self.reason.value = f'<div class="studio-reason-{kind}">{words}</div>' if reason else ""
        self.reason.layout.display = "" if reason else "none"

    def _make_control(self, spec: EditableSpec) -> Any:
        if isinstance(spec, IntListSpec | GridSpec):
            return NumberList(spec, self.own, lambda _: self._changed(), label=self.key)
        control = ipywidgets.Dropdown(
            options=options_of(spec, self.own), value=self.own, tooltip=self.key
        )
        control.observe(lambda _: self._changed(), "value")
        return control

    def _set_value(self, text: str) -> None:
        was_drawing, self._is_drawing = self._is_drawing, True
        try:
            if isinstance(self.control, NumberList):
                self.control.show(text, allowed=self.own)
            elif isinstance(self.spec, ValueListSpec):
                options = options_of(self.spec, self.own)
                if self.control.options != options:
                    self.control.options = options
                self.control.value = text
        finally:
            self._is_drawing = was_drawing

    def _changed(self) -> None:
        if self._is_drawing:
            return
        self.say("changed" if self.change is not None else "")
        self._on_change(self.key, self.change)


def can_edit(attribute: GraphAttribute) -> bool:
    """Whether the value is written as its specification says; that of a hostile file may not."""
    if attribute.editable is None:
        return False
    try:
        parse_value(attribute.editable, attribute.value)
    except InvalidRequestError:
        return False
    return True


def _title_html(key: str, mark: Mark) -> str:
    badge = ""
    if mark:
        badge = (
            f'<span class="studio-mark studio-mark-{mark}" title="{_TOOLTIPS[mark]}">'
            f"{_WORDS[mark]}</span>"
        )
    name = html.escape(key)
    return f'<span class="studio-attribute-key" title="{name}">{name}</span>{badge}'
