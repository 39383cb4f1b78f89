"""Sections: a row of buttons, one for each thing that can be done; what is open shows below.

sections.opened = "measure"
sections.suggest("verify", "Next: run the whole plan.")

One is open at a time, or none. Only the open one is drawn in the page.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets
import traitlets

from studio_core.errors import NotFoundError
from studio_widgets._base import ShortRepr, close_all, reject_unknown, settings_of
from studio_widgets.panel_style import PanelStyle


@dataclass(frozen=True, eq=False)
class Section:
    """One thing that can be done: ``hint`` is a sentence, ``widget`` where it is done, or what
    makes that when it is first opened.

    ``icon`` is a name of Font Awesome; ``is_aside`` puts the button apart from the others.
    """

    key: str
    title: str
    hint: str
    widget: Any
    icon: str
    is_aside: bool = False


class Sections(ShortRepr, ipywidgets.VBox):
    """Buttons of the ``sections`` in their order, and the open one below them."""

    opened = traitlets.Unicode()
    """Key of the section that is open, "" for none. Type: str. Default: ""."""

    def __init__(self, sections: Sequence[Section], **settings: Any) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, ipywidgets.VBox))
        self._sections = {section.key: section for section in sections}
        self.buttons = {section.key: _button(section) for section in sections}
        for key, button in self.buttons.items():
            button.observe(lambda change, key=key: self._pressed(key, change["new"]), "value")
        self.next = ipywidgets.HTML()
        self.next.add_class("studio-next-words")
        row = ipywidgets.Box([self._group(is_aside=False), self._group(is_aside=True)])
        row.add_class("studio-sections-row")
        self._made: dict[str, Any] = {}
        self._hint = ipywidgets.HTML()
        self.body = ipywidgets.VBox()
        self.body.add_class("studio-sections-body")
        style = PanelStyle("sections")
        super().__init__([style, row, self.next, self.body], **settings)
        self.add_class("studio-sections")
        self._draw()

    def suggest(self, key: str, words: str) -> None:
        """Mark the section that comes next and say why; "" for none."""
        for name, button in self.buttons.items():
            (button.add_class if name == key else button.remove_class)("studio-next")
        self.next.value = html.escape(words)

    def entitle(self, key: str, title: str) -> None:
        """Another text on the button, such as one with a number."""
        self.buttons[key].description = title

    @traitlets.validate("opened")
    def _known(self, proposal: Any) -> str:
        key = str(proposal["value"])
        if key and key not in self._sections:
            raise NotFoundError(f"No section '{key}'. There are {', '.join(self._sections)}.")
        return key

    @traitlets.observe("opened")
    def _draw(self, _change: Any = None) -> None:
        for key, button in self.buttons.items():
            button.value = key == self.opened
        section = self._sections.get(self.opened)
        if section is None:
            self.body.children = ()
            self.body.layout.display = "none"
            return
        self._hint.value = f'<div class="studio-hint">{html.escape(section.hint)}</div>'
        self.body.children = (self._hint, self._widget(section))
        self.body.layout.display = ""

    def close(self) -> None:
        """Close the sections too, of which all but one are no children now."""
        for section in self._sections.values():
            if section.key in self._made or not callable(section.widget):
                close_all(self._widget(section))
        super().close()

    def _widget(self, section: Section) -> Any:
        if section.key not in self._made:
            is_maker = callable(section.widget)
            self._made[section.key] = section.widget() if is_maker else section.widget
        return self._made[section.key]

    def _pressed(self, key: str, is_pressed: bool) -> None:
        if is_pressed:
            self.opened = key
        elif self.opened == key:
            self.opened = ""

    def _group(self, *, is_aside: bool) -> Any:
        chosen = (s.key for s in self._sections.values() if s.is_aside is is_aside)
        group = ipywidgets.Box([self.buttons[key] for key in chosen])
        group.add_class("studio-sections-group")
        return group


def _button(section: Section) -> Any:
    return ipywidgets.ToggleButton(
        description=section.title, icon=section.icon, tooltip=section.hint
    )
