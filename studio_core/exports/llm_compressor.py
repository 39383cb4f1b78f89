"""A plan as a recipe for llm-compressor: one MagnitudePruningModifier for each sparsity.

The layout (stage, group of modifiers, modifier with its arguments) is that of
``llmcompressor.recipe``; a group may hold a modifier once, so each sparsity has a group.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import yaml

from studio_core.errors import InvalidRequestError
from studio_core.exports.recipes import named, sparsity_by_name
from studio_core.exports.source import Exported, ExportSource


def to_llm_compressor(
    source: ExportSource,
    *,
    state_dict: Mapping[str, Any] | None = None,
    init_sparsity: float = 0.0,
    start: float = 0.0,
    end: float = 1.0,
    update: float = 0.1,
) -> Exported:
    """A recipe of `MagnitudePruningModifier` (YAML).

    It raises the sparsity from ``init_sparsity`` (0 to 1) to the plan's between the epochs
    ``start`` and ``end``, every ``update`` epochs. With a ``state_dict`` the targets are its
    parameter names, found by shape and values. The modifier knows no N:M patterns.
    """
    source.only_single_weights("llm-compressor's MagnitudePruningModifier")
    if not (0 <= init_sparsity <= 1 and 0 <= start < end and update > 0):
        raise InvalidRequestError(
            "'init_sparsity' must be from 0 to 1, 'start' at least 0 and below 'end', and "
            "'update' above 0."
        )
    names = named(source, state_dict)
    targets: dict[float, list[str]] = defaultdict(list)
    for name, sparsity in sparsity_by_name(source, names).items():
        targets[sparsity].append(_target(name))
    groups = {
        f"sparsity_{number}_modifiers": {
            "MagnitudePruningModifier": {
                "targets": found,
                "init_sparsity": min(init_sparsity, sparsity),
                "final_sparsity": sparsity,
                "mask_structure": "unstructured",
                "start": start,
                "end": end,
                "update": update,
            }
        }
        for number, (sparsity, found) in enumerate(sorted(targets.items()), 1)
    }
    text = yaml.dump({"pruning_stage": groups}, Dumper=_Dumper, sort_keys=False, width=10_000)
    return Exported(text.encode(), names.problems)


class _Dumper(yaml.SafeDumper):
    """Writes a list each time it occurs, without anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _target(name: str) -> str:
    """``name`` as a target: what begins with ``re:`` would be read as a pattern."""
    return f"re:^{re.escape(name)}$" if name.startswith("re:") else name
