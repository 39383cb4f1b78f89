from __future__ import annotations

import numpy as np

from studio_core.session import Session
from studio_widgets._curves import curve_set
from studio_widgets.charts.facts import ChartFacts
from studio_widgets.charts.loss_curves import loss_curves

from .conftest import foreign_texts


def test_the_most_sensitive_and_the_selected_with_their_errors(made: ChartFacts) -> None:
    assert made.loss is not None
    curves = curve_set(made.loss)
    robust = curves.ids[int(np.argmin(curves.scores))]
    chart = loss_curves(made.loss, selected=robust, num_sensitive=3)
    ranked = np.argsort(-curves.scores)
    assert [keys[0] for keys in chart.keys] == [*(curves.ids[i] for i in ranked[:3]), robust]
    strong = chart.figure.data[-1]
    assert strong.line.width > chart.figure.data[0].line.width
    row = curves.ids.index(robust)
    np.testing.assert_allclose(strong.y, curves.values[row], rtol=1e-6)
    np.testing.assert_allclose(strong.error_y.array, curves.standard_errors[row], rtol=1e-5)  # type: ignore[index]
    assert "Bars are one standard error." in chart.summary


def test_an_estimate_has_no_error_bars(session: Session) -> None:
    chart = loss_curves(session.loss)
    assert len(chart.figure.data) == 5
    assert all(trace.error_y.array is None for trace in chart.figure.data)
    assert "no error bars" in chart.summary


def test_colours_do_not_change_when_another_layer_is_selected(made: ChartFacts) -> None:
    assert made.loss is not None
    chart = loss_curves(made.loss, num_sensitive=5)
    selected = loss_curves(made.loss, num_sensitive=5, selected=chart.keys[2][0])
    assert [t.line.color for t in chart.figure.data] == [t.line.color for t in selected.figure.data]


def test_a_hostile_name_is_shown_as_text(made: ChartFacts) -> None:
    assert made.loss is not None
    chart = loss_curves(made.loss, num_sensitive=50)
    assert "<" not in foreign_texts(chart) and "&lt;img" in foreign_texts(chart)
