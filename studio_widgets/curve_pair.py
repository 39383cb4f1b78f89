"""Two curves of one layer over each other, such as an estimate and a measurement.

    pair = CurvePair(compare_analyses(left, right).curves[0], left="estimate", right="measured")

Bands are one standard error to either side, where errors are known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets

from studio_core.comparison.analyses import CurveComparison
from studio_core.sensitivity.analysis import FloatArray
from studio_widgets._assets import css, esm
from studio_widgets._base import StudioWidget
from studio_widgets._wire import compressed, floats


class CurvePair(StudioWidget):
    """Side A dashed, side B solid; Left and Right move between the levels of both."""

    _esm = esm("curve_pair")
    _css = css("curve_pair")

    _labels = traitlets.Bytes().tag(sync=True)
    _curves = traitlets.Bytes().tag(sync=True)

    height = traitlets.Int(220, min=120).tag(sync=True)
    """Height of the plot, in pixels. Type: int. Default: 220."""

    def __init__(
        self,
        curves: CurveComparison | None = None,
        *,
        left: str = "",
        right: str = "",
        label: str = "",
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.show(curves, left=left, right=right, label=label)

    def show(
        self,
        curves: CurveComparison | None,
        *,
        left: str = "",
        right: str = "",
        label: str = "",
        is_comparable: bool = True,
    ) -> None:
        """Show a layer's curves, or nothing; ``label`` is what the vertical axis shows.

        Where units differ (``is_comparable`` False) each is drawn as a share of its largest value.
        """
        if curves is None:
            self._labels = b""
            return
        scales = (1.0, 1.0)
        if not is_comparable:
            scales = _largest(curves.left), _largest(curves.right)
            label = "units differ: each as a share of its own largest value"
        titles = {"name": curves.name, "left": left, "right": right, "label": label}
        values = curves.left / scales[0], curves.right / scales[1]
        errors = curves.left_errors / scales[0], curves.right_errors / scales[1]
        with self.hold_sync():
            self._curves = floats(curves.sparsities, *values, *errors)
            self._labels = compressed(titles)


def _largest(values: FloatArray) -> float:
    """The largest size among the known values, 1 where none differs from 0."""
    known = np.abs(values[np.isfinite(values)])
    return float(known.max(initial=0.0)) or 1.0
