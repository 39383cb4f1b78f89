"""What a run executes: operations as ONNX nodes, in order, with the constants they read.

A lowered module and an ONNX model are both a `Program`: as a whole it is timed, operation by
operation it is checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import onnx
from onnx import helper, numpy_helper

from studio_core.execution.records import Array, OpKey

_EMBEDDED = 1 << 16
"""Constants of at most so many bytes are written into the model; larger ones are handed over."""


@dataclass(frozen=True, slots=True, eq=False)
class ProgramOp:
    """One operation: its nodes, the tensors they read from others, and its results."""

    key: OpKey
    name: str
    nodes: tuple[onnx.NodeProto, ...]
    inputs: tuple[str, ...]
    """Tensors made by other operations or given; constants are not among them."""
    outputs: tuple[str, ...]
    data_type: str | None = None
    """In which the hardware keeps its first result, as the module says; None: not said."""
    operands: tuple[str, ...] = ()
    """Tensors of the source operation's own operands, in their order."""


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Operations in an order in which they can run."""

    name: str
    ops: tuple[ProgramOp, ...]
    outputs: tuple[tuple[str, str], ...]
    """Name and tensor of each result."""
    constants: Mapping[str, Array]
    opsets: Mapping[str, int]
    extra: tuple[onnx.NodeProto, ...] = ()
    """Nodes that belong to no operation, such as for arguments answered as results."""
    notes: tuple[str, ...] = ()
    input_data_types: Mapping[str, str] = field(default_factory=dict)
    """In which the hardware keeps an argument, by tensor."""

    def whole(self, inputs: Mapping[str, Array]) -> tuple[bytes, dict[str, Array]]:
        """One model of all, and the constants that are handed over beside it."""
        nodes = [n for op in self.ops for n in op.nodes] + list(self.extra)
        return self._model(nodes, inputs, self.result_tensors)

    @property
    def result_tensors(self) -> tuple[str, ...]:
        """Each tensor that is a result, once."""
        return tuple(dict.fromkeys(t for _, t in self.outputs))

    def with_constants(self, constants: Mapping[str, Array]) -> Program:
        """The same with other values of some constants."""
        return replace(self, constants={**self.constants, **constants})

    def part(self, op: ProgramOp, inputs: Mapping[str, Array]) -> tuple[bytes, dict[str, Array]]:
        """One operation as a model of its own, from ``op.inputs`` to ``op.outputs``."""
        return self._model(op.nodes, inputs, op.outputs)

    def rest(self, inputs: Mapping[str, Array]) -> tuple[bytes, dict[str, Array]]:
        """The nodes that belong to no operation."""
        return self._model(self.extra, inputs, [o for n in self.extra for o in n.output])

    def _model(
        self,
        nodes: Sequence[onnx.NodeProto],
        inputs: Mapping[str, Array],
        outputs: Iterable[str],
    ) -> tuple[bytes, dict[str, Array]]:
        used = {name for node in nodes for name in names_read(node)}
        # Constants that are results themselves are read by no node.
        outputs = tuple(outputs)
        used |= set(outputs)
        constants = {n: self.constants[n] for n in used if n in self.constants}
        large = {n: a for n, a in constants.items() if a.nbytes > _EMBEDDED}
        graph = helper.make_graph(
            nodes,
            "program",
            [_typed(n, a) for n, a in inputs.items()],
            [onnx.ValueInfoProto(name=n) for n in outputs],
            [_initializer(n, a, n in large) for n, a in constants.items()],
        )
        opsets = [helper.make_opsetid(domain, v) for domain, v in self.opsets.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        return model.SerializeToString(), large


def _typed(name: str, array: Array) -> onnx.ValueInfoProto:
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor_value_info(name, kind, array.shape)


def _initializer(name: str, array: Array, outside: bool) -> onnx.TensorProto:
    if not outside:
        return numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
    proto = onnx.TensorProto(name=name, dims=array.shape)
    proto.data_type = helper.np_dtype_to_tensor_dtype(array.dtype)
    proto.data_location = onnx.TensorProto.EXTERNAL
    proto.external_data.add(key="location", value="memory")
    return proto


def names_read(node: onnx.NodeProto) -> set[str]:
    """Tensors a node reads, also those that its subgraphs take from outside."""
    names = {name for name in node.input if name}
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs) if attribute.type in _GRAPHS else ():
            names |= _read_in(graph)
    return names


_GRAPHS = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)


def _read_in(graph: onnx.GraphProto) -> set[str]:
    made = {i.name for i in graph.input} | {t.name for t in graph.initializer}
    made |= {o for n in graph.node for o in n.output}
    read = {name for n in graph.node for name in names_read(n)} | {o.name for o in graph.output}
    return read - made
