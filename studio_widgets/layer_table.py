"""A table of a model's layers: sort, search, select; sensitivity and plan in each row.

    table = LayerTable(layers, analysis)
    table.selected_layer        # id of the row a person clicked
    table.plan = plan           # bars and locks follow

Only the rows in view are elements of the page, so thousands of layers are no burden.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import traitlets

from studio_core.errors import StudioError
from studio_core.layers.layer import Layer, LayerStatus
from studio_core.plans.plan import PruningPlan
from studio_core.sensitivity.analysis import Analysis
from studio_widgets import _format
from studio_widgets._assets import css, esm
from studio_widgets._base import StudioWidget
from studio_widgets._curves import curve_set
from studio_widgets._inputs import layers_of, loss_of, opened
from studio_widgets._wire import RowsDocument, compressed, floats, plan_buffer

COLUMNS = (
    "name",
    "op",
    "shape",
    "status",
    "params",
    "macs",
    "sparsity",
    "sensitivity",
    "planned",
)
_SPARKLINE = np.linspace(0.0, 1.0, 17)


class LayerTable(StudioWidget):
    """A table of layers that stays fluent with thousands of them.

    ``model`` is a sequence of layers, an opened model or the path of one; ``loss`` is a
    sensitivity analysis, whose curve is drawn small in each row. Arrow keys move, Enter
    selects, "/" searches.
    """

    _esm = esm("layer_table")
    _css = css("_grid", "layer_table")

    _rows = traitlets.Bytes().tag(sync=True)
    _curves = traitlets.Bytes().tag(sync=True)
    _curve_label = traitlets.Unicode().tag(sync=True)
    _plan = traitlets.Bytes().tag(sync=True)

    layers = traitlets.Tuple()
    """The layers shown, as `Layer` records. Type: tuple. Default: given first."""

    loss = traitlets.Instance(Analysis, allow_none=True)
    """Sensitivities drawn in the rows. Type: Analysis or None. Default: None."""

    plan = traitlets.Instance(PruningPlan, allow_none=True)
    """The plan whose sparsities and locks are shown. Type: PruningPlan or None. Default: None."""

    selected_layer = traitlets.Unicode().tag(sync=True)
    """Id of the selected layer, "" for none. Type: str. Default: ""."""

    search = traitlets.Unicode().tag(sync=True)
    """Show only rows whose name, op, node or status holds this text. Type: str. Default: ""."""

    sort_by = traitlets.Enum(("", *COLUMNS), default_value="").tag(sync=True)
    """Column to sort by, "" for the order of the model. Type: str. Default: ""."""

    sort_descending = traitlets.Bool(False).tag(sync=True)
    """Largest first; unknown values come last either way. Type: bool. Default: False."""

    height = traitlets.Int(364, min=100).tag(sync=True)
    """Greatest height of the rows, in pixels. Type: int. Default: 364, eleven rows."""

    def __init__(self, model: Any, loss: Analysis | None = None, **settings: Any) -> None:
        source = opened(model)
        super().__init__(layers=layers_of(source), loss=loss or loss_of(source), **settings)

    @traitlets.observe("layers")
    def _send_rows(self, change: Any) -> None:
        with self.hold_sync():
            self._rows = compressed(_document(self.layers))
            self._send_curves(change)
            self._send_plan(change)

    @traitlets.observe("loss")
    def _send_curves(self, _change: Any) -> None:
        with self.hold_sync():
            self._curves = _sparklines(self.layers, self.loss)
            self._curve_label = curve_set(self.loss).label if self.loss else ""

    @traitlets.observe("plan")
    def _send_plan(self, _change: Any) -> None:
        self._plan = plan_buffer([layer.id for layer in self.layers], self.plan)


def _document(layers: Sequence[Layer]) -> RowsDocument:
    statuses = list(LayerStatus)
    reasons = sorted({layer.reason for layer in layers})
    reason_index = {reason: i for i, reason in enumerate(reasons)}
    return RowsDocument(
        id=[layer.id for layer in layers],
        name=[layer.name for layer in layers],
        node=[layer.node_name for layer in layers],
        op=[layer.op_type for layer in layers],
        shape=[_format.shape(layer.weight_shape) for layer in layers],
        status=[statuses.index(layer.status) for layer in layers],
        reason=[reason_index[layer.reason] for layer in layers],
        params=[layer.num_params for layer in layers],
        macs=[layer.macs for layer in layers],
        sparsity=[_sparsity(layer) for layer in layers],
        statuses=[{"key": status.value, "label": status.label} for status in statuses],
        reasons=reasons,
    )


def _sparsity(layer: Layer) -> float | None:
    try:
        value = layer.sparsity
    except StudioError:
        return None  # one unreadable weight must not hide the other rows
    return None if value is None else round(value, 8)


def _sparklines(layers: Sequence[Layer], loss: Analysis | None) -> bytes:
    """For each layer its curve on a common grid, then for each layer the mean of its curve."""
    if loss is None:
        return b""
    curves = curve_set(loss)
    row_of = {layer_id: i for i, layer_id in enumerate(curves.ids)}
    rows = np.array([row_of.get(layer.id, -1) for layer in layers], dtype=int)
    values = np.vstack([curves.resampled(_SPARKLINE), np.full((1, len(_SPARKLINE)), np.nan)])
    scores = np.append(curves.scores, np.nan)
    return floats(values[rows], scores[rows])
