"""An ONNX model as a program: each node is an operation, by its id."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.data import generate_samples, numpy_type
from studio_core.evaluation.runtime import read_tensor
from studio_core.execution.inputs import Inputs
from studio_core.execution.program import Program, ProgramOp, names_read
from studio_core.execution.records import Array
from studio_core.models.graph_index import Node
from studio_core.models.model import Model, ValueInfo


def onnx_program(model: Model) -> Program:
    """The nodes of the main graph in their order; those of subgraphs belong to the node around."""
    scope = model.main
    constants = {name: tensor.read() for name, tensor in scope.constants.items()}
    ops = [
        _op(number, node, model, constants)
        for number, node in enumerate(scope.nodes)
        if not (node.op_type == "Constant" and node.outputs[0] in constants)
    ]
    opsets = {("" if d == "ai.onnx" else d): v for d, v in model.opsets.items()}
    outputs = tuple((o.name, o.name) for o in model.outputs)
    return Program(model.name, tuple(ops), outputs, constants, opsets)


def _op(number: int, node: Node, model: Model, constants: Mapping[str, Array]) -> ProgramOp:
    proto = onnx.NodeProto()
    proto.CopyFrom(node.proto)
    # Names in a model need not be unique, and the profile knows nodes by name.
    proto.name = f"op{number}/{node.op_type}"
    _restore(proto, model)
    read = names_read(proto)
    ordered = [n for n in dict.fromkeys((*proto.input, *sorted(read))) if n in read]
    return ProgramOp(
        node.id,
        node.op_type,
        (proto,),
        tuple(n for n in ordered if n not in constants),
        tuple(o for o in node.outputs if o),
        operands=node.inputs,
    )


def _restore(node: onnx.NodeProto, model: Model) -> None:
    """Bring back the data of subgraphs' constants, which are not read with the model."""
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for tensor in graph.initializer:
                _fill(tensor, model)
            for inner in graph.node:
                _restore(inner, model)
        if attribute.type == onnx.AttributeProto.TENSOR:
            _fill(attribute.t, model)


def _fill(tensor: onnx.TensorProto, model: Model) -> None:
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        tensor.CopyFrom(numpy_helper.from_array(read_tensor(tensor, model.path), tensor.name))


def onnx_inputs(model: Model, given: Mapping[str, Array] | None = None, *, seed: int = 0) -> Inputs:
    """The model's inputs by name: those given, generated ones for the rest.

    Raises `InvalidRequestError` naming an input that is not there or does not fit.
    """
    given = dict(given or {})
    arrays: dict[str, Array] = {}
    missing = [value.name for value in model.inputs if value.name not in given]
    made = generate_samples(model, model.batch, seed=seed).inputs if missing else {}
    for value in model.inputs:
        array = given.pop(value.name, None)
        arrays[value.name] = made[value.name] if array is None else _fitted(value, array)
    if given:
        known = ", ".join(f"'{value.name}'" for value in model.inputs) or "none"
        unknown = ", ".join(f"'{name}'" for name in given)
        raise InvalidRequestError(f"The model has no input {unknown}; it has {known}.")
    return Inputs(arrays, tuple(missing))


def _fitted(value: ValueInfo, array: Array) -> Array:
    array = np.asarray(array)
    shape = value.shape
    fits = shape is None or (
        len(shape) == array.ndim
        and all(not isinstance(s, int) or s == d for s, d in zip(shape, array.shape, strict=True))
    )
    if not fits:
        raise InvalidRequestError(
            f"Input '{value.name}' must have the shape {shape}, the data have {array.shape}."
        )
    return np.asarray(array, numpy_type(value))
