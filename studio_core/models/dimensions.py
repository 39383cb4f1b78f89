"""Binding symbolic dimensions, so that costs are numbers: the batch is one sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx

from studio_core.errors import InvalidRequestError


def input_batch(inputs: Sequence[onnx.ValueInfoProto]) -> int:
    """The first dimension that all inputs share; 1 where it is free or differs.

    A vector is no batch: its one dimension may be the features as well.
    """
    first = set()
    for value in _tensors(inputs):
        dims = value.type.tensor_type.shape.dim
        if len(dims) > 1:
            first.add(dims[0].dim_value if dims[0].HasField("dim_value") else 1)
    return first.pop() if len(first) == 1 and min(first) > 0 else 1


def bind_dimensions(
    graph: onnx.GraphProto, inputs: Sequence[onnx.ValueInfoProto], given: Mapping[str, int]
) -> dict[str, int]:
    """Write sizes into the symbolic dimensions of ``graph``; answers what was bound.

    ``inputs`` are those of the graph that are no initializers.
    Each dimension named in ``given`` takes that size wherever the name stands; the first
    dimension of an input takes 1 (one sample) if it is symbolic and not given.
    """
    known = _symbols(inputs)
    for name, size in given.items():
        if name not in known:
            names = ", ".join(f"'{k}'" for k in sorted(known)) or "none"
            raise InvalidRequestError(
                f"The model has no dimension '{name}'. Its symbolic dimensions: {names}."
            )
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise InvalidRequestError(f"Dimension '{name}' needs a whole number from 1 up.")
    sizes = dict(given)
    for value in _tensors(inputs):
        dims = value.type.tensor_type.shape.dim
        if dims and not dims[0].HasField("dim_value"):
            if dims[0].dim_param:
                sizes.setdefault(dims[0].dim_param, 1)
            else:
                dims[0].dim_value = 1
    if not sizes:
        return sizes
    for values in (graph.input, graph.output, graph.value_info):
        for value in values:
            for dim in value.type.tensor_type.shape.dim:
                if dim.dim_param in sizes:
                    dim.dim_value = sizes[dim.dim_param]
    return sizes


def _tensors(values: Sequence[onnx.ValueInfoProto]) -> list[onnx.ValueInfoProto]:
    return [value for value in values if value.type.HasField("tensor_type")]


def _symbols(inputs: Sequence[onnx.ValueInfoProto]) -> set[str]:
    return {
        dim.dim_param
        for value in _tensors(inputs)
        for dim in value.type.tensor_type.shape.dim
        if dim.dim_param
    }
