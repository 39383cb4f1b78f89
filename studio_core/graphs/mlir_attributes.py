"""What a graph shows of an MLIR operation: its attributes in the contract's order.

The operation's own, its location, its first result's type and layout, the schedule, then the
memory bars. What can be edited has its specification, the grid's limit being the chip's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from studio_core.attributes import EditableSpec, IntListSpec, ValueListSpec
from studio_core.graphs.mlir_values import attribute_text, cut, type_text
from studio_core.graphs.records import GraphAttribute, PortMetadata
from studio_core.hardware.chips import SystemDescription
from studio_core.hardware.configs import CONV2D_CONFIG, parse_config
from studio_core.hardware.data_types import DATA_TYPES, data_type_of
from studio_core.hardware.editable_keys import CONV2D_SPECS, NONE, layout_specs
from studio_core.hardware.liveness import OpMemory, layout_of
from studio_core.mlir.records import Location, Operation, TensorType, Value

UNKNOWN = "unknown"
_DATA_TYPE_SPEC = ValueListSpec(DATA_TYPES)
_FLAGS = {"true": "True", "false": "False"}
_MOST_OPERATION_TEXT = 4000


def operation_attributes(
    operation: Operation,
    system: SystemDescription,
    schedule: int,
    memory: OpMemory | None = None,
) -> Iterator[GraphAttribute]:
    """All that is shown of ``operation``, the op number ``schedule`` of its graph; no key twice."""
    derived = [*location_attributes(operation.location)]
    if operation.results:
        derived += type_attributes(operation.results[0])
        derived += layout_attributes(operation.results[0], system)
    yield from _own_attributes(operation, {a.key: a.value for a in derived})
    yield from _conv2d_config(operation)
    if operation.is_opaque:
        yield GraphAttribute("text", cut(operation.text, _MOST_OPERATION_TEXT))
    yield from derived
    yield GraphAttribute("schedule", str(schedule))
    if memory is not None:
        yield from memory_attributes(memory)


def _own_attributes(operation: Operation, derived: Mapping[str, str]) -> Iterator[GraphAttribute]:
    """The operation's own; one that says what its result says (``dtype``) is not repeated."""
    for key, attribute in operation.attributes.items():
        text = attribute_text(attribute)
        if key not in derived and key != CONV2D_CONFIG:
            yield GraphAttribute(key, text)
        elif key in derived and text != derived[key]:
            yield GraphAttribute(f"{key} (attribute)", text)


def argument_attributes(argument: Value) -> Iterator[GraphAttribute]:
    """What is shown of the argument of a function; nothing of it can be edited."""
    for key, attribute in argument.attributes.items():
        yield GraphAttribute(key, attribute_text(attribute))
    yield from location_attributes(argument.location)
    yield from type_attributes(argument)
    yield from layout_attributes(argument, None)


def output_metadata(value: Value) -> PortMetadata:
    """Shape, data type, rank and layout of a result."""
    attributes = (*type_attributes(value), *layout_attributes(value, None))
    return PortMetadata(str(value.index), attributes)


def location_attributes(location: Location | None) -> Iterator[GraphAttribute]:
    if location is None:
        return
    if location.name is not None:
        yield GraphAttribute("named_location", location.name)
    yield GraphAttribute("full_location", location.text)


def type_attributes(value: Value) -> Iterator[GraphAttribute]:
    kind = value.type
    if not isinstance(kind, TensorType):
        yield GraphAttribute("type", cut(kind.text))
        return
    if kind.shape is not None:
        yield GraphAttribute("shape", type_text(kind))
    yield GraphAttribute("dtype", kind.element)
    if kind.shape is not None:
        yield GraphAttribute("rank", str(len(kind.shape)))


def layout_attributes(value: Value, system: SystemDescription | None) -> Iterator[GraphAttribute]:
    """The layout's keys, editable if a ``system`` gives the limits.

    Before the compiler has chosen layouts, a tensor has a data type only.
    """
    layout = layout_of(value)
    if layout is not None:
        specs: Mapping[str, EditableSpec] = {}
        if system is not None:
            specs = layout_specs(system, layout.tensor_memory_layout)
        yield GraphAttribute("linear", layout.map)
        for key, text in layout.values().items():
            yield GraphAttribute(key, text, editable=specs.get(key))
    elif system is not None and isinstance(value.type, TensorType):
        data_type = data_type_of(value.type.element)
        yield GraphAttribute("data_type", data_type, editable=_DATA_TYPE_SPEC)


def memory_attributes(memory: OpMemory) -> Iterator[GraphAttribute]:
    """Live L1 of a core and live DRAM of a bank while the op runs, of what is usable."""
    bars = {"l1_memory": memory.l1_fraction, "dram_memory": memory.dram_fraction}
    for key, fraction in bars.items():
        yield GraphAttribute(
            key,
            f"{fraction:.6g}" if fraction is not None else UNKNOWN,
            display_type="memory",
            certainty=memory.certainty,
            note=memory.note,
        )


def _conv2d_config(operation: Operation) -> Iterator[GraphAttribute]:
    """The keys of a convolution's configuration, those that are not set among them."""
    attribute = operation.attributes.get(CONV2D_CONFIG)
    if attribute is None and operation.name != "ttnn.conv2d":
        return
    values = parse_config(attribute.text, CONV2D_CONFIG) if attribute is not None else {}
    values = values or {}  # text that is no configuration says nothing of it
    for key, spec in CONV2D_SPECS.items():
        yield GraphAttribute(key, _config_value(values.get(key), spec), editable=spec)
    for key, text in values.items():
        if key not in CONV2D_SPECS:
            yield GraphAttribute(key, cut(text))


def _config_value(value: str | None, spec: EditableSpec) -> str:
    if isinstance(spec, IntListSpec):
        # The least of each is the compiler's default.
        return f"[{value if value is not None else spec.min_value}]"
    return _FLAGS.get(value, value) if value is not None else NONE
