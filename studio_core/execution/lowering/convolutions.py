"""Convolutions: TTIR's NHWC forms, and the general one of StableHLO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from studio_core.execution.lowering.builder import Builder
from studio_core.execution.lowering.elementwise import apply_unary
from studio_core.execution.lowering.table import lowers
from studio_core.execution.lowering.tensors import FLOAT, CannotLowerError, Tensor
from studio_core.execution.lowering.views import View, fields_of, listed

_FUSED = ("relu", "relu6", "silu", "gelu", "sigmoid", "tanh")


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding window over spatial dimensions; padding is [(before, after), …]."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]

    @property
    def pads(self) -> list[int]:
        """As ONNX orders them."""
        return [p[0] for p in self.padding] + [p[1] for p in self.padding]


def window_of(v: View, size: Sequence[int]) -> Window:
    """From ``stride``, ``padding`` and ``dilation`` as TTIR writes them for 2 or 3 dimensions."""
    n = len(size)
    stride = each_side(v, "stride", n)
    dilation = each_side(v, "dilation", n)
    pad = v.ints("padding", [0])
    if len(pad) == 1:
        pad = pad * n
    # n values: both sides alike; 2n values: [top, left, bottom, right].
    both = pad * 2 if len(pad) == n else pad
    padding = tuple((both[i], both[i + n]) for i in range(n))
    return Window(tuple(size), stride, padding, dilation)


def each_side(v: View, name: str, n: int) -> tuple[int, ...]:
    """A value for each spatial dimension; older versions wrote them one by one."""
    found = v.ints(name, None)
    if found is None:
        sides = ("height", "width") if n == 2 else ("depth", "height", "width")
        found = [v.whole(f"{name}_{side}", 1) for side in sides]
    return tuple(found * n if len(found) == 1 else found)


class Layout:
    """Between a tensor as the module has it and [batch, channels, …] as ONNX wants it."""

    def __init__(self, b: Builder, v: View, n: int) -> None:
        self.b, self.v = b, v
        rank = n + 2
        names = ("height_dim", "width_dim") if n == 2 else ("depth_dim", "height_dim", "width_dim")
        batch, channel = v.whole("batch_dim", 0), v.whole("channel_dim", rank - 1)
        spatial = [v.whole(name, i + 1) for i, name in enumerate(names)]
        self.order = [batch % rank, channel % rank, *(s % rank for s in spatial)]
        self.flat = _flattened(v) if n == 2 else None

    def enter(self, x: Tensor) -> Tensor:
        if self.flat is not None and x.shape[:2] == (1, 1) and x.rank == 4:
            x = self.b.reshape(x, (*self.flat, x.shape[-1]))
        return self.b.transpose(x, self.order)

    def leave(self, x: Tensor) -> Tensor:
        back = np.argsort(self.order).tolist()
        return self.b.reshape(self.b.transpose(x, back), self.v.shape)


def _flattened(v: View) -> tuple[int, int, int] | None:
    """Batch, height and width of an input written as [1, 1, N·H·W, C]."""
    if v.has("flattened_compat_info"):
        fields = fields_of(v.text("flattened_compat_info").partition("<")[2].rstrip(">"))
        batch, height, width = (
            int(fields[k]) for k in ("batch_size", "input_height", "input_width")
        )
        return batch, height, width
    if v.has("input_height"):
        return v.whole("batch_size"), v.whole("input_height"), v.whole("input_width")
    return None


def _bias(b: Builder, v: View, channels: int) -> Tensor | None:
    bias = v.optional(("input", "weight", "bias")).get("bias")
    return None if bias is None else b.reshape(bias, (channels,))


def _activated(b: Builder, v: View, x: Tensor) -> Tensor:
    """TTNN's conv2d_config may name a function behind the convolution."""
    config = v.text("conv2d_config").replace('"', "")
    asked = fields_of(config.partition("<")[2].rpartition(">")[0]).get("activation", "")
    for name in (v.text("activation"), asked):
        if not name or name == "none":
            continue
        known = [f for f in _FUSED if f in name.replace("<", " ").replace(">", " ").split()]
        if not known:
            raise CannotLowerError(f"The activation {name} behind it is not known here.")
        return apply_unary(b, known[0], x)
    return x


@lowers("ttir.conv2d", "ttir.conv3d", inputs=2)
def _conv(b: Builder, v: View) -> Tensor:
    n = int(v.name[-2])
    x, weight = v.need(2)
    weight = _plain_weight(b, v, weight, n)
    layout = Layout(b, v, n)
    window = window_of(v, weight.shape[2:])
    if v.text("padding_mode", "zeros") != "zeros":
        raise CannotLowerError("Padding with something else than zeros is not known here.")
    found = convolve(b, layout.enter(x), weight, window, v.whole("groups", 1))
    bias = _bias(b, v, weight.shape[0])
    if bias is not None:
        found = b.add(found, b.reshape(bias, (bias.size, *[1] * n)))
    return layout.leave(_activated(b, v, found))


def convolve(b: Builder, x: Tensor, weight: Tensor, window: Window, groups: int) -> Tensor:
    """``x`` [N, C, …] with ``weight`` [O, C/groups, …]."""
    if x.shape[1] != weight.shape[1] * groups:
        raise CannotLowerError(
            f"{x.shape[1]} channels do not fit a weight of {weight.shape[1]} × {groups} groups."
        )
    sizes = [
        num_steps(d + sum(p), k, s, dil)
        for d, k, s, p, dil in zip(
            x.shape[2:], window.size, window.stride, window.padding, window.dilation, strict=True
        )
    ]
    return b.emit(
        "Conv",
        [b.cast(x, FLOAT), b.cast(weight, FLOAT)],
        (x.shape[0], weight.shape[0], *sizes),
        FLOAT,
        strides=list(window.stride),
        pads=window.pads,
        dilations=list(window.dilation),
        group=groups,
    )


def num_steps(length: int, kernel: int, stride: int, dilation: int, up: bool = False) -> int:
    reach = length - dilation * (kernel - 1) - 1
    return (-(-reach // stride) if up else reach // stride) + 1


def _plain_weight(b: Builder, v: View, weight: Tensor, n: int) -> Tensor:
    """Undo `ttnn.prepare_conv2d_weights`, which flattens to [1, 1, H·W·I, O]."""
    if n != 2 or not v.has("in_channels") or weight.shape[:2] != (1, 1):
        return weight
    kernel = v.ints("kernel_size")
    out, inside = v.whole("out_channels"), v.whole("in_channels") // v.whole("groups", 1)
    if (out, inside, *kernel) == weight.shape:
        return weight
    return b.transpose(b.reshape(weight, (*kernel, inside, out)), [3, 2, 0, 1])


@lowers("ttnn.prepare_conv2d_weights")
def _prepare_weights(b: Builder, v: View) -> Tensor:
    return b.reshape(b.transpose(v.x, [2, 3, 1, 0]), v.shape)


@lowers("ttnn.prepare_conv2d_bias")
def _prepare_bias(b: Builder, v: View) -> Tensor:
    return b.reshape(v.x, v.shape)


@lowers("ttir.conv_transpose2d", inputs=2)
def _conv_transpose(b: Builder, v: View) -> Tensor:
    x, weight = v.need(2)
    layout = Layout(b, v, 2)
    window = window_of(v, weight.shape[2:])
    x, groups = layout.enter(x), v.whole("groups", 1)
    extra = _each_or(v, "output_padding", 0)
    sizes = [
        (d - 1) * s - sum(p) + dil * (k - 1) + e + 1
        for d, k, s, p, dil, e in zip(
            x.shape[2:], window.size, window.stride, window.padding, window.dilation, extra,
            strict=True,
        )
    ]  # fmt: skip
    found = b.emit(
        "ConvTranspose",
        [x, weight],
        (x.shape[0], weight.shape[1] * groups, *sizes),
        FLOAT,
        strides=list(window.stride),
        pads=window.pads,
        dilations=list(window.dilation),
        output_padding=list(extra),
        group=groups,
    )
    bias = _bias(b, v, weight.shape[1] * groups)
    if bias is not None:
        found = b.add(found, b.reshape(bias, (bias.size, 1, 1)))
    return layout.leave(_activated(b, v, found))


def _each_or(v: View, name: str, default: int) -> list[int]:
    found: list[int] = v.ints(name, [default])
    return found * 2 if len(found) == 1 else found


# The general convolution


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Which dimension is which: batch (or output), feature, spatial ones."""

    input: list[int]
    kernel: list[int]
    output: list[int]


@lowers("ttir.convolution", "stablehlo.convolution", inputs=2)
def _general(b: Builder, v: View) -> Tensor:
    """Input and weight brought to ONNX's order; dilation of the input by inserting zeros."""
    x, weight = v.need(2)
    numbers = _numbers(v)
    x, weight = b.transpose(x, numbers.input), b.transpose(weight, numbers.kernel)
    n = x.rank - 2
    stride = v.ints("window_strides", v.ints("stride", None)) or [1] * n
    holes = v.ints("lhs_dilation", v.ints("input_dilation", None)) or [1] * n
    dilation = v.ints("rhs_dilation", v.ints("weight_dilation", None)) or [1] * n
    flat = v.ints("padding", v.ints("pad", None)) or [0] * 2 * n
    padding = tuple((flat[2 * i], flat[2 * i + 1]) for i in range(n))
    reversal = v.ints("window_reversal", v.ints("reverse", None)) or [0] * n
    if any(reversal):
        weight = b.flip(weight, [2 + i for i in range(n) if reversal[i]])
    x = dilate(b, x, [1, 1, *holes])
    # Negative padding cuts, which ONNX's convolution cannot.
    low, high = [min(p[0], 0) for p in padding], [min(p[1], 0) for p in padding]
    x = b.pad(x, [0, 0, *low], [0, 0, *high], b.like(0, x))
    window = Window(
        weight.shape[2:],
        tuple(stride),
        tuple((max(p, 0), max(q, 0)) for p, q in padding),
        tuple(dilation),
    )
    found = _grouped(b, v, x, weight, window)
    return b.transpose(found, np.argsort(numbers.output).tolist())


def _grouped(b: Builder, v: View, x: Tensor, weight: Tensor, window: Window) -> Tensor:
    groups, parts = v.whole("feature_group_count", 1), v.whole("batch_group_count", 1)
    if parts == 1:
        return convolve(b, x, weight, window, groups)
    # Each part of the batch meets its own part of the outputs: parts become groups of features.
    batch, channels = x.shape[0] // parts, x.shape[1]
    x = b.reshape(x, (parts, batch, channels, *x.shape[2:]))
    x = b.swap(x, 0, 1)
    x = b.reshape(x, (batch, parts * channels, *x.shape[3:]))
    return convolve(b, x, weight, window, parts)


def dilate(b: Builder, x: Tensor, factors: Sequence[int]) -> Tensor:
    """``factor - 1`` zeros between neighbours of each dimension."""
    for at, factor in enumerate(factors):
        if factor == 1 or x.shape[at] < 2:
            continue
        length = x.shape[at]
        wide = b.reshape(x, (*x.shape[: at + 1], 1, *x.shape[at + 1 :]))
        high = [0] * wide.rank
        high[at + 1] = factor - 1
        wide = b.pad(wide, [0] * wide.rank, high, b.like(0, x))
        x = b.reshape(wide, (*x.shape[:at], length * factor, *x.shape[at + 1 :]))
        x = b.slice_axis(x, at, 0, (length - 1) * factor + 1)
    return x


def _numbers(v: View) -> _Numbers:
    name = next(
        (k for k in ("convolution_layout", "dimension_numbers", "dim_numbers") if v.has(k)), ""
    )
    text = v.text(name)
    if "->" in text:
        return _short_numbers(text)
    fields = fields_of(text.partition("<")[2].rpartition(">")[0] or text)

    def order(first: str, second: str, spatial: str) -> list[int]:
        return [
            int(fields.get(first, fields.get(first + "_dimension", ""))),
            int(fields.get(second, fields.get(second + "_dimension", ""))),
            *listed(fields[spatial]),
        ]

    try:
        return _Numbers(
            order("input_batch", "input_feature", "input_spatial_dimensions"),
            order("kernel_output_feature", "kernel_input_feature", "kernel_spatial_dimensions"),
            order("output_batch", "output_feature", "output_spatial_dimensions"),
        )
    except (KeyError, ValueError):
        raise CannotLowerError("Its dimension numbers are not understood.") from None


def _short_numbers(text: str) -> _Numbers:
    """``[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]``."""
    sides = [part.strip("[]<> \n") for part in text.partition("[")[2].replace("->", "x").split("x")]
    named = [[d.strip("[]<> ") for d in side.split(",")] for side in sides]
    found = []
    for dims, (first, second) in zip(named, (("b", "f"), ("o", "i"), ("b", "f")), strict=True):
        spatial = sorted((d for d in dims if d.isdigit()), key=int)
        found.append([dims.index(d) for d in (first, second, *spatial)])
    return _Numbers(*found)
