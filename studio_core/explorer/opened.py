"""`open_file`: an MLIR or ONNX file as graphs, with the way from a node back to its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.graphs.from_mlir import graphs_from_mlir
from studio_core.graphs.from_onnx import graph_from_onnx
from studio_core.graphs.records import Graph, GraphNode
from studio_core.hardware.chips import SystemDescription
from studio_core.hardware.liveness import LiveSpan, OpMemory, live_spans, module_memory
from studio_core.hardware.system import system_in_use
from studio_core.layers import Layer, find_layers
from studio_core.limits import DEFAULT_LIMITS, Limits
from studio_core.mlir.reader import read_mlir
from studio_core.mlir.records import Operation
from studio_core.models.model import Model, open_model

MLIR_SUFFIXES = (".mlir", ".ttir", ".ttnn")
ONNX_SUFFIX = ".onnx"


@dataclass(frozen=True, eq=False)
class OpenedGraph:
    """One graph of a file. ``module`` is what an MLIR graph was made of, ``model`` an ONNX one."""

    graph: Graph
    system: SystemDescription
    module: Operation | None = None
    model: Model | None = None
    layers: tuple[Layer, ...] = ()
    node_ids: Mapping[Operation, str] = field(default_factory=dict)

    @cached_property
    def operations(self) -> Mapping[str, Operation]:
        """Operations by the id of their node."""
        return {node_id: operation for operation, node_id in self.node_ids.items()}

    @cached_property
    def memory(self) -> Mapping[Operation, OpMemory]:
        """What lives in memory at each operation."""
        return module_memory(self.module, self.system) if self.module is not None else {}

    @cached_property
    def spans(self) -> Mapping[Operation, LiveSpan]:
        """How long the results of each operation live."""
        return live_spans(self.module) if self.module is not None else {}

    def node(self, node_id: str) -> GraphNode:
        """The node; raises `NotFoundError` for one that is not there."""
        node = self.graph.by_id.get(node_id)
        if node is None:
            raise NotFoundError(f"The graph {self.graph.id!r} has no node {node_id!r}.")
        return node


def open_file(
    path: str | Path,
    *,
    system_path: str | Path | None = None,
    arch: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[OpenedGraph, ...]:
    """The graphs of an ``.mlir``, ``.ttir``, ``.ttnn`` or ``.onnx`` file, at least one.

    The chip is that of the file ``system_path``, else the module's own, else ``arch``, else the
    built-in default. Raises `InvalidModelError` where the file cannot be read as what it says,
    `NotFoundError` where it is not there, `LimitError` where it asks for more than ``limits``,
    `InvalidRequestError` for another suffix.
    """
    file = Path(path).expanduser()
    suffix = file.suffix.lower()
    if suffix == ONNX_SUFFIX:
        return (_onnx(file, system_in_use(None, path=system_path, arch=arch), limits),)
    if suffix not in MLIR_SUFFIXES:
        known = ", ".join((*MLIR_SUFFIXES, ONNX_SUFFIX))
        raise InvalidRequestError(f"'{file.name}' is none of the files Studio explores: {known}.")
    return _mlir(file, system_path, arch, limits)


def _onnx(path: Path, system: SystemDescription, limits: Limits) -> OpenedGraph:
    model = open_model(path, limits=limits)
    layers = find_layers(model)
    return OpenedGraph(graph_from_onnx(model, layers), system, model=model, layers=tuple(layers))


def _mlir(
    path: Path, system_path: str | Path | None, arch: str | None, limits: Limits
) -> tuple[OpenedGraph, ...]:
    given = None
    if system_path is not None or arch is not None:
        given = system_in_use(None, path=system_path, arch=arch)
    found = graphs_from_mlir(read_mlir(path, limits), given)
    if not found:
        raise InvalidRequestError(f"'{path.name}' holds no module.")
    return tuple(
        OpenedGraph(g.graph, g.system, module=g.module, node_ids=g.node_ids) for g in found
    )
