"""Where the time of a run goes, and what pruning brings a layer: bars and one small chart.

    view = PerformanceView(analysis, layers)
    view.selected_layer         # id of the bar a person clicked

Bars are time with its spread; with what is no layer's they add up to the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import traitlets

from studio_core.layers import Layer
from studio_core.sensitivity import Analysis
from studio_widgets._assets import css, esm
from studio_widgets._base import StudioWidget
from studio_widgets._performance import bars_document, layer_document
from studio_widgets._wire import compressed


class PerformanceView(StudioWidget):
    """A measured performance ``analysis``; None shows nothing."""

    _esm = esm("performance_view")
    _css = css("performance_view")

    _bars = traitlets.Bytes().tag(sync=True)
    _layer = traitlets.Bytes().tag(sync=True)

    analysis = traitlets.Instance(Analysis, allow_none=True)
    """The measurements shown. Type: Analysis or None. Default: None."""

    selected_layer = traitlets.Unicode().tag(sync=True)
    """Id of the selected layer, "" for none. Type: str. Default: ""."""

    def __init__(
        self, analysis: Analysis | None = None, layers: Sequence[Layer] = (), **settings: Any
    ) -> None:
        self.layers = tuple(layers)
        super().__init__(analysis=analysis, **settings)

    @traitlets.observe("analysis")
    def _send_bars(self, change: Any) -> None:
        with self.hold_sync():
            if self.analysis is None:
                self._bars = b""
            else:
                self._bars = compressed(bars_document(self.analysis, self.layers))
            self._send_layer(change)

    @traitlets.observe("selected_layer")
    def _send_layer(self, _change: Any) -> None:
        found = None
        if self.analysis is not None and self.selected_layer:
            found = layer_document(self.analysis, self.selected_layer)
        self._layer = b"" if found is None else compressed(found)
