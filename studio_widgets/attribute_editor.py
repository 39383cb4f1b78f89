"""The attributes of a node: what can be changed as controls, memory as bars, the rest as a table.

    editor = AttributeEditor(node)
    editor.on_change(print)             # {"grid_shape": "4x8"}
    editor.set_value("data_type", "bfp_bf8")
    editor.mark("grid_shape", "rejected", "The optimizer was off.")
    editor.reset()

What may be written, and how it is stepped, is known to `studio_core.attributes` alone.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import ipywidgets
import traitlets

from studio_core.attributes.specs import EditableSpec
from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.graphs.records import GraphAttribute, GraphNode
from studio_widgets._attribute_parts import memory_html, ports_html, table_html
from studio_widgets._attribute_rows import AttributeRow, Mark, can_edit
from studio_widgets._base import ShortRepr, reject_unknown, settings_of
from studio_widgets.panel_style import PanelStyle

_EMPTY = "Select a node to see its attributes."
_MOST_KEPT = 40


class AttributeEditor(ShortRepr, ipywidgets.VBox):
    """Shows and edits attributes; ``source`` is a `GraphNode`, attributes, or None.

    ``changes`` holds what is asked for and differs from the model.
    """

    node = traitlets.Instance(GraphNode, allow_none=True)
    """The node shown. Type: GraphNode or None. Default: given first."""

    changes = traitlets.Dict()
    """New values by key, as text; without those that are the model's own. Type: dict[str, str].
    Default: {}."""

    def __init__(self, source: Any = None, **settings: Any) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, ipywidgets.VBox))
        self.rows: dict[str, AttributeRow] = {}
        self._kept: dict[tuple[str, EditableSpec], AttributeRow] = {}
        self._callbacks: list[Callable[[dict[str, str]], None]] = []
        self._make_parts()
        style = PanelStyle("panel", "attribute_editor")
        parts = [style, self.title, self.memory, self.head, self.controls, self.effect, self.table]
        super().__init__(parts, **settings)
        for name in ("studio", "studio-attribute-editor"):
            self.add_class(name)
        self.show(source if source is not None else self.node)

    def _make_parts(self) -> None:
        self.title, self.memory = ipywidgets.HTML(), ipywidgets.HTML()
        self.effect, self.table = ipywidgets.HTML(), ipywidgets.HTML()
        self.controls = ipywidgets.VBox()
        words = ipywidgets.HTML('<div class="studio-section-title">Editable</div>')
        self.reset_button = ipywidgets.Button(
            description="Reset all", tooltip="Go back to the model's own values"
        )
        self.reset_button.layout.width = "auto"
        self.reset_button.add_class("studio-quiet")
        self.reset_button.on_click(lambda _: self.reset())
        self.head = ipywidgets.HBox([words, self.reset_button])
        self.head.add_class("studio-attribute-head")

    # In Python

    def show(
        self,
        source: Any,
        changes: Mapping[str, str] | None = None,
        marks: Mapping[str, tuple[Mark, str]] | None = None,
    ) -> None:
        """Show another node (or attributes, or nothing), with what was asked of it before.

        ``marks`` says by key what became of it, and why. Nobody is told: this is no edit.
        """
        node = _node_of(source)
        asked, told = dict(changes or {}), dict(marks or {})
        attributes = node.attributes if node is not None else ()
        editable = [a for a in attributes if can_edit(a)]
        self.rows = {}
        for attribute in editable:
            row = self._row(attribute)
            mark, reason = told.get(attribute.key, ("", ""))
            row.show(attribute, asked.get(attribute.key), mark, reason)
            self.rows[attribute.key] = row
        self.show_effect("")
        with self.hold_trait_notifications():
            self.node = node
            self.changes = self._changes()
        if self.controls.children != tuple(self.rows.values()):
            self.controls.children = tuple(self.rows.values())
        self._draw(attributes)

    def set_value(self, key: str, value: str) -> None:
        """Change an attribute as a person would; raises `InvalidRequestError` for a value that
        it cannot have, `NotFoundError` for a key that cannot be edited."""
        self._row_of(key).set_value(value)

    def mark(self, key: str, mark: Mark, reason: str = "") -> None:
        """Say what became of a change; ``mark`` is changed, applied, rejected or "" for none."""
        self._row_of(key).say(mark, reason)

    def reset(self, key: str | None = None) -> None:
        """Go back to the model's own value of ``key``, or of all."""
        if key is not None:
            self._row_of(key).reset()
            return
        for row in self.rows.values():
            if row.change is not None:
                row.reset()

    def on_change(self, callback: Callable[[dict[str, str]], None]) -> None:
        """Call ``callback`` with `changes` after each edit."""
        self._callbacks.append(callback)

    def show_memory(self, attributes: Iterable[GraphAttribute]) -> None:
        """Draw other memory bars, such as those after an edit."""
        self.memory.value = memory_html(attributes)
        self.memory.layout.display = "" if self.memory.value else "none"

    def show_effect(self, safe_html: str) -> None:
        """Show below the controls what the changes do; the text must be safe HTML."""
        self.effect.value = safe_html
        self.effect.layout.display = "" if safe_html else "none"

    # What is drawn

    def _row(self, attribute: GraphAttribute) -> AttributeRow:
        """A row for the attribute; nodes of one kind share theirs, so that walking is quick."""
        assert attribute.editable is not None
        kind = (attribute.key, attribute.editable)
        if kind not in self._kept:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[kind] = AttributeRow(attribute, self._edited)
        return self._kept[kind]

    def _row_of(self, key: str) -> AttributeRow:
        if key not in self.rows:
            known = ", ".join(self.rows) or "none of this node"
            raise NotFoundError(f"No attribute {key!r} can be edited here. Editable: {known}.")
        return self.rows[key]

    def _edited(self, _key: str, _value: str | None) -> None:
        self.changes = self._changes()
        self._draw_head()
        for callback in self._callbacks:
            callback(dict(self.changes))

    def _changes(self) -> dict[str, str]:
        return {key: row.change for key, row in self.rows.items() if row.change is not None}

    def _draw(self, attributes: Iterable[GraphAttribute]) -> None:
        node = self.node
        all_of_them = list(attributes)
        self.title.value = _title_html(node)
        self.show_memory(a for a in all_of_them if a.display_type == "memory")
        plain = [a for a in all_of_them if a.key not in self.rows and a.display_type != "memory"]
        heading = '<div class="studio-section-title">Attributes</div>' if plain else ""
        ports = ports_html(node) if node is not None else ""
        inner = f"{heading}{table_html(plain)}{ports}"
        # It scrolls, so a keyboard must be able to reach it.
        opening = '<div class="studio-attribute-table" tabindex="0" role="region"'
        self.table.value = f'{opening} aria-label="Attributes">{inner}</div>'
        self._draw_head()

    def _draw_head(self) -> None:
        self.head.layout.display = "" if self.rows else "none"
        self.reset_button.layout.visibility = "visible" if self.changes else "hidden"


def _node_of(source: Any) -> GraphNode | None:
    if source is None or isinstance(source, GraphNode):
        return source
    attributes = tuple(source) if isinstance(source, Iterable) else (source,)
    if all(isinstance(attribute, GraphAttribute) for attribute in attributes):
        return GraphNode("", "", attributes=tuple(replace(a) for a in attributes))
    raise InvalidRequestError(
        f"A node of a graph or its attributes are wanted here, not {type(source).__name__}."
    )


def _title_html(node: GraphNode | None) -> str:
    if node is None:
        return f'<div class="studio-hint">{_EMPTY}</div>'
    if not node.id:
        return ""
    label, name = html.escape(node.label), html.escape(node.id)
    return (
        f'<div class="studio-attribute-title">{label}</div>'
        f'<div class="studio-attribute-name" title="{name}">{name}</div>'
    )
