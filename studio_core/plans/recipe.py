"""Recipes: a plan as the YAML that SparseML's training integrations read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from studio_core.errors import InvalidRequestError

_LEARNING_RATE_GAMMA = 0.2
_INITIAL_SPARSITY = 0.05


@dataclass(frozen=True)
class Schedule:
    """When a training run prunes and lowers its learning rate.

    Of ``training_epochs`` the first third prunes and the second fine-tunes, as in the
    original Studio: for 100 epochs pruning runs from 1 to 33 and training to 67.
    """

    training_epochs: int = 100
    pruning_update_frequency: float = 1.0
    init_training_lr: float = 0.1
    final_training_lr: float = 0.001

    def __post_init__(self) -> None:
        if not 6 <= self.training_epochs <= 100_000:
            raise InvalidRequestError("'training_epochs' must be from 6 to 100000.")
        if not 0 < self.pruning_update_frequency <= self.training_epochs:
            raise InvalidRequestError(
                "'pruning_update_frequency' must be above 0 and at most the number of epochs."
            )
        for name in ("init_training_lr", "final_training_lr"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise InvalidRequestError(f"'{name}' must be from 0 to 1.")

    @property
    def learning_rate(self) -> float:
        return (self.init_training_lr + self.final_training_lr) / 2

    @property
    def pruning_start(self) -> int:
        return 1

    @property
    def pruning_end(self) -> int:
        return max(2, self.training_epochs // 3)

    @property
    def end(self) -> int:
        return round(self.training_epochs * 2 / 3)

    @property
    def milestones(self) -> tuple[int, ...]:
        """Four epochs behind the pruning at which the learning rate is multiplied by 0.2."""
        first = self.pruning_end + 1
        step = max(1, (self.end - first) // 4)
        return tuple(m for m in range(first, first + 4 * step, step) if m < self.end)


@dataclass(frozen=True)
class Modifier:
    """One entry of a recipe: SparseML's class name and its arguments."""

    name: str
    arguments: Mapping[str, Any]


def recipe_text(sparsities: Mapping[str, float], schedule: Schedule | None = None) -> str:
    """A recipe that prunes the weights named in ``sparsities`` to those fractions.

    Weights of equal sparsity share one GMPruningModifier, as SparseML's own recipes do.
    """
    schedule = schedule or Schedule()
    groups: dict[float, list[str]] = defaultdict(list)
    for name, sparsity in sparsities.items():
        groups[round(sparsity, 4)].append(name)
    modifiers = _training(schedule) + [
        _pruning(schedule, sparsity, names) for sparsity, names in sorted(groups.items())
    ]
    return yaml.dump(
        {"version": "1.1.0", "modifiers": modifiers},
        Dumper=_RecipeDumper,
        sort_keys=False,
        default_flow_style=False,
        allow_unicode=True,
        width=10_000,
    )


def _training(schedule: Schedule) -> list[Modifier]:
    return [
        Modifier("EpochRangeModifier", {"start_epoch": 0.0, "end_epoch": float(schedule.end)}),
        Modifier(
            "SetLearningRateModifier",
            {"start_epoch": 0.0, "learning_rate": schedule.learning_rate},
        ),
        Modifier(
            "LearningRateModifier",
            {
                "start_epoch": float(schedule.pruning_end),
                "end_epoch": float(schedule.end),
                "lr_class": "MultiStepLR",
                "lr_kwargs": {
                    "gamma": _LEARNING_RATE_GAMMA,
                    "milestones": [float(m) for m in schedule.milestones],
                },
                "init_lr": schedule.learning_rate,
            },
        ),
    ]


def _pruning(schedule: Schedule, sparsity: float, names: list[str]) -> Modifier:
    return Modifier(
        "GMPruningModifier",
        {
            "params": names,
            "init_sparsity": min(_INITIAL_SPARSITY, sparsity),
            "final_sparsity": sparsity,
            "start_epoch": float(schedule.pruning_start),
            "end_epoch": float(schedule.pruning_end),
            "update_frequency": float(schedule.pruning_update_frequency),
            "inter_func": "cubic",
            "mask_type": "unstructured",
        },
    )


class _RecipeDumper(yaml.SafeDumper):
    """Writes a `Modifier` as a tagged mapping, such as ``!GMPruningModifier``."""


def _represent(dumper: yaml.SafeDumper, modifier: Modifier) -> yaml.Node:
    return dumper.represent_mapping(f"!{modifier.name}", modifier.arguments)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # Unquoted and in single quotes PyYAML writes these as they are and reads them as spaces.
    style = '"' if any(mark in text for mark in "\x85\u2028\u2029\ufeff") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_RecipeDumper.add_representer(Modifier, _represent)
_RecipeDumper.add_representer(str, _represent_text)
