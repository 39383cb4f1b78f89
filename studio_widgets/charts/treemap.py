"""Parameters or MACs as areas, in the hierarchy of the layers' names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import plotly.graph_objects as go

from studio_core.layers import Layer
from studio_widgets import _format
from studio_widgets.charts import palette
from studio_widgets.charts.chart import Chart, figure_of, nothing
from studio_widgets.charts.facts import ChartFacts, LayerQuantity
from studio_widgets.charts.text import listed, plotly_text, short_name

BY_OPERATOR, BY_SENSITIVITY = "operator", "sensitivity"

MOST_TILES = 400
"""Layers with a tile of their own; smaller ones are together, in their group."""

_DEEPEST = 8
_UNKNOWN_SHARE = 0.04
"""Share of the whole that layers without a known value are drawn with, as they have no area."""


@dataclass(eq=False)
class _Group:
    """A part of the names' hierarchy while it is built; ``small`` counts layers without a tile."""

    groups: dict[str, _Group] = field(default_factory=dict)
    layers: list[tuple[str, Layer, float]] = field(default_factory=list)
    num_small: int = 0
    small: float = 0.0

    def total(self) -> float:
        own = sum(value for _, _, value in self.layers) + self.small
        return own + sum(group.total() for group in self.groups.values())


@dataclass(frozen=True)
class _Tile:
    label: str
    parent: str
    value: float
    colour: str
    hover: str
    layer_id: str = ""


def treemap(
    facts: ChartFacts,
    quantity: LayerQuantity,
    *,
    colour_by: str = BY_OPERATOR,
    selected: str = "",
) -> Chart:
    """Areas are the ``quantity`` (one that adds up) of each layer, within the groups of its name.

    A weight that several layers share is counted once. Layers of which it is not known stand
    apart in grey, at a size that says nothing. A click on a group shows it alone, one
    on its head leads back.
    """
    label = f"{str(quantity)[0].upper()}{str(quantity)[1:]} by module"
    values = _counted_once(facts, quantity)
    known = {i: v for i, v in values.items() if np.isfinite(v) and v > 0}
    if not known:
        return nothing(label, f"No {quantity} is known: the shapes of this model do not say it.")
    unknown = [i for i, v in values.items() if not np.isfinite(v)]
    paints = _paints(facts, colour_by)
    total = sum(known.values())
    tiles = [_Tile("model", "", 0.0, palette.GROUND_2, f"whole model: {quantity.text(total)}")]
    root = _hierarchy(facts, known)
    tiles += _tiles(root, "0", 1, quantity, total, paints)
    tiles += _unknown_tiles(facts, unknown, quantity, total, len(tiles))
    layout = {"height": 480, "margin": {"l": 2, "r": 2, "t": 2, "b": 2},
              "uniformtext": {"minsize": 9, "mode": "hide"}}  # fmt: skip
    figure = figure_of([_trace(tiles, selected)], layout)
    order = tuple(facts.layers[i].id for i in known)
    summary = _summary(facts, quantity, known, unknown, colour_by, len(facts.layers) - len(values))
    return Chart(figure, label, summary, (tuple(t.layer_id for t in tiles),), order)


def _counted_once(facts: ChartFacts, quantity: LayerQuantity) -> dict[int, float]:
    """The value of each layer by its place; of a shared weight only the first layer has it.

    Work and time are done by every layer that shares a weight.
    """
    seen: set[object] = set()
    found: dict[int, float] = {}
    shared = quantity in (LayerQuantity.PARAMETERS, LayerQuantity.SIZE)
    for i, (layer, value) in enumerate(zip(facts.layers, facts.values(quantity), strict=True)):
        key = layer.weight.key if layer.weight is not None and layer.shared_with else None
        if shared and key is not None and key in seen:
            continue
        seen.add(key)
        found[i] = float(value)
    return found


def _hierarchy(facts: ChartFacts, known: Mapping[int, float]) -> _Group:
    root = _Group()
    ranked = sorted(known, key=lambda i: -known[i])
    own = set(ranked[:MOST_TILES])
    for i, value in known.items():
        layer = facts.layers[i]
        *path, name = _path(layer.name)
        group = root
        for part in path:
            group = group.groups.setdefault(part, _Group())
        if i in own:
            group.layers.append((name, layer, value))
        else:
            group.num_small += 1
            group.small += value
    return _folded(root)


def _path(name: str) -> list[str]:
    """'a/b.c.weight' → ['a', 'b', 'c.weight'] within `_DEEPEST` parts."""
    parts = [part for part in re.split(r"[./]", name) if part] or [name or "–"]
    if len(parts) > 1 and parts[-1] in ("weight", "kernel"):
        parts[-2:] = [".".join(parts[-2:])]
    return (
        [*parts[: _DEEPEST - 1], ".".join(parts[_DEEPEST - 1 :])][:_DEEPEST]
        if (len(parts) > _DEEPEST)
        else parts
    )


def _folded(group: _Group) -> _Group:
    """Groups without a tile become a part of the smaller ones; a lone child joins its group."""
    for name, child in list(group.groups.items()):
        child = _folded(child)
        if not child.layers and not child.groups:
            group.num_small += child.num_small
            group.small += child.small
            del group.groups[name]
        elif not child.num_small and len(child.layers) + len(child.groups) == 1:
            del group.groups[name]
            group.groups |= {f"{name}.{n}": g for n, g in child.groups.items()}
            group.layers += [(f"{name}.{n}", layer, v) for n, layer, v in child.layers]
        else:
            group.groups[name] = child
    return group


def _tiles(
    group: _Group,
    parent: str,
    number: int,
    quantity: LayerQuantity,
    total: float,
    paints: Mapping[str, str],
) -> list[_Tile]:
    """The tiles below ``parent``; ids of tiles are their places, the first being ``number``."""
    found: list[_Tile] = []
    for name, child in group.groups.items():
        value = child.total()
        words = f"<b>{short_name(name, 60)}</b><br>{_share(quantity, value, total)}"
        found.append(_Tile(short_name(name, 40), parent, 0.0, palette.GROUND_2, words))
        place = str(number + len(found) - 1)
        found += _tiles(child, place, number + len(found), quantity, total, paints)
    for name, layer, value in group.layers:
        words = f"<b>{short_name(layer.name, 90)}</b><br>{_share(quantity, value, total)}"
        words += f"<br>{plotly_text(layer.op_type)}"
        colour = paints.get(layer.id, palette.UNKNOWN)
        found.append(_Tile(short_name(name, 40), parent, value, colour, words, layer.id))
    if group.num_small:
        label = f"{group.num_small:,} smaller layer{'s' * (group.num_small != 1)}"
        words = f"{label}<br>{_share(quantity, group.small, total)}"
        found.append(_Tile(label, parent, group.small, palette.LINE_STRONG, words))
    return found


def _share(quantity: LayerQuantity, value: float, total: float) -> str:
    return f"{quantity} {quantity.text(value)} ({_format.percent(value / total)})"


def _unknown_tiles(
    facts: ChartFacts, unknown: list[int], quantity: LayerQuantity, total: float, number: int
) -> Iterator[_Tile]:
    if not unknown:
        return
    most, size = unknown[:50], _UNKNOWN_SHARE * total
    words = f"{quantity} of {len(unknown):,} not known; this area says nothing"
    yield _Tile(f"{quantity} not known", "", 0.0, palette.GROUND_2, words)
    for i in most:
        layer = facts.layers[i]
        name = short_name(layer.name, 90)
        why = plotly_text(layer.macs_unknown_because or "not known")
        hover = f"<b>{name}</b><br>{quantity} –: {why}"
        label = short_name(layer.name, 40)
        yield _Tile(label, str(number), size / len(most), palette.UNKNOWN, hover, layer.id)


def _paints(facts: ChartFacts, colour_by: str) -> dict[str, str]:
    """A colour by layer id; a layer without a known sensitivity has none."""
    if colour_by == BY_SENSITIVITY:
        steps = palette.heat_steps(facts.scores.values())
        return {i: palette.HEAT[s] for i, s in zip(facts.scores, steps, strict=True) if s >= 0}
    colours = palette.operator_colours(layer.op_type for layer in facts.layers)
    return {layer.id: colours[layer.op_type] for layer in facts.layers}


def _trace(tiles: list[_Tile], selected: str) -> go.Treemap:
    marked = [bool(selected) and tile.layer_id == selected for tile in tiles]
    return go.Treemap(
        ids=[str(i) for i in range(len(tiles))],
        labels=[tile.label for tile in tiles],
        parents=[tile.parent for tile in tiles],
        values=np.array([tile.value for tile in tiles]),
        branchvalues="remainder",  # a group is what is in it: sums of floats need not agree
        marker={
            "colors": [tile.colour for tile in tiles],
            "line": {
                "color": [palette.INK if is_marked else palette.GROUND for is_marked in marked],
                "width": [4 if is_marked else 1 for is_marked in marked],
            },
            "pad": {"t": 18, "l": 3, "r": 3, "b": 3},
            "cornerradius": 2,
        },
        hovertext=[tile.hover for tile in tiles],
        hovertemplate="%{hovertext}<extra></extra>",
        textinfo="label",
        textfont={"size": 12},
        maxdepth=4,
        # Its paths are NaN while it grows (plotly.js 4.1); the head of a group leads back as well.
        pathbar={"visible": False},
        tiling={"pad": 2},
        root={"color": palette.GROUND},
    )


def _summary(
    facts: ChartFacts,
    quantity: LayerQuantity,
    known: Mapping[int, float],
    unknown: list[int],
    colour_by: str,
    num_shared: int,
) -> str:
    best = max(known, key=lambda i: known[i])
    total = sum(known.values())
    words = (
        f"Together {quantity.text(total)}; the largest layer is "
        f"{_format.shortened(facts.layers[best].name, 60)} with "
        f"{_format.percent(known[best] / total)}."
    )
    if num_shared:
        plural = "s" * (num_shared != 1)
        words += f" {num_shared} layer{plural} with a shared weight counted once."
    if unknown:
        words += f" Not known (grey): {listed([facts.layers[i].name for i in unknown])}."
    return words + (
        " Colour: from robust (blue) to sensitive (red)." if colour_by == BY_SENSITIVITY else ""
    )
