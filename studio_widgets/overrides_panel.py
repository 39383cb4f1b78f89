"""What is asked of the compiler: overrides op by op, and what would be sent.

    panel = OverridesPanel(overrides)
    panel.show(overrides, options=to_compiler_options(…))
    panel.overrides                     # without those that a person took away

What is wrong with them stands with the other findings (findings_panel.py). Overrides are read and
written as JSON as the original front end does.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from typing import Any

import ipywidgets
import traitlets

from studio_core.errors import InvalidRequestError
from studio_core.overrides.compiler_options import CompilerOptions
from studio_core.overrides.documents import MAX_FILE_BYTES, from_json, to_json
from studio_core.overrides.records import Override, Overrides
from studio_widgets._base import ShortRepr, reject_unknown, settings_of
from studio_widgets._format import shortened
from studio_widgets.messages import MessageArea
from studio_widgets.panel_style import PanelStyle

_MOST_ROWS = 40
_MOST_LEFT_OUT = 20
_NAME_LETTERS = 44


class OverridesPanel(ShortRepr, ipywidgets.VBox):
    """A list of overrides that can be thinned out, saved and loaded.

    ``on_select`` hears of the key of an override that a person wants to see in the graph.
    """

    overrides = traitlets.Instance(Overrides)
    """The overrides as they stand. Type: Overrides. Default: none."""

    def __init__(
        self,
        overrides: Overrides | None = None,
        on_select: Callable[[str], None] | None = None,
        **settings: Any,
    ) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, ipywidgets.VBox))
        self._on_select = on_select
        self._drawn: tuple[object, ...] = ()
        self._make_parts()
        style = PanelStyle("panel", "explorer")
        parts = [style, self.head, self.messages, self.rows, self.sent]
        super().__init__(parts, **settings)
        for name in ("studio", "studio-overrides"):
            self.add_class(name)
        self.show(overrides or Overrides())

    def _make_parts(self) -> None:
        self.count = ipywidgets.HTML()
        self.clear_button = _quiet("Clear", "Take all overrides away")
        self.clear_button.on_click(lambda _: self._change(Overrides()))
        self.upload = ipywidgets.FileUpload(
            description="Load", accept=".json", tooltip="Overrides as JSON, as tt-explorer writes"
        )
        self.upload.layout.width = "auto"
        self.upload.add_class("studio-quiet")
        self.upload.observe(self._uploaded, "value")
        self.download = ipywidgets.HTML()
        self.head = ipywidgets.HBox([self.count, self.upload, self.download, self.clear_button])
        self.head.add_class("studio-overrides-head")
        self.messages = MessageArea()
        self.rows = ipywidgets.VBox()
        self.sent = ipywidgets.HTML()

    def show(self, overrides: Overrides, options: CompilerOptions | None = None) -> None:
        """Show other overrides, and the compiler's options for them."""
        self.overrides = overrides
        drawn = (overrides, options)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        number = sum(len(override.attributes) for override in overrides)
        ops = f"{len(overrides):,} op{'s' * (len(overrides) != 1)}"
        words = f"{number:,} value{'s' * (number != 1)} on {ops}" if number else "none"
        self.count.value = f'<div class="studio-hint">{words}</div>'
        self.clear_button.layout.display = "" if number else "none"
        self.download.value = _download_html(overrides) if number else ""
        shown = list(overrides)[:_MOST_ROWS]
        rows: list[Any] = [self._row(override) for override in shown]
        if more := len(overrides) - len(shown):
            rows.append(ipywidgets.HTML(f'<div class="studio-hint">and {more} more ops</div>'))
        self.rows.children = rows
        self.sent.value = _sent_html(options) if options is not None else ""

    def load(self, content: bytes | str) -> None:
        """Replace the overrides by those of a JSON text; raises `InvalidRequestError`."""
        try:
            document = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise InvalidRequestError("This file holds no JSON. Choose a saved one.") from error
        if not isinstance(document, dict):
            raise InvalidRequestError("Overrides must be a JSON object, keyed by full location.")
        inner = document.get("overrides")
        is_wrapped = isinstance(inner, dict) and "attributes" not in inner
        self._change(from_json(inner if is_wrapped else document))

    def _uploaded(self, _change: Any) -> None:
        files = self.upload.value
        if not files:
            return
        with self.messages.catching():
            content = bytes(files[0]["content"])
            if len(content) > MAX_FILE_BYTES:
                raise InvalidRequestError("This file is too large for a file of overrides.")
            self.load(content)
        self.upload.value = ()

    def _change(self, overrides: Overrides) -> None:
        """A person's change: whoever observes ``overrides`` checks it and calls `show`."""
        self.messages.clear()
        self.overrides = overrides
        if self._drawn[0] is not overrides:
            self.show(overrides)

    def _row(self, override: Override) -> Any:
        title = ipywidgets.Button(
            description=shortened(override.named_location or override.key, _NAME_LETTERS),
            tooltip=f"Show {override.key} in the graph",
        )
        title.add_class("studio-link")
        title.on_click(lambda _: self._select(override.key))
        chips = [self._chip(override, key) for key in override.attributes]
        row = ipywidgets.HBox([title, *chips])
        row.add_class("studio-override")
        return row

    def _chip(self, override: Override, key: str) -> Any:
        chip = ipywidgets.Button(
            description=f"{key} {override.attributes[key]}  ×",
            tooltip=f"Take {key} away",
        )
        chip.layout.width = "auto"
        chip.add_class("studio-chip")
        chip.on_click(lambda _: self._change(self.overrides.without(override.key, key)))
        return chip

    def _select(self, key: str) -> None:
        if self._on_select is not None:
            self._on_select(key)


def _quiet(words: str, tooltip: str) -> Any:
    button = ipywidgets.Button(description=words, tooltip=tooltip)
    button.layout.width = "auto"
    button.add_class("studio-quiet")
    return button


def _download_html(overrides: Overrides) -> str:
    text = json.dumps(to_json(overrides), indent=2, ensure_ascii=True)
    content = base64.b64encode(text.encode("ascii")).decode("ascii")
    return (
        f'<a class="studio-download" download="overrides.json" '
        f'href="data:application/json;base64,{content}">Save</a>'
    )


def _sent_html(options: CompilerOptions) -> str:
    left_out = "".join(
        f"<li>{html.escape(f'{item.override} {item.attribute}')}: {html.escape(item.reason)}</li>"
        for item in options.left_out[:_MOST_LEFT_OUT]
    )
    left = f'<div class="studio-hint">Not sent:</div><ul>{left_out}</ul>' if left_out else ""
    text = html.escape(f"--{options.pipeline}={options.text}" if options.text else "nothing")
    return (
        '<details class="studio-sent"><summary>What would be sent to the compiler</summary>'
        f"<pre>{text}</pre>{left}</details>"
    )
