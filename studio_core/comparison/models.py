"""`compare_models`: two models layer by layer, such as a model and its pruned or newer self."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from studio_core.comparison.graphs import GraphComparison, compare_graphs
from studio_core.comparison.matching import NodePair, match_graphs
from studio_core.graphs.from_onnx import graph_from_onnx
from studio_core.layers import Layer, ModelSummary
from studio_core.session import Session


@dataclass(frozen=True)
class LayerRow:
    """A layer in both models; None, with no ``pair``, where only one of them has it.

    ``has_same_weight`` is whether the weights are equal to the last bit; None without both.
    """

    left: Layer | None
    right: Layer | None
    pair: NodePair | None = None
    has_same_weight: bool | None = None

    @property
    def name(self) -> str:
        layer = self.right or self.left
        return layer.name if layer is not None else ""

    @property
    def is_changed(self) -> bool:
        """Whether anything but the name differs."""
        a, b = self.left, self.right
        if a is None or b is None:
            return True
        is_same_kind = (a.op_type, a.weight_shape, a.macs) == (b.op_type, b.weight_shape, b.macs)
        return not is_same_kind or self.has_same_weight is False


@dataclass(frozen=True, eq=False)
class ModelComparison:
    """Two models: their summaries, their layers in the order of the left one, their graphs."""

    left: ModelSummary
    right: ModelSummary
    layers: tuple[LayerRow, ...]
    graphs: GraphComparison

    @cached_property
    def layer_ids(self) -> Mapping[str, str]:
        """Which layer of the right model each layer of the left one is, by id."""
        return {r.left.id: r.right.id for r in self.layers if r.left and r.right}


def compare_models(left: Session, right: Session) -> ModelComparison:
    """Compare two models; reads all weights, to tell which of them are the same."""
    contents = _contents(left), _contents(right)
    graphs = graph_from_onnx(left.model, left.layers), graph_from_onnx(right.model, right.layers)
    match = match_graphs(*graphs, *contents)
    return ModelComparison(
        left.summary,
        right.summary,
        tuple(_rows(left, right, match.by_left, contents)),
        compare_graphs(*graphs, match),
    )


def _contents(session: Session) -> dict[str, str]:
    """A digest of each layer's operator and weight, by layer id."""
    digests: dict[object, str] = {}
    found: dict[str, str] = {}
    for layer in session.layers:
        weight = layer.weight
        if weight is None:
            continue
        if weight.key not in digests:
            stored = weight.tensor.read()
            kind = f"{stored.dtype} {stored.shape}".encode()
            digests[weight.key] = hashlib.sha256(kind + stored.tobytes()).hexdigest()
        found[layer.id] = f"{layer.op_type} {digests[weight.key]}"
    return found


def _rows(
    left: Session,
    right: Session,
    pairs: Mapping[str, NodePair],
    contents: tuple[Mapping[str, str], Mapping[str, str]],
) -> Iterator[LayerRow]:
    others = {layer.id: layer for layer in right.layers}
    for layer in left.layers:
        pair = pairs.get(layer.id)
        other = others.pop(pair.right, None) if pair is not None else None
        if other is None:
            yield LayerRow(layer, None)
        else:
            before, after = contents[0].get(layer.id), contents[1].get(other.id)
            is_same = before == after if before is not None and after is not None else None
            yield LayerRow(layer, other, pair, is_same)
    yield from (LayerRow(None, layer) for layer in others.values())
