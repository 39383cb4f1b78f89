"""Sliders for single layers: one row, and pages of rows that are made once and reused.

A model may have thousands of layers, and a slider is three models in the browser; so ten
rows exist, and turning a page gives them other layers.

A slider in the browser rounds what it is given to its step and reports that as a move, so
it is only ever given hundredths; the plan keeps the exact number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ipywidgets

from studio_core.layers.layer import Layer
from studio_core.plans.plan import PruningPlan
from studio_widgets import _format

_NAME_LENGTH = 20  # what fits beside a slider
OnChange = Callable[[str, float], None]
OnLock = Callable[[str, bool], None]


class LayerRow(ipywidgets.HBox):
    """Slider and lock of one layer. ``on_change`` and ``on_lock`` hear the person only."""

    def __init__(self, on_change: OnChange, on_lock: OnLock, **slider: Any) -> None:
        self.layer_id = ""
        self._on_change, self._on_lock = on_change, on_lock
        self._is_drawing = False
        self.slider = fraction_slider("", maximum=1.0, **slider)
        self.lock = ipywidgets.Checkbox(description="lock", indent=False)
        self.lock.layout.width = "22px"  # the word is for screen readers, the head says it
        self.slider.observe(self._moved, "value")
        self.lock.observe(self._toggled, "value")
        super().__init__([self.slider, self.lock])
        self.add_class("studio-layer-row")

    def draw(self, layer: Layer, plan: PruningPlan | None) -> None:
        """Show ``layer`` as it stands in ``plan``, without calling anybody."""
        self.layer_id = layer.id
        sparsity = plan.sparsities.get(layer.id, 0.0) if plan else 0.0
        is_locked = plan is not None and layer.id in plan.locked
        with self._drawing():
            self.slider.description = _format.shortened(layer.name, _NAME_LENGTH)
            self.slider.tooltip = layer.name
            self.slider.value = shown(sparsity)
            self.lock.value = is_locked
            self.lock.tooltip = f"Keep the sparsity of {layer.name}"

    def mark(self, is_selected: bool) -> None:
        if is_selected:
            self.add_class("studio-selected")
        else:
            self.remove_class("studio-selected")

    @contextmanager
    def _drawing(self) -> Iterator[None]:
        self._is_drawing = True
        try:
            yield
        finally:
            self._is_drawing = False

    def _moved(self, change: Any) -> None:
        if not self._is_drawing and is_move(change):
            self._on_change(self.layer_id, shown(change["new"]))

    def _toggled(self, change: Any) -> None:
        if not self._is_drawing:
            self._on_lock(self.layer_id, bool(change["new"]))


class LayerPages(ipywidgets.VBox):
    """Rows for all ``layers``, ``page_size`` at a time; the page follows the selection."""

    def __init__(
        self, layers: Sequence[Layer], on_change: OnChange, on_lock: OnLock, page_size: int = 10
    ) -> None:
        self._layers = tuple(layers)
        self._position = {layer.id: i for i, layer in enumerate(self._layers)}
        self._plan: PruningPlan | None = None
        self._selected = ""
        self.page = 0
        self.page_size = page_size
        self.rows = [LayerRow(on_change, on_lock) for _ in self._layers[:page_size]]
        self.back = _page_button("chevron-left", "Previous layers", lambda: self.turn(-1))
        self.forward = _page_button("chevron-right", "Next layers", lambda: self.turn(1))
        self.where = ipywidgets.Label()
        pager = ipywidgets.HBox([self.back, self.where, self.forward])
        pager.add_class("studio-pager")
        head = ipywidgets.HTML('<div class="studio-rows-head">lock</div>')
        super().__init__([head, *self.rows, pager])

    @property
    def num_pages(self) -> int:
        return max(1, -(-len(self._layers) // self.page_size))

    def turn(self, step: int) -> None:
        self.page = min(max(0, self.page + step), self.num_pages - 1)
        self._draw()

    def show_plan(self, plan: PruningPlan | None) -> None:
        self._plan = plan
        self._draw()

    def select(self, layer_id: str) -> None:
        self._selected = layer_id
        if layer_id in self._position:
            self.page = self._position[layer_id] // self.page_size
        self._draw()

    def _draw(self) -> None:
        start = self.page * self.page_size
        shown = self._layers[start : start + self.page_size]
        for row, layer in zip(self.rows, shown, strict=False):
            row.draw(layer, self._plan)
            row.mark(layer.id == self._selected)
        for i, row in enumerate(self.rows):
            row.layout.display = "" if i < len(shown) else "none"
        self.where.value = f"{start + 1}–{start + len(shown)} of {len(self._layers)}"
        self.back.disabled = self.page == 0
        self.forward.disabled = self.page == self.num_pages - 1


def is_move(change: Any) -> bool:
    """Whether a person moved a slider: drawn in a page it reports 0.95 as 0.9500000000000001."""
    return shown(change["old"]) != shown(change["new"])


def shown(fraction: float) -> float:
    """A fraction as a slider shows it, in hundredths."""
    return round(float(fraction), 2)


def fraction_slider(description: str, *, maximum: float, **settings: Any) -> ipywidgets.FloatSlider:
    """A slider from 0 to ``maximum`` in hundredths that reports while it is dragged."""
    slider = ipywidgets.FloatSlider(
        min=0.0,
        max=maximum,
        step=0.01,
        description=description,
        readout_format=".2f",
        continuous_update=True,
        style={"description_width": "var(--studio-label-width, 130px)"},
        **settings,
    )
    slider.layout.width = "100%"
    return slider


def _page_button(icon: str, tooltip: str, turn: Callable[[], None]) -> ipywidgets.Button:
    button = ipywidgets.Button(icon=icon, tooltip=tooltip)
    button.layout.width = "34px"
    button.on_click(lambda _: turn())
    return button
