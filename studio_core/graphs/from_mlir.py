"""`graphs_from_mlir`: the modules of an MLIR file as graphs, one for each module of the file.

    id         the full location, made unique by a number (the same at every conversion)
    label      the operation's name; ``%arg0`` for an argument
    namespace  the name locations of the operations around it, and its own

Arguments stand in the group ``Inputs``, the functions that the compiler evaluates once in
``const_eval/<function>``, the operations of a region in ``<operation>_<number>`` with the
operation itself pinned to the top. Where a module has several functions, each is a group.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from studio_core.errors import InvalidRequestError
from studio_core.graphs.groups import MAX_DEPTH
from studio_core.graphs.mlir_attributes import (
    argument_attributes,
    operation_attributes,
    output_metadata,
)
from studio_core.graphs.mlir_values import attribute_text
from studio_core.graphs.names import UniqueNames
from studio_core.graphs.records import Graph, GraphCollection, GraphEdge, GraphNode
from studio_core.hardware.chips import SystemDescription, group_attributes
from studio_core.hardware.liveness import OpMemory, module_memory
from studio_core.hardware.system import ATTRIBUTE_NAMES, system_in_use, system_of
from studio_core.mlir.records import Block, Location, MlirFile, Operation, Value

HIDDEN = frozenset({"ttnn.deallocate", "ttnn.get_device", "ttnn.empty", "ttir.empty"})
"""Operations that are not drawn, nor their edges: they compute nothing."""

INPUTS = "Inputs"
CONST_EVAL = "const_eval"
_UNKNOWN_LOCATION = "loc(unknown)"
_WRAPPERS = frozenset({"builtin.module", "module", "ttcore.device_module", "tt.device_module"})
_FUNCTION = "func.func"
_RETURNS = frozenset({"func.return", "return"})


@dataclass(frozen=True, eq=False)
class ModuleGraph:
    """The graph of a module, and which node each operation is.

    ``system`` is the chip whose limits and memory the graph tells of. ``node_ids`` has all
    operations that are drawn.
    """

    graph: Graph
    module: Operation
    system: SystemDescription
    node_ids: Mapping[Operation, str]


def graphs_from_mlir(
    file: MlirFile, system: SystemDescription | None = None, label: str | None = None
) -> tuple[ModuleGraph, ...]:
    """A graph for each module of ``file``, in its order.

    ``system`` is the chip to count for; without it each module's own, or else a built-in one.
    The graphs are named after ``label``, the file's name unless given.
    """
    stem = label or (file.path.name if file.path is not None else "module")
    names = UniqueNames()
    found = []
    for module in file.modules:
        own = module.symbol if len(file.modules) > 1 else None
        name = names.unique(f"{stem} - {own}" if own else stem)
        found.append(module_graph(module, name, system, file.notes))
    return tuple(found)


def collection_from_mlir(
    file: MlirFile, system: SystemDescription | None = None, label: str | None = None
) -> GraphCollection:
    """The graphs of ``file`` as a collection; parameters as in `graphs_from_mlir`."""
    graphs = graphs_from_mlir(file, system, label)
    stem = label or (file.path.name if file.path is not None else "module")
    return GraphCollection(stem, tuple(g.graph for g in graphs))


def module_graph(
    module: Operation,
    name: str,
    system: SystemDescription | None = None,
    notes: Sequence[str] = (),
) -> ModuleGraph:
    """The graph ``name`` of one module; ``system`` as in `graphs_from_mlir`."""
    chip = system if system is not None else system_in_use(module)
    converter = _Converter(module, chip)
    nodes = tuple(converter.nodes())
    said = {"": _module_attributes(module, chip), **converter.function_attributes}
    all_notes = (*notes, *([chip.note] if chip.note else []))
    return ModuleGraph(Graph(name, nodes, said, notes=all_notes), module, chip, converter.node_ids)


def _module_attributes(module: Operation, system: SystemDescription) -> dict[str, str]:
    said = {"system": system.sentence}
    for key, attribute in module.attributes.items():
        if key not in ATTRIBUTE_NAMES:
            said[key] = attribute_text(attribute)
    try:
        own = system_of(module)
    except InvalidRequestError:
        return said
    return said | (group_attributes(own) if own is not None else {})


@dataclass(slots=True)
class _Place:
    """Where operations stand: a namespace as its parts, and how to name what is in it."""

    parts: tuple[str, ...] = ()
    is_const_eval: bool = False

    def inside(self, *parts: str) -> _Place:
        return _Place((*self.parts, *parts)[:MAX_DEPTH], self.is_const_eval)

    def namespace(self, *parts: str) -> str:
        return "/".join((*self.parts, *parts)[:MAX_DEPTH])


@dataclass
class _Converter:
    """One conversion of a module, in the order of the file and without recursion."""

    module: Operation
    system: SystemDescription
    node_ids: dict[Operation, str] = field(default_factory=dict)
    function_attributes: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._names = UniqueNames()
        self._counts: dict[str, int] = {}
        self._sources: dict[Value, tuple[str, str]] = {}
        self._num_regions: dict[str, int] = {}
        self._schedule = 0
        self._memory: Mapping[Operation, OpMemory] = module_memory(self.module, self.system)
        self._has_several = sum(map(_is_drawn_function, self.module.walk())) > 1

    def nodes(self) -> Iterator[GraphNode]:
        waiting: list[tuple[Operation, _Place]] = [(self.module, _Place())]
        while waiting:
            operation, place = waiting.pop()
            if operation.name in _WRAPPERS:
                inner = place
            elif operation.name == _FUNCTION:
                inner = self._function_place(operation, place)
            elif operation.name in HIDDEN:
                continue
            else:
                inner = self._region_place(operation, place)
                yield self._node(operation, place, inner)
            blocks = list(self._places(operation, inner))
            for block, stand in blocks:
                yield from self._argument_nodes(block, stand)
            waiting.extend(
                (each, stand)
                for block, stand in reversed(blocks)
                for each in block.operations[::-1]
            )

    def _places(self, operation: Operation, inner: _Place) -> Iterator[tuple[Block, _Place]]:
        for number, region in enumerate(operation.regions):
            several = len(operation.regions) > 1
            for block in region:
                yield block, inner.inside(f"region_{number}") if several else inner

    def _function_place(self, function: Operation, place: _Place) -> _Place:
        name = function.symbol or "function"
        if _is_const_eval(function):
            stand = _Place((*place.parts, CONST_EVAL, name), True)
        elif self._has_several:
            stand = place.inside(name)
        else:
            return place
        said = {
            key: attribute_text(attribute)
            for key, attribute in function.attributes.items()
            if key not in ("arg_attrs", "res_attrs")
        }
        self.function_attributes[stand.namespace()] = said
        return stand

    def _region_place(self, operation: Operation, place: _Place) -> _Place:
        if not any(operation.regions):
            return place
        number = self._num_regions.get(operation.name, 0)
        self._num_regions[operation.name] = number + 1
        return place.inside(f"{operation.name}_{number}")

    def _node(self, operation: Operation, place: _Place, inner: _Place) -> GraphNode:
        holds = inner is not place
        node_id = self._id(operation.location)
        self.node_ids[operation] = node_id
        for value in operation.results:
            self._sources[value] = (node_id, str(value.index))
        attributes = operation_attributes(
            operation, self.system, self._schedule, self._memory.get(operation)
        )
        self._schedule += 1
        return GraphNode(
            node_id,
            operation.name,
            inner.namespace() if holds else self._namespace(operation, place),
            tuple(attributes),
            tuple(self._edges(operation)),
            tuple(output_metadata(value) for value in operation.results),
            pinned=holds,
        )

    def _namespace(self, operation: Operation, place: _Place) -> str:
        # What a function returns stands below all the rest.
        if operation.name in _RETURNS or operation.location is None:
            return place.namespace()
        name = operation.location.name or ""
        return place.namespace(*[part for part in name.split("/") if part])

    def _edges(self, operation: Operation) -> Iterator[GraphEdge]:
        for index, value in enumerate(operation.operands):
            source = self._sources.get(value)
            if source is not None:
                yield GraphEdge(*source, str(index))

    def _argument_nodes(self, block: Block, place: _Place) -> Iterator[GraphNode]:
        for argument in block.arguments:
            node_id = self._id(argument.location)
            self._sources[argument] = (node_id, str(argument.index))
            yield GraphNode(
                node_id,
                argument.name,
                place.namespace(INPUTS),
                tuple(argument_attributes(argument)),
                outputs=(output_metadata(argument),),
            )

    def _id(self, location: Location | None) -> str:
        text = location.text if location is not None else _UNKNOWN_LOCATION
        number = self._counts.get(text, 0)
        self._counts[text] = number + 1
        return self._names.unique(f"{text}__{number}")


def _is_drawn_function(operation: Operation) -> bool:
    return operation.name == _FUNCTION and any(operation.regions) and not _is_const_eval(operation)


def _is_const_eval(function: Operation) -> bool:
    kind = function.attributes.get("tt.function_type")
    return CONST_EVAL in function.attributes or (kind is not None and CONST_EVAL in kind.text)
