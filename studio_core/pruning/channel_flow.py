"""Which channels of a model belong together: followed from the layers that make them.

Removing an output channel of a convolution removes it from everything behind: biases,
batch norms, the inputs of the next layers, and every other convolution whose output is
added to this one. `ChannelFlow` walks the graph once. Each layer that makes new channels
opens a family; operators pass families on, unite them (Add), line them up (Concat), or
bar them, with the reason, where they cannot be followed.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx

from studio_core.models.graph_index import Node
from studio_core.models.model import Model
from studio_core.models.tensor import Tensor


@dataclass(frozen=True)
class Segment:
    """``length`` channels of one family, each taking ``repeat`` places side by side."""

    family: int
    length: int
    repeat: int = 1

    @property
    def size(self) -> int:
        return self.length * self.repeat


@dataclass(frozen=True)
class Channels:
    """The channels of a value: along ``axis``, segment behind segment."""

    axis: int
    segments: tuple[Segment, ...]

    @property
    def size(self) -> int:
        return sum(segment.size for segment in self.segments)


@dataclass(frozen=True, eq=False)
class Cut:
    """A constant whose ``axis`` holds the channels in ``segments``."""

    tensor: Tensor
    axis: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True, eq=False)
class Member:
    """A layer with the channels that it puts out: ``cut`` is its weight along them."""

    layer_id: str
    cut: Cut


class ChannelFlow:
    """The channel families of the main graph of ``model``.

    ``cuts`` are the constants that shrink with their channels, ``members`` the layers,
    ``depthwise`` the nodes whose ``group`` is a number of channels, ``values`` the values
    that have channels. ``refusals`` says by layer id why a layer makes none.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.scope = model.main
        self.values: dict[str, Channels] = {}
        self.cuts: list[Cut] = []
        self.members: list[Member] = []
        self.depthwise: list[tuple[Node, tuple[Segment, ...]]] = []
        self.refusals: dict[str, str] = {}
        self.sizes: list[int] = []
        self._united: list[int] = []
        self._bars: dict[int, list[str]] = defaultdict(list)
        self._uses = Counter(name for node in model.nodes() for name in node.inputs)
        # Constants that a caller may replace have a declared shape of their own.
        self._declared = {i.name for i in model.proto.graph.input}
        for node in self.scope.nodes:
            self._visit(node)
        self._bar_outputs()

    # Families

    def root(self, family: int) -> int:
        """The family that ``family`` was united into."""
        while self._united[family] != family:
            family = self._united[family]
        return family

    def bars(self, family: int) -> tuple[str, ...]:
        """Why no channel of the family can be removed; empty if they can."""
        root = self.root(family)
        return tuple(
            reason
            for other, reasons in self._bars.items()
            if self.root(other) == root
            for reason in reasons
        )

    def _open(self, size: int) -> tuple[Segment, ...]:
        self.sizes.append(size)
        self._united.append(len(self._united))
        return (Segment(len(self.sizes) - 1, size),)

    def _bar(self, channels: Channels | None, reason: str) -> None:
        for segment in channels.segments if channels else ():
            self._bars[segment.family].append(reason)

    def _unite(self, a: Channels, b: Channels, node: Node) -> None:
        fits = [(s.length, s.repeat) for s in a.segments] == [
            (s.length, s.repeat) for s in b.segments
        ]
        if a.axis != b.axis or not fits:
            for channels in (a, b):
                self._bar(channels, f"{_named(node)} joins channels that do not line up.")
            return
        for one, other in zip(a.segments, b.segments, strict=True):
            self._united[self.root(other.family)] = self.root(one.family)

    def _bar_outputs(self) -> None:
        for output in self.model.proto.graph.output:
            channels = self.values.get(output.name)
            self._bar(channels, f"They are the model's output '{output.name}'.")
        for scope in self.model.scopes[1:]:
            for node in scope.nodes:
                for name in node.inputs:
                    self._bar(self.values.get(name), f"They enter a subgraph at {_named(node)}.")

    # Constants

    def _constant(self, name: str) -> Tensor | None:
        return self.scope.constants.get(name)

    def _cut(self, name: str, axis: int, segments: tuple[Segment, ...], node: Node) -> Cut | None:
        """Note that a constant shrinks; bars the channels where it cannot."""
        channels, tensor = Channels(axis, segments), self._constant(name)
        if tensor is None:
            reason = f"{_named(node)} takes '{name}', which is computed."
            for met in (channels, self.values.get(name)):
                self._bar(met, reason)
        elif self._uses[name] > 1:
            self._bar(channels, f"'{name}' of {_named(node)} is used by several operators.")
        elif name in self._declared:
            self._bar(channels, f"'{name}' of {_named(node)} is declared as an input.")
        elif not 0 <= axis < len(tensor.shape) or tensor.shape[axis] != channels.size:
            self._bar(channels, f"'{name}' of {_named(node)} has not as many channels.")
        else:
            cut = Cut(tensor, axis, segments)
            self.cuts.append(cut)
            return cut
        return None

    # Operators

    def _visit(self, node: Node) -> None:
        rule = _RULES.get(node.op_type) if node.domain == "" else None
        too_few = node.op_type in _LAYERS and len(node.inputs) < 2
        if rule is None or too_few or not node.outputs:
            self._cannot_follow(node)
        else:
            rule(self, node)

    def _cannot_follow(self, node: Node, why: str = "") -> None:
        reason = f"{_named(node)} cannot be followed{why}."
        for name in node.inputs:
            self._bar(self.values.get(name), reason)
        if node.op_type in _LAYERS:
            self.refusals[node.id] = reason

    def _input(self, node: Node) -> Channels | None:
        return self.values.get(node.inputs[0]) if node.inputs else None

    def _pass_on(self, node: Node, channels: Channels | None) -> None:
        if channels is not None:
            self.values[node.outputs[0]] = channels

    def _rank(self, name: str) -> int | None:
        shape = self.scope.shape(name)
        return None if shape is None else len(shape)

    def elementwise(self, node: Node) -> None:
        """Operators that combine equal places, with broadcasting."""
        given = [(name, self.values[name]) for name in node.inputs if name in self.values]
        if not given:
            return
        rank = self._rank(node.outputs[0])
        if rank is None or any(self._rank(name) is None for name, _ in given):
            self._cannot_follow(node, ", because shapes are unknown")
            return
        aligned = [replace(c, axis=c.axis + rank - (self._rank(name) or 0)) for name, c in given]
        first = aligned[0]
        if (self.scope.shape(node.outputs[0]) or ())[first.axis] != first.size:
            self._cannot_follow(node, ", because it spreads one channel over several")
            return
        for other in aligned[1:]:
            self._unite(first, other, node)
        for name in node.inputs:
            if name and name not in self.values:
                self._operand(name, first, rank, node)
        self.values[node.outputs[0]] = first

    def _operand(self, name: str, channels: Channels, rank: int, node: Node) -> None:
        """The other operand of an elementwise operator, without channels of its own."""
        shape = self.scope.shape(name)
        if shape is None:
            self._bar(channels, f"{_named(node)} takes '{name}', whose shape is unknown.")
            return
        axis = channels.axis - (rank - len(shape))
        if axis >= 0 and shape[axis] != 1:
            self._cut(name, axis, channels.segments, node)

    def batch_norm(self, node: Node) -> None:
        channels = self._input(node)
        if channels is None:
            return
        if channels.axis != 1 or sum(map(bool, node.outputs)) != 1:
            self._cannot_follow(node)
            return
        for name in node.inputs[1:]:
            self._cut(name, 0, channels.segments, node)
        self._pass_on(node, channels)

    def pool(self, node: Node) -> None:
        channels = self._input(node)
        if channels is not None and (channels.axis != 1 or sum(map(bool, node.outputs)) != 1):
            self._cannot_follow(node)
        else:
            self._pass_on(node, channels)

    def conv(self, node: Node) -> None:
        weight, channels = self._constant(node.inputs[1]), self._input(node)
        group = node.integer("group", 1)
        if weight is None or len(weight.shape) < 3:
            self._cannot_follow(node, ", because its weight is not stored as it is used")
        elif group == 1:
            self._enter(node, channels, 1, axis=1)
            self._leave(node, 0, axis=1)
        elif channels is not None and _is_depthwise(weight, group, channels):
            self._through_depthwise(node, channels)
        else:
            self._cannot_follow(node, ": channels of a grouped convolution depend on their group")

    def conv_transpose(self, node: Node) -> None:
        weight = self._constant(node.inputs[1])
        if weight is None or len(weight.shape) < 3 or node.integer("group", 1) != 1:
            self._cannot_follow(node)
            return
        self._enter(node, self._input(node), 0, axis=1)
        self._leave(node, 1, axis=1)

    def gemm(self, node: Node) -> None:
        weight = self._constant(node.inputs[1])
        if weight is None or len(weight.shape) != 2 or node.integer("transA", 0):
            self._cannot_follow(node, ", because its weight is not stored as it is used")
            return
        outputs = 0 if node.integer("transB", 0) else 1
        self._enter(node, self._input(node), 1 - outputs, axis=1)
        self._leave(node, outputs, axis=1)

    def matmul(self, node: Node) -> None:
        weight, rank = self._constant(node.inputs[1]), self._rank(node.inputs[0])
        if weight is None or len(weight.shape) != 2 or rank is None or rank < 2:
            self._cannot_follow(node, ", because its weight is not stored as it is used")
            return
        self._enter(node, self._input(node), 0, axis=rank - 1)
        self._leave(node, 1, axis=rank - 1)

    def _enter(self, node: Node, channels: Channels | None, weight_axis: int, *, axis: int) -> None:
        """Channels that the layer sums over: its weight shrinks along them."""
        if channels is None:
            return
        if channels.axis != axis:
            self._bar(channels, f"{_named(node)} takes them along axis {channels.axis}.")
        else:
            self._cut(node.inputs[1], weight_axis, channels.segments, node)

    def _leave(self, node: Node, weight_axis: int, *, axis: int) -> None:
        """Channels that the layer makes: a new family."""
        weight = self._constant(node.inputs[1])
        assert weight is not None  # checked by the caller
        made = self._open(weight.shape[weight_axis])
        cut = self._cut(node.inputs[1], weight_axis, made, node)
        self.members.append(Member(node.id, cut or Cut(weight, weight_axis, made)))
        channels = Channels(axis, made)
        if len(node.inputs) > 2 and node.inputs[2]:
            self._bias(node, channels)
        self.values[node.outputs[0]] = channels

    def _bias(self, node: Node, channels: Channels) -> None:
        shape = self.scope.shape(node.inputs[2])
        if shape is None:
            self._bar(channels, f"The bias of {_named(node)} is unknown.")
        elif shape and shape[-1] != 1:
            self._cut(node.inputs[2], len(shape) - 1, channels.segments, node)

    def _through_depthwise(self, node: Node, channels: Channels) -> None:
        cut = self._cut(node.inputs[1], 0, channels.segments, node)
        if cut is not None:
            self.members.append(Member(node.id, cut))
        for name in node.inputs[2:3]:
            if name:
                self._cut(name, 0, channels.segments, node)
        self.depthwise.append((node, channels.segments))
        self._pass_on(node, channels)

    def flatten(self, node: Node) -> None:
        self._flattened(node, node.integer("axis", 1) == 1)

    def reshape(self, node: Node) -> None:
        """A Reshape to [rows, -1] is a Flatten; any other has sizes that would not fit."""
        target = self._constant(node.inputs[1]) if len(node.inputs) > 1 else None
        sizes = target.read().tolist() if target is not None and target.shape == (2,) else []
        before, after = self.scope.shape(node.inputs[0]), self.scope.shape(node.outputs[0])
        same_rows = bool(before and after and before[0] == after[0])
        self._flattened(node, len(sizes) == 2 and sizes[1] == -1 and same_rows)

    def _flattened(self, node: Node, is_flatten: bool) -> None:
        channels = self._input(node)
        if channels is None:
            return
        inner = (self.scope.shape(node.inputs[0]) or ())[2:]
        known = [d for d in inner if isinstance(d, int)]
        if not is_flatten or channels.axis != 1 or len(known) != len(inner):
            self._cannot_follow(node, ": it has fixed sizes" if node.op_type == "Reshape" else "")
            return
        repeat = math.prod(known)
        segments = tuple(replace(s, repeat=s.repeat * repeat) for s in channels.segments)
        self._pass_on(node, Channels(1, segments))

    def reduce(self, node: Node) -> None:
        channels, rank = self._input(node), self._rank(node.inputs[0])
        if channels is None:
            return
        axes = None if rank is None else self._axes(node, rank)
        if not axes or channels.axis in axes:
            self._cannot_follow(node, ": it sums over the channels")
            return
        gone = 0 if node.integer("keepdims", 1) else sum(a < channels.axis for a in axes)
        self._pass_on(node, replace(channels, axis=channels.axis - gone))

    def squeeze(self, node: Node) -> None:
        channels, rank = self._input(node), self._rank(node.inputs[0])
        if channels is None:
            return
        axes = None if rank is None else self._axes(node, rank)
        if not axes or channels.axis in axes:
            self._cannot_follow(node)
            return
        gone = sum(a < channels.axis for a in axes)
        self._pass_on(node, replace(channels, axis=channels.axis - gone))

    def _axes(self, node: Node, rank: int) -> list[int]:
        """The axes of a reduction: an attribute, or an input in newer opsets; none if computed."""
        found: Sequence[int] = ()
        for attribute in node.proto.attribute:
            if attribute.name == "axes":
                found = list(attribute.ints)
        if len(node.inputs) > 1 and node.inputs[1]:
            tensor = self._constant(node.inputs[1])
            found = tensor.read().reshape(-1).tolist() if tensor is not None else ()
        return [axis % rank for axis in found]

    def transpose(self, node: Node) -> None:
        channels, rank = self._input(node), self._rank(node.inputs[0])
        if channels is None:
            return
        order = _permutation(node) or list(reversed(range(rank or 0)))
        if channels.axis not in order:
            self._cannot_follow(node)
            return
        self._pass_on(node, replace(channels, axis=order.index(channels.axis)))

    def concat(self, node: Node) -> None:
        given = [self.values.get(name) for name in node.inputs]
        known = [channels for channels in given if channels is not None]
        rank = self._rank(node.outputs[0])
        if not known:
            return
        if rank is None or len(known) < len(given) or len({c.axis for c in known}) > 1:
            self._cannot_follow(node, ": it joins them with a value that has no such channels")
            return
        first = known[0]
        if node.integer("axis", 1) % rank == first.axis:
            segments = tuple(segment for channels in known for segment in channels.segments)
            self._pass_on(node, Channels(first.axis, segments))
            return
        for other in known[1:]:
            self._unite(first, other, node)
        self._pass_on(node, first)


def _named(node: Node) -> str:
    return f"{node.op_type} '{node.id}'"


def _is_depthwise(weight: Tensor, group: int, channels: Channels) -> bool:
    each_one = all(segment.repeat == 1 for segment in channels.segments)
    return (
        each_one
        and channels.axis == 1
        and channels.size == group == weight.shape[0]
        and weight.shape[1] == 1
    )


def _permutation(node: Node) -> list[int]:
    for attribute in node.proto.attribute:
        if attribute.name == "perm" and attribute.type == onnx.AttributeProto.INTS:
            return list(attribute.ints)
    return []


_LAYERS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
# Each place of the result depends on the same place of the operands only.
_ELEMENTWISE = frozenset(
    {
        *("Abs", "Add", "Cast", "Ceil", "Celu", "Clip", "Cos", "Div", "Dropout", "Elu", "Erf"),
        *("Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Log"),
        *("Max", "Mean", "Min", "Mish", "Mul", "Neg", "PRelu", "Pow", "Reciprocal", "Relu"),
        *("Round", "Selu", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Sub"),
        *("Sum", "Tanh", "ThresholdedRelu"),
    }
)
_POOLS = frozenset(
    {"AveragePool", "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "LpPool", "MaxPool"}
)
_REDUCTIONS = frozenset(
    {"ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"}
)
_RULES = {
    **dict.fromkeys(_ELEMENTWISE, ChannelFlow.elementwise),
    **dict.fromkeys(_POOLS, ChannelFlow.pool),
    **dict.fromkeys(_REDUCTIONS, ChannelFlow.reduce),
    "BatchNormalization": ChannelFlow.batch_norm,
    "Concat": ChannelFlow.concat,
    "Conv": ChannelFlow.conv,
    "ConvTranspose": ChannelFlow.conv_transpose,
    "Flatten": ChannelFlow.flatten,
    "Gemm": ChannelFlow.gemm,
    "MatMul": ChannelFlow.matmul,
    "Reshape": ChannelFlow.reshape,
    "Squeeze": ChannelFlow.squeeze,
    "Transpose": ChannelFlow.transpose,
}
