"""Names in a model must be text: protobuf hands out bytes where they are not UTF-8."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import onnx
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from studio_core.errors import InvalidModelError


def check_names(proto: onnx.ModelProto, serialized: bytes) -> None:
    """Refuse a model with a name that is not UTF-8, functions and subgraphs included.

    ``serialized`` are the bytes that ``proto`` was parsed from.
    """
    if _is_all_text(serialized):
        return
    # It may be a comment: only names must be text.
    graphs = [proto.graph]
    try:
        for function in proto.functions:
            _check_nodes(function.node, graphs)
        while graphs:
            graph = graphs.pop()
            _check_nodes(graph.node, graphs)
            _check_tensors(graph.initializer)
            _check_tensors(sparse.values for sparse in graph.sparse_initializer)
            for values in (graph.input, graph.output, graph.value_info):
                for value in values:
                    _check(value.name, *[d.dim_param for d in value.type.tensor_type.shape.dim])
    except TypeError:
        raise InvalidModelError("It holds a name that is not UTF-8 text.") from None


def _is_all_text(serialized: bytes) -> bool:
    """Whether every string of a serialized model is UTF-8; a tenth of the time of asking each."""
    try:
        _strict_model().FromString(serialized)
    except (DecodeError, TypeError):  # TypeError: an onnx.proto that proto3 cannot express
        return False
    return True


@lru_cache(maxsize=1)
def _strict_model() -> type[Message]:
    """A ModelProto whose parser refuses strings that are not UTF-8: as proto3 does, not proto2."""
    file = descriptor_pb2.FileDescriptorProto()
    onnx.ModelProto.DESCRIPTOR.file.CopyToProto(file)
    file.syntax = "proto3"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("onnx.ModelProto"))


def _check(*texts: str) -> None:
    "".join(texts)  # the quickest way to a TypeError where one of them is bytes


def _check_nodes(nodes: Iterable[onnx.NodeProto], graphs: list[onnx.GraphProto]) -> None:
    """Names in nodes and their attributes; subgraphs are added to ``graphs``."""
    for node in nodes:
        _check(node.name, node.op_type, node.domain, node.overload, *node.input, *node.output)
        for attribute in node.attribute:
            _check(attribute.name)
            if attribute.HasField("t"):
                _check_tensors((attribute.t,))
            elif attribute.HasField("g"):
                graphs.append(attribute.g)
            elif attribute.graphs:
                graphs.extend(attribute.graphs)


def _check_tensors(tensors: Iterable[onnx.TensorProto]) -> None:
    for tensor in tensors:
        _check(tensor.name)
        for entry in tensor.external_data:
            _check(entry.key, entry.value)
