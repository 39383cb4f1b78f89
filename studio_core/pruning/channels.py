"""Removing whole output channels, so that the model is really smaller on any runtime.

`channel_groups` tells which layers lose channels together and which cannot, and why;
`remove_channels` writes the smaller model. Channel counts become multiples of a block,
because runtimes compute whole blocks: between two multiples nothing is won.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio_core.errors import InvalidModelError, InvalidRequestError
from studio_core.layers.layer import Layer
from studio_core.models.model import Model
from studio_core.models.tensor import Tensor
from studio_core.pruning.apply import PrunedLayer, PrunedModel
from studio_core.pruning.channel_edits import graph_edits
from studio_core.pruning.channel_flow import ChannelFlow, Cut, Segment
from studio_core.pruning.counts import num_pruned
from studio_core.pruning.masks import BoolArray, Granularity
from studio_core.pruning.provenance import provenance
from studio_core.pruning.rewriting import Rewrite
from studio_core.pruning.spans import TensorSpan, locate_tensors, tensor_spans
from studio_core.pruning.writing import mapped, write_model

BLOCK = 16
"""onnxruntime's time follows FLOPs where channel counts are multiples of 16, and not between."""

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class ChannelGroup:
    """Layers that lose the same channels: those that make them, and depthwise ones behind.

    ``id`` tells the groups of one model apart and means nothing else.
    """

    id: int
    layers: tuple[str, ...]
    num_channels: int


@dataclass(frozen=True)
class ChannelGroups:
    """Groups whose channels can be removed, and by layer id why those of others cannot."""

    groups: tuple[ChannelGroup, ...]
    refusals: Mapping[str, str]

    def of(self, layer_id: str) -> ChannelGroup | None:
        return next((group for group in self.groups if layer_id in group.layers), None)


def channel_groups(model: Model, layers: Sequence[Layer]) -> ChannelGroups:
    """Which of ``layers`` can lose output channels, and which do so together."""
    return _grouped(ChannelFlow(model), layers)


def remove_channels(
    model: Model,
    layers: Sequence[Layer],
    sparsities: Mapping[str, float],
    target: str | Path,
    *,
    block: int = BLOCK,
    overwrite: bool = False,
    verify: bool = True,
) -> PrunedModel:
    """Write ``model`` to ``target`` without some of the output channels of its layers.

    ``sparsities`` gives the fraction of channels to remove, 0 to 1, by layer id; layers of
    the same group follow. The channels that go are those of the smallest L2 norm over all
    weights of the group. What stays is the nearest multiple of ``block`` (or all, never
    none); ``notes`` says where that differs from what was asked. `PrunedModel.masks` are
    in the shapes of the source. Raises `InvalidRequestError` naming the operator that does
    not let a layer lose channels, and what `prune_model` raises.
    """
    flow = ChannelFlow(model)
    groups = _grouped(flow, layers)
    asked = _asked(groups, layers, sparsities)
    kept = _kept(flow, groups, asked, block)
    shrinking = _shrinking(flow, kept)
    data = mapped(model.path)
    spans = tensor_spans(data)
    source_sha256 = model.sha256()
    document = {"layers": [{"id": i, "sparsity": s} for i, s in sparsities.items()]}
    written = write_model(
        model,
        data,
        spans,
        _rewrites(shrinking, locate_tensors(model, data, spans)),
        provenance(document, dict.fromkeys(sparsities, "channel"), source_sha256),
        Path(target),
        other_edits=graph_edits(data, flow, lambda segments: _places(flow, kept, segments).size),
        overwrite=overwrite,
        verify=verify,
    )
    shrunk = _by_layer(layers, shrinking)
    return PrunedModel(
        written.path,
        written.data_files,
        tuple(_record(x, shrunk[x.id], groups, asked) for x in layers if x.id in shrunk),
        written.sha256,
        source_sha256,
        ChannelMasks(shrunk),
        (*_rounding(groups, asked, kept), *written.notes),
    )


# Groups


def _grouped(flow: ChannelFlow, layers: Sequence[Layer]) -> ChannelGroups:
    members: dict[int, list[str]] = defaultdict(list)
    refusals: dict[str, str] = {}
    lined_up: set[str] = set()
    for member in flow.members:
        roots = {flow.root(segment.family) for segment in member.cut.segments}
        bars = [bar for root in sorted(roots) for bar in flow.bars(root)]
        if bars:
            refusals[member.layer_id] = bars[0]
        for root in roots:
            members[root].append(member.layer_id)
        if len(roots) > 1:
            lined_up.add(member.layer_id)
    for layer_id in lined_up - set(refusals):
        refusals[layer_id] = "Its channels come from several layers; name those instead."
    groups = [
        ChannelGroup(root, tuple(i for i in ids if i not in lined_up), flow.sizes[root])
        for root, ids in sorted(members.items())
        if not flow.bars(root)
    ]
    known = {layer_id for group in groups for layer_id in group.layers}
    for layer in layers:
        if layer.id not in known and layer.id not in refusals:
            refusals[layer.id] = _why_none(flow, layer)
    return ChannelGroups(tuple(groups), refusals)


def _why_none(flow: ChannelFlow, layer: Layer) -> str:
    if layer.scope:
        return "It runs in a subgraph; channels are removed from the main graph only."
    if not layer.is_prunable:
        return layer.reason
    return flow.refusals.get(layer.id) or f"{layer.op_type} makes no channels."


def _asked(
    groups: ChannelGroups, layers: Sequence[Layer], sparsities: Mapping[str, float]
) -> dict[int, float]:
    """The sparsity of each group, by its id."""
    known = {layer.id for layer in layers}
    asked: dict[int, float] = {}
    for layer_id, sparsity in sparsities.items():
        if layer_id not in known:
            raise InvalidRequestError(f"The model has no layer '{layer_id}'.")
        if not 0.0 <= sparsity < 1.0:
            raise InvalidRequestError(
                f"Layer '{layer_id}' has sparsity {sparsity}; give a fraction from 0 to below 1."
            )
        group = groups.of(layer_id)
        if group is None and sparsity > 0:
            raise InvalidRequestError(
                f"Channels of layer '{layer_id}' cannot be removed. {groups.refusals[layer_id]}"
            )
        if group is not None and asked.setdefault(group.id, sparsity) != sparsity:
            names = ", ".join(f"'{i}'" for i in group.layers)
            raise InvalidRequestError(
                f"These layers lose the same channels, so they need one sparsity: {names}."
            )
    return {i: sparsity for i, sparsity in asked.items() if sparsity > 0}


# Channels


def _kept(
    flow: ChannelFlow, groups: ChannelGroups, asked: Mapping[int, float], block: int
) -> dict[int, IntArray]:
    """The channels that stay, by group, for the groups that lose any."""
    if block < 1:
        raise InvalidRequestError(f"A block has at least one channel; {block} was given.")
    kept = {
        group.id: _kept_channels(flow, group, asked[group.id], block)
        for group in groups.groups
        if group.id in asked
    }
    return {i: channels for i, channels in kept.items() if channels.size < flow.sizes[i]}


def _kept_channels(flow: ChannelFlow, group: ChannelGroup, sparsity: float, block: int) -> IntArray:
    """The channels of a group that stay, in their order."""
    num_kept = num_kept_channels(group.num_channels, sparsity, block)
    norms = _norms(flow, group)
    if not np.isfinite(norms).all():
        raise InvalidModelError(
            f"The weight of layer '{group.layers[0]}' holds NaN or infinity. Repair the model."
        )
    order = np.argsort(norms, kind="stable")
    return np.sort(order[group.num_channels - num_kept :])


def num_kept_channels(num_channels: int, sparsity: float, block: int = BLOCK) -> int:
    """Channels left at ``sparsity``: the nearest multiple of ``block`` above 0, or all.

    For models that are made and for layers that are timed, so that what is measured is
    what would be made.
    """
    wanted = num_channels - int(num_pruned(num_channels, sparsity))
    below = wanted // block * block
    above = min(below + block, num_channels)
    return below if below and wanted - below < above - wanted else above


def _norms(flow: ChannelFlow, group: ChannelGroup) -> NDArray[np.float64]:
    """Squared L2 norm of each channel of a group over all weights that make it, [channels]."""
    total = np.zeros(group.num_channels)
    for member in flow.members:
        start = 0
        for segment in member.cut.segments:
            if flow.root(segment.family) == group.id:
                values = member.cut.tensor.read().astype(np.float64)
                lines = np.moveaxis(values, member.cut.axis, 0)[start : start + segment.length]
                total += np.square(lines.reshape(segment.length, -1)).sum(axis=1)
            start += segment.length
    return total


def _places(
    flow: ChannelFlow, kept: Mapping[int, IntArray], segments: Sequence[Segment]
) -> IntArray:
    """The indices that stay along an axis that holds ``segments``."""
    found, start = [], 0
    for segment in segments:
        channels = kept.get(flow.root(segment.family), np.arange(segment.length))
        spread = channels[:, None] * segment.repeat + np.arange(segment.repeat)
        found.append(start + spread.reshape(-1))
        start += segment.size
    return np.concatenate(found)


@dataclass(frozen=True, eq=False)
class _Shrinking:
    """A constant that loses places: ``kept`` are the indices that stay, by axis."""

    cut: Cut
    kept: Mapping[int, IntArray]

    @property
    def tensor(self) -> Tensor:
        return self.cut.tensor

    @property
    def shape(self) -> tuple[int, ...]:
        sizes = enumerate(self.cut.tensor.shape)
        return tuple(self.kept[a].size if a in self.kept else size for a, size in sizes)

    def values(self) -> NDArray[Any]:
        array: NDArray[Any] = self.cut.tensor.read()
        return reduce(lambda a, axis: a.take(self.kept[axis], axis=axis), self.kept, array)

    def mask(self) -> BoolArray:
        """True for each value that stays, in the shape of the source."""
        mask = np.zeros(self.cut.tensor.shape, np.bool_)
        lines = [
            self.kept.get(axis, np.arange(size)) for axis, size in enumerate(self.cut.tensor.shape)
        ]
        mask[np.ix_(*lines)] = True
        return mask


def _shrinking(flow: ChannelFlow, kept: Mapping[int, IntArray]) -> list[_Shrinking]:
    by_tensor: dict[int, list[Cut]] = defaultdict(list)
    for cut in flow.cuts:
        if any(flow.root(segment.family) in kept for segment in cut.segments):
            by_tensor[id(cut.tensor)].append(cut)
    return [
        _Shrinking(cuts[0], {cut.axis: _places(flow, kept, cut.segments) for cut in cuts})
        for cuts in by_tensor.values()
    ]


def _rewrites(shrinking: Sequence[_Shrinking], located: Mapping[int, TensorSpan]) -> list[Rewrite]:
    found = []
    for one in shrinking:
        span = located.get(id(one.tensor))
        if span is None:
            raise InvalidRequestError(
                f"'{one.cut.tensor.name}' is not in one place in the file. Save the model once "
                "with onnx.save."
            )
        found.append(Rewrite(one.cut.tensor, span, one.shape, one.values))
    starts = [rewrite.span.start for rewrite in found]
    if len(set(starts)) < len(starts):
        raise InvalidRequestError(
            "A constant of a local function is used by several layers, which cannot lose "
            "different channels. Expand the functions first (onnx.inliner)."
        )
    return found


# Results


class ChannelMasks(Mapping[str, BoolArray]):
    """Masks by layer id in the shapes of the source weights; True = still there."""

    def __init__(self, shrunk: Mapping[str, _Shrinking]) -> None:
        self._shrunk = shrunk

    def __getitem__(self, layer_id: str) -> BoolArray:
        return self._shrunk[layer_id].mask()

    def __iter__(self) -> Iterator[str]:
        return iter(self._shrunk)

    def __len__(self) -> int:
        return len(self._shrunk)


def _by_layer(layers: Sequence[Layer], shrinking: Sequence[_Shrinking]) -> dict[str, _Shrinking]:
    """What becomes of the weights of ``layers``, those that keep all left out."""
    by_tensor = {id(one.tensor): one for one in shrinking}
    return {
        layer.id: by_tensor[id(layer.weight.tensor)]
        for layer in layers
        if layer.weight is not None and id(layer.weight.tensor) in by_tensor
    }


def _record(
    layer: Layer, shrunk: _Shrinking, groups: ChannelGroups, asked: Mapping[int, float]
) -> PrunedLayer:
    values = shrunk.values()
    group = groups.of(layer.id)
    return PrunedLayer(
        layer.id,
        layer.name,
        0.0 if group is None else asked.get(group.id, 0.0),
        Granularity.CHANNEL,
        layer.weight_size,
        layer.weight_size - values.size,
        layer.num_zeros or 0,
        values.size - int(np.count_nonzero(values)),
    )


def _rounding(
    groups: ChannelGroups, asked: Mapping[int, float], kept: Mapping[int, IntArray]
) -> Iterator[str]:
    """A remark for each group that keeps another number of channels than asked for."""
    for group in groups.groups:
        if group.id not in asked:
            continue
        wanted = group.num_channels - int(num_pruned(group.num_channels, asked[group.id]))
        left = kept[group.id].size if group.id in kept else group.num_channels
        if left != wanted:
            names = ", ".join(f"'{i}'" for i in group.layers)
            yield (
                f"{names}: {left} of {group.num_channels} channels stay instead of {wanted}, "
                "in whole blocks."
            )
