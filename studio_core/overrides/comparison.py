"""After a run: what was requested of each op, against what the compiled module has.

relu_3 grid_shape: requested 4x8, applied 4x8            → applied
relu_3 buffer_type: requested l1, still dram              → not applied
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from studio_core.graphs.records import Graph
from studio_core.hardware.attribute_text import dimensions
from studio_core.hardware.editable_keys import CONV2D_SPECS
from studio_core.overrides.compiler_options import conv2d_word
from studio_core.overrides.records import Override, Overrides
from studio_core.overrides.targets import Target, TargetIndex, targets_of_graph

Outcome = Literal["applied", "not applied", "changed differently", "op gone", "unknown"]


@dataclass(frozen=True, slots=True)
class AppliedValue:
    """One requested value and what became of it.

    ``before`` and ``applied`` are the values before and after the run, None where the module has
    none. "not applied" is the value from before, "changed differently" a third one; "unknown" is
    an op that is there but does not say.
    """

    override: str
    attribute: str
    requested: str
    before: str | None
    applied: str | None
    outcome: Outcome

    @property
    def sentence(self) -> str:
        """The outcome for a person."""
        found = self.applied if self.applied is not None else "unknown"
        asked = f"{self.attribute} was to be {self.requested}"
        return {
            "applied": f"{self.attribute} is {self.requested}, as requested.",
            "not applied": f"{asked} and still is {found}.",
            "changed differently": f"{asked} and became {found}.",
            "op gone": f"The compiler has no op at {self.override} any more; it may be fused.",
            "unknown": f"The compiled module does not say {self.attribute} of this op.",
        }[self.outcome]


def requested_against_applied(
    overrides: Overrides,
    after: Graph | Iterable[Target],
    before: Graph | Iterable[Target] = (),
) -> tuple[AppliedValue, ...]:
    """Every requested value with what the executed graph has; ``before`` is the graph of the edit.

    Where several ops of the executed graph have the location, one that has the value will do.
    """
    found, former = _index(after), _index(before)
    return tuple(value for override in overrides for value in _values(override, found, former))


def _index(targets: Graph | Iterable[Target]) -> TargetIndex:
    return TargetIndex(targets_of_graph(targets) if isinstance(targets, Graph) else targets)


def _values(override: Override, after: TargetIndex, before: TargetIndex) -> Iterator[AppliedValue]:
    targets = after.of(override)
    for key, requested in override.attributes.items():
        said = [t.attributes[key] for t in targets if key in t.attributes]
        was = next((t.attributes[key] for t in before.of(override) if key in t.attributes), None)
        applied = next((v for v in said if is_same(key, v, requested)), said[0] if said else None)
        outcome = _outcome(key, requested, was, applied, bool(targets))
        yield AppliedValue(override.key, key, requested, was, applied, outcome)


def _outcome(
    key: str, requested: str, before: str | None, applied: str | None, is_there: bool
) -> Outcome:
    if not is_there:
        return "op gone"
    if applied is None:
        return "unknown"
    if is_same(key, applied, requested):
        return "applied"
    is_as_before = before is None or is_same(key, applied, before)
    return "not applied" if is_as_before else "changed differently"


def is_same(key: str, a: str, b: str) -> bool:
    """Whether two values of a key mean the same: ``true`` and ``True``, ``[32]`` and ``32``."""
    if key in CONV2D_SPECS:
        return conv2d_word(key, a) == conv2d_word(key, b)
    grids = dimensions(a), dimensions(b)
    if grids[0] is not None:
        return grids[0] == grids[1]
    return "".join(a.split()) == "".join(b.split())
