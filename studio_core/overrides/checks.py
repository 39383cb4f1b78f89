"""What will not work, told before the run: each finding with its evidence and its remedy.

The compiler itself ignores most of this in silence, which is what people complain of most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from studio_core.attributes import read_value
from studio_core.errors import InvalidRequestError
from studio_core.graphs.from_onnx import SPARSITY_KEY, SPARSITY_SPEC
from studio_core.graphs.records import Graph
from studio_core.hardware.attribute_text import shorten
from studio_core.hardware.chips import SystemDescription
from studio_core.hardware.editable_keys import CONV2D_SPECS
from studio_core.hardware.edits import LAYOUT_KEYS, checked_value, edited
from studio_core.overrides.grammar import BREAKING, breaking_character
from studio_core.overrides.records import Finding, Override, Overrides
from studio_core.overrides.targets import Target, TargetIndex, targets_of_graph

_CONVOLUTIONS = ("conv2d", "conv_transpose2d", "convolution")


def check_overrides(
    overrides: Overrides,
    targets: Graph | Iterable[Target],
    system: SystemDescription,
    *,
    optimizer_enabled: bool,
) -> tuple[Finding, ...]:
    """All that is wrong with the overrides for these ops on this system; empty if nothing is.

    A finding of severity "error" means that the value will not be applied, "warning" that it may
    not, or not as one thinks, "note" that it changes nothing.
    """
    if not overrides:
        return ()
    given = targets_of_graph(targets) if isinstance(targets, Graph) else targets
    return tuple(_findings(overrides, TargetIndex(given), system, optimizer_enabled))


def _findings(
    overrides: Overrides, index: TargetIndex, system: SystemDescription, optimizer_enabled: bool
) -> Iterator[Finding]:
    compiled = [o for o in overrides if set(o.attributes) - {SPARSITY_KEY}]
    if compiled and not optimizer_enabled:
        yield Finding(
            "optimizer off",
            "error",
            "All overrides of the compiler will be ignored.",
            f"{len(compiled)} op(s) have overrides, and the optimizer is off.",
            'Choose the policy "Optimizer Enabled".',
        )
    for override in overrides:
        targets = index.of(override)
        yield from _location_findings(override, targets)
        for key, value in override.attributes.items():
            yield from _value_findings(override, key, value, targets)
        if targets:
            yield from _layout_findings(override, targets[0], system)


def _location_findings(override: Override, targets: Sequence[Target]) -> Iterator[Finding]:
    finding = _finder(override)
    shown = shorten(override.key)
    is_compiled = not set(override.attributes) <= {SPARSITY_KEY}
    if is_compiled and not override.named_location:
        yield finding(
            "no named location",
            "error",
            "The override will be ignored.",
            f"The op at '{shown}' has no named location, by which alone the compiler finds it.",
            'Give the op a location with a name in the module: loc("name").',
        )
    elif not targets:
        yield finding(
            "op not in module",
            "error",
            "The override will be ignored.",
            f"No op of the module has the location '{shown}'.",
            "Take it away, or make it anew on an op of this module.",
        )
    elif is_compiled and len(targets) > 1:
        yield finding(
            "shared location",
            "warning",
            "The override will reach more ops than one, or only the last of them.",
            f"{len(targets)} ops are named '{shorten(override.named_location)}'.",
            "Give each op a location of its own in the module.",
        )
    character = breaking_character(override.named_location)
    if is_compiled and character is not None:
        yield finding(
            "name breaks the options",
            "error",
            "The compiler would misread its options.",
            f"The name '{shorten(override.named_location)}' holds {character!r}: "
            f"{BREAKING[character]}.",
            "Rename the op's location in the module.",
        )


def _value_findings(
    override: Override, key: str, value: str, targets: Sequence[Target]
) -> Iterator[Finding]:
    finding = _finder(override, key)
    current = targets[0].attributes.get(key) if targets else None
    if key not in LAYOUT_KEYS and key not in CONV2D_SPECS and key != SPARSITY_KEY:
        yield finding(
            "unknown key",
            "error",
            "The value will be ignored.",
            f"'{shorten(key)}' cannot be overridden.",
            f"Change one of {', '.join((*LAYOUT_KEYS, *CONV2D_SPECS))}.",
        )
        return
    if key in CONV2D_SPECS and targets and not _is_convolution(targets[0]):
        yield finding(
            "not a convolution",
            "error",
            "The value will be ignored.",
            f"'{key}' configures a convolution, and this is {targets[0].op_name}.",
            "Take it away.",
        )
    yield from _unreadable(override, key, value, current)
    if current is not None and value.strip() == current.strip():
        yield finding(
            "same as now",
            "note",
            "The override asks for what is there already.",
            f"{key} is {shorten(current)} now.",
            "It does no harm: it keeps the compiler from choosing something else.",
        )


def _unreadable(override: Override, key: str, value: str, current: str | None) -> Iterator[Finding]:
    """A value that its control could not have given; those of a layout are checked with it."""
    spec = SPARSITY_SPEC if key == SPARSITY_KEY else CONV2D_SPECS.get(key)
    if spec is None:
        return
    try:
        read_value(spec, value, current=current)
    except InvalidRequestError as error:
        yield _invalid(override, key, value, error)


def _layout_findings(
    override: Override, target: Target, system: SystemDescription
) -> Iterator[Finding]:
    asked_for = ((k, v) for k, v in override.attributes.items() if k in LAYOUT_KEYS)
    # What is there already may be of a kind that no control offers, such as si64.
    changes = {k: v for k, v in asked_for if v.strip() != target.attributes.get(k, "").strip()}
    layout, shape = target.layout, target.tensor_shape
    readable: dict[str, str] = {}
    for key, value in changes.items():
        try:
            readable[key] = checked_value(key, value)
        except InvalidRequestError as error:
            yield _invalid(override, key, value, error)
    if not readable or layout is None or shape is None:
        return
    outcome = edited(layout, shape, readable, system)
    asked = ", ".join(f"{key} {value}" for key, value in readable.items())
    for rule in outcome.broken:
        yield Finding(
            f"illegal layout: {rule.name}",
            "error",
            "The compiler will refuse the layout or choose another.",
            f"{rule.reason} (Asked for: {asked}.)",
            rule.remedy,
            override.key,
        )
    if outcome.layout is None:
        yield Finding(
            "layout not checked",
            "warning",
            "Whether the layout is legal and fits is not known before the run.",
            f"{' '.join(outcome.notes)} (Asked for: {asked}.)",
            "Compare requested and applied after the run.",
            override.key,
        )


def _invalid(override: Override, key: str, value: str, error: InvalidRequestError) -> Finding:
    return Finding(
        "invalid value",
        "error",
        "The value will not be sent to the compiler.",
        f"{key} is {shorten(value)!r}.",
        str(error),
        override.key,
        key,
    )


def _finder(override: Override, attribute: str = "") -> Callable[..., Finding]:
    """Makes findings about one override, or one attribute of it."""
    return partial(Finding, override=override.key, attribute=attribute)


def _is_convolution(target: Target) -> bool:
    name = target.op_name.rpartition(".")[2]
    return name in _CONVOLUTIONS or any(key in target.attributes for key in CONV2D_SPECS)
