"""`Figure`: Plotly's FigureWidget in the theme's colours, without its five megabytes of script.

    figure = Figure(plotly_figure, label="Parameters by layer", summary="21 layers; …")
    figure.data[0].on_click(lambda trace, points, state: …)
    figure.draw(other, label=…, summary=…)       # the same place shows something else

The page loads Plotly once, from Studio's server extension; where none answers, the kernel sends
it once a page (`static/figure.js`). Neither is part of the widget's state, and so of a notebook.
Importing this module imports Plotly, which takes a second or more: import it where you draw.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import plotly
import plotly.graph_objects as go
import traitlets
from plotly.serializers import custom_serializers

from studio_widgets._assets import css, esm
from studio_widgets._base import ShortRepr
from studio_widgets.charts.palette import GROUND, TOKENS

_SCRIPT = Path(plotly.__file__).parent / "package_data" / "widgetbundle.js"


@cache
def _packed_script() -> bytes:
    return zlib.compress(_SCRIPT.read_bytes(), 6)


class Figure(ShortRepr, go.FigureWidget):
    """A Plotly figure with a title and its summary in words; takes what FigureWidget takes.

    What a person does reaches Python as with every FigureWidget (``on_click``, zooming). What
    Plotly computes by itself, such as the range of an axis, is not sent back.
    """

    _esm = esm("figure")
    _css = css("figure")

    _bundle = traitlets.Unicode(plotly.__version__).tag(sync=True)
    _colours = traitlets.Dict({"tokens": dict(TOKENS), "ground": GROUND}).tag(sync=True)
    _has_steps = traitlets.Bool(False).tag(sync=True)

    label = traitlets.Unicode().tag(sync=True)
    """What the figure shows, its title for everybody. Type: str. Default: ""."""

    summary = traitlets.Unicode().tag(sync=True)
    """What is to be seen in it, in a sentence or two. Type: str. Default: ""."""

    def __init__(
        self,
        data: Any = None,
        layout: Any = None,
        *,
        label: str = "",
        summary: str = "",
        **more: Any,
    ) -> None:
        self._is_redrawn = False
        self._on_step: Callable[[int], None] | None = None
        super().__init__(data, layout, **more)
        self.label, self.summary = label, summary
        self.on_msg(self._answer)

    def draw(self, figure: go.Figure, *, label: str = "", summary: str = "") -> None:
        """Show ``figure`` in place of the present one, in one message; callbacks end with that."""
        with self.hold_sync():
            with self._in_silence():
                self.data = ()
                self.add_traces(figure.data)
                self.layout = figure.layout
            self._renew()
            self.label, self.summary = label, summary

    def place(self, shapes: list[dict[str, Any]]) -> None:
        """Draw these shapes, and no others; the data are not sent again."""
        with self._in_silence():
            self.layout.shapes = shapes
        self._widget_layout = deepcopy(self._layout_obj._props)

    def on_step(self, hear: Callable[[int], None]) -> None:
        """Have ``hear`` told of arrow keys in the figure: -1 to the left and up, else 1."""
        self._on_step = hear
        self._has_steps = True

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """The state; all of it holds the figure as it is now, not as it was first made."""
        state: dict[str, Any] = super().get_state(key, drop_defaults)
        if key is None and "_layout_obj" in self.__dict__:  # not yet when the widget is opened
            to_json = custom_serializers["to_json"]
            state["_widget_data"] = to_json(self._data, self)
            state["_widget_layout"] = to_json(self._layout_obj._props, self)
        return state

    def _renew(self) -> None:
        self._widget_data = deepcopy(self._data)
        self._widget_layout = deepcopy(self._layout_obj._props)

    @contextmanager
    def _in_silence(self) -> Iterator[None]:
        """Changes in here are not sent one by one."""
        self._is_redrawn = True
        try:
            yield
        finally:
            self._is_redrawn = False

    def _answer(self, _widget: Any, content: Any, _buffers: Any) -> None:
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "bundle":
            self.send({"kind": "bundle"}, [_packed_script()])
        elif kind == "refresh":
            self._renew()
        elif kind == "step" and self._on_step is not None:
            self._on_step(-1 if content.get("by") == -1 else 1)

    def _send_addTraces_msg(self, *given: Any, **more: Any) -> None:  # noqa: N802
        if not self._is_redrawn:
            super()._send_addTraces_msg(*given, **more)

    def _send_deleteTraces_msg(self, *given: Any, **more: Any) -> None:  # noqa: N802
        if not self._is_redrawn:
            super()._send_deleteTraces_msg(*given, **more)

    def _send_relayout_msg(self, *given: Any, **more: Any) -> None:
        if not self._is_redrawn:
            super()._send_relayout_msg(*given, **more)
