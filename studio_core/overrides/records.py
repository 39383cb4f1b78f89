"""An override and a set of them, as records; what is found about them is a `Finding`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from studio_core.finding import Finding, Severity

__all__ = ["Finding", "Override", "Overrides", "Severity"]


@dataclass(frozen=True, slots=True)
class Override:
    """Requested values of one op's attributes, by key; values are text as in a graph.

    ``named_location`` is how the compiler finds the op; "" where the op has none.
    ``full_location`` is the whole location without quotes, as the front end sends it.
    """

    named_location: str
    full_location: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What tells overrides apart: the full location, or the named one without it."""
        return self.full_location or self.named_location


@dataclass(frozen=True, slots=True)
class Overrides:
    """Overrides by the key of their op, in the order in which they were made."""

    by_key: Mapping[str, Override] = field(default_factory=dict)

    @classmethod
    def of(cls, overrides: Iterable[Override]) -> Overrides:
        """One for each op: later values of the same op's attributes replace earlier ones."""
        found = cls()
        for override in overrides:
            found = found.with_values(override)
        return found

    def __iter__(self) -> Iterator[Override]:
        return iter(self.by_key.values())

    def __len__(self) -> int:
        return len(self.by_key)

    def with_values(self, override: Override) -> Overrides:
        """The same with these values added to those of the same op."""
        before = self.by_key.get(override.key)
        values = {**(before.attributes if before else {}), **override.attributes}
        return Overrides({**self.by_key, override.key: replace(override, attributes=values)})

    def without(self, key: str, attribute: str | None = None) -> Overrides:
        """The same without one op's override, or without one attribute of it."""
        before = self.by_key.get(key)
        rest = {k: o for k, o in self.by_key.items() if k != key}
        if before is None or attribute is None:
            return Overrides(rest)
        values = {k: v for k, v in before.attributes.items() if k != attribute}
        if not values:
            return Overrides(rest)
        kept = replace(before, attributes=values)
        return Overrides({k: kept if k == key else o for k, o in self.by_key.items()})
