from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studio_core.layers import LayerStatus
from studio_widgets.charts import palette
from studio_widgets.charts.facts import ChartFacts, LayerQuantity
from studio_widgets.charts.treemap import BY_SENSITIVITY, MOST_TILES, treemap

from ..fakes import make_layer, make_layers
from .conftest import foreign_texts

Q = LayerQuantity


def labels(chart: object) -> list[str]:
    return list(chart.figure.data[0].labels)  # type: ignore[attr-defined]


def named(*names: str) -> ChartFacts:
    return ChartFacts(tuple(make_layer(i, name=name) for i, name in enumerate(names)))


def test_groups_are_those_of_the_names() -> None:
    facts = named("a.b.weight", "a.c.weight", "d/e/kernel", "lone")
    [tiles] = treemap(facts, Q.PARAMETERS).figure.data
    of = {label: tiles.parents[i] for i, label in enumerate(tiles.labels)}
    by_id = dict(zip(tiles.ids, tiles.labels, strict=True))
    assert by_id[of["b.weight"]] == by_id[of["c.weight"]] == "a"
    assert by_id[of["a"]] == by_id[of["d.e.kernel"]] == by_id[of["lone"]] == "model"


def test_areas_add_up_to_the_model(facts: ChartFacts) -> None:
    chart = treemap(facts, Q.PARAMETERS)
    [tiles] = chart.figure.data
    assert sum(tiles.values) == sum(layer.num_params for layer in facts.layers)
    assert {key for key in chart.keys[0] if key} == {layer.id for layer in facts.layers}
    for key, value in zip(chart.keys[0], tiles.values, strict=True):
        assert not key or value == next(x for x in facts.layers if x.id == key).num_params


def test_a_shared_weight_is_counted_once_but_its_work_is_not() -> None:
    first = replace(make_layer(0), status=LayerStatus.SHARED_WEIGHT, shared_with=("out_1",))
    second = replace(first, id="out_1", shared_with=("out_0",))
    facts = ChartFacts((first, second, make_layer(2)))
    chart = treemap(facts, Q.PARAMETERS)
    assert "1 layer with a shared weight counted once" in chart.summary
    assert sum(chart.figure.data[0].values) == first.num_params + facts.layers[2].num_params
    work = treemap(facts, Q.MACS)
    assert sum(work.figure.data[0].values) == sum(layer.macs or 0 for layer in facts.layers)


def test_unknown_macs_are_grey_and_named(made: ChartFacts) -> None:
    chart = treemap(made, Q.MACS)
    [tiles] = chart.figure.data
    unknown = [layer for layer in made.layers if layer.macs is None]
    for layer in unknown:
        place = chart.keys[0].index(layer.id)
        assert tiles.marker.colors[place] == palette.UNKNOWN
        assert tiles.values[place] > 0 and "–" in tiles.hovertext[place]
    assert "MACs not known" in labels(chart)
    assert f"Not known (grey): {unknown[0].name}" in chart.summary
    known = sum(layer.macs or 0 for layer in made.layers)
    assert tiles.values.sum() == pytest.approx(1.04 * known)


def test_colours_are_those_of_the_sensitivities(made: ChartFacts) -> None:
    chart = treemap(made, Q.PARAMETERS, colour_by=BY_SENSITIVITY, selected="out_3")
    [tiles] = chart.figure.data
    worst = max(made.scores, key=lambda i: made.scores[i])
    assert tiles.marker.colors[chart.keys[0].index(worst)] == palette.HEAT[4]
    assert tiles.marker.line.width[chart.keys[0].index("out_3")] > 1
    assert set(palette.HEAT) >= set(tiles.marker.colors) - {palette.GROUND_2, palette.UNKNOWN}


def test_of_many_layers_the_small_ones_are_together() -> None:
    facts = ChartFacts(make_layers(5_000))
    chart = treemap(facts, Q.PARAMETERS)
    assert len(labels(chart)) < 3 * MOST_TILES
    assert sum(1 for key in chart.keys[0] if key) == MOST_TILES
    total = float(np.nansum(facts.values(Q.PARAMETERS)))
    assert chart.figure.data[0].values.sum() == pytest.approx(total)


def test_names_of_any_kind_have_a_place() -> None:
    odd = ["", "...", "/", "a" * 500, ".".join("x" * 200), "ünï/cödé", "<b>.<i>"]
    chart = treemap(named(*odd), Q.PARAMETERS)
    assert sum(1 for key in chart.keys[0] if key) == len(odd)
    texts = foreign_texts(chart)
    assert "<" not in texts and "&lt;i&gt;" in texts


def test_nothing_known_says_so() -> None:
    facts = ChartFacts((make_layer(0, macs=None),))
    assert len(treemap(facts, Q.MACS).figure.data) == 0
