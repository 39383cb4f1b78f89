from __future__ import annotations

import json
import zlib
from typing import Any

import numpy as np
import pytest
import traitlets

import studio_widgets as studio
from studio_core.errors import InvalidRequestError
from studio_core.layers import LayerStatus
from studio_core.plans import PruningPlan
from studio_core.samples import sample_path

from .conftest import Wire
from .fakes import HOSTILE, FakePlanner, loss_of_layers, make_layer, make_layers


def _rows(table: studio.LayerTable) -> dict[str, Any]:
    rows: dict[str, Any] = json.loads(zlib.decompress(table._rows))
    return rows


def test_rows_hold_every_layer_with_its_status_and_reason() -> None:
    layers = make_layers(20)
    rows = _rows(studio.LayerTable(layers))
    assert rows["id"] == [layer.id for layer in layers]
    assert rows["params"] == [layer.num_params for layer in layers]
    labels = [rows["statuses"][i]["label"] for i in rows["status"]]
    assert labels == [layer.status.label for layer in layers]
    assert [rows["reasons"][i] for i in rows["reason"]] == [x.reason for x in layers]


def test_unknown_values_stay_unknown() -> None:
    layer = make_layer(0, macs=None, status=LayerStatus.NOT_PRUNABLE, num_zeros=None)
    table = studio.LayerTable([layer])
    assert _rows(table)["macs"] == [None]
    assert _rows(table)["sparsity"] == [None]
    assert table._curves == b""


def test_layers_without_a_curve_have_an_unknown_sensitivity() -> None:
    layers = make_layers(10)
    table = studio.LayerTable(layers, loss_of_layers(layers))
    numbers = np.frombuffer(table._curves, "<f4")
    scores = numbers[-len(layers) :]
    assert np.isnan(scores).tolist() == [not layer.is_prunable for layer in layers]


def test_hostile_names_travel_as_text() -> None:
    layer = make_layer(0, name=HOSTILE)
    assert _rows(studio.LayerTable([layer]))["name"] == [HOSTILE]


def test_a_name_that_is_not_valid_text_does_not_break_the_table() -> None:
    assert _rows(studio.LayerTable([make_layer(0, name="half a pair \ud800")]))["name"]


def test_a_moved_slider_resends_no_rows(wire: Wire) -> None:
    layers = make_layers(5000)
    table = studio.LayerTable(layers, loss_of_layers(layers))
    assert sum(wire.take()) < 500_000
    table.plan = FakePlanner(layers).distribute(0.5)
    sizes = wire.take()
    assert len(sizes) == 1
    assert sizes[0] < 16_000


def test_selection_is_one_tiny_message(wire: Wire) -> None:
    table = studio.LayerTable(make_layers(100))
    wire.take()
    table.selected_layer = "out_7"
    assert len(wire.sizes) == 1
    assert wire.sizes[0] < 100


def test_the_plan_is_in_the_order_of_the_rows() -> None:
    table = studio.LayerTable(make_layers(4))
    table.plan = PruningPlan({"out_2": 0.5, "out_0": 1.0}, locked=frozenset({"out_2"}))
    planned = np.frombuffer(table._plan[:8], "<u2")
    assert planned.tolist() == [65534, 65535, 32767, 65535]
    assert list(table._plan[8:]) == [0, 0, 1, 0]


def test_a_path_and_an_opened_model_will_do() -> None:
    path = sample_path("digits_cnn")
    table = studio.LayerTable(path)
    assert len(table.layers) == 14
    assert table.loss is not None


def test_unknown_keyword_names_the_nearest_one() -> None:
    with pytest.raises(TypeError, match=r"no setting 'hieght'\. Did you mean 'height'"):
        studio.LayerTable(make_layers(3), hieght=200)


def test_what_is_no_model_is_refused_in_words() -> None:
    with pytest.raises(InvalidRequestError, match="not int"):
        studio.LayerTable(3)


def test_sort_by_takes_only_columns() -> None:
    with pytest.raises(traitlets.TraitError):
        studio.LayerTable(make_layers(3), sort_by="weight")
