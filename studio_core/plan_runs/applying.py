"""The plan as a new model: channels taken out, then the other weights made zero.

The layers keep their ids when channels go, so that one plan serves both steps. The model
appears whole or not at all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from studio_core.layers import Layer, find_layers
from studio_core.models.model import Model, open_model
from studio_core.plan_runs.removal import Removal
from studio_core.plans import PruningPlan
from studio_core.pruning.apply import PrunedLayer, PrunedModel, prune_model
from studio_core.pruning.channels import remove_channels
from studio_core.pruning.staging import told_in_words
from studio_core.session import Session


@dataclass(frozen=True)
class AppliedPlan:
    """A pruned model on disk: its files with their bytes, the model itself first.

    ``sparsity`` is the share of the prunable weights of the whole model that are zero or
    gone; bytes are those of all files.
    """

    files: tuple[tuple[Path, int], ...]
    bytes_before: int
    sparsity: float
    sha256: str
    layers: tuple[PrunedLayer, ...]
    notes: tuple[str, ...]

    @property
    def bytes_after(self) -> int:
        return sum(size for _, size in self.files)


def apply_plan(
    session: Session,
    plan: PruningPlan,
    removal: Removal,
    target: Path,
    *,
    overwrite: bool = False,
) -> AppliedPlan:
    """Write the model of ``session`` to ``target`` as ``plan`` says; raises as `prune_model`."""
    fitted, notes = removal.fitted(plan)
    pruned = write_pruned(session, fitted, removal, target, overwrite=overwrite)
    files = tuple((path, path.stat().st_size) for path in (pruned.path, *pruned.data_files))
    source = (
        session.model.path,
        *(session.model.path.parent / f for f in session.model.data_files),
    )
    return AppliedPlan(
        files,
        sum(path.stat().st_size for path in source),
        sparsity_of(session.layers, open_model(pruned.path, limits=session.model.limits)),
        pruned.sha256,
        pruned.layers,
        (*notes, *pruned.notes),
    )


def write_pruned(
    session: Session, plan: PruningPlan, removal: Removal, target: Path, *, overwrite: bool = False
) -> PrunedModel:
    """The model at ``target``; ``plan`` has been fitted to ``removal``."""
    channels = removal.channels(plan)
    if not channels:
        return _zeroed(session.model, session.layers, plan, removal, target, overwrite)
    rest = _without(plan, channels)
    if not any(rest.sparsities.values()):
        return remove_channels(session.model, session.layers, channels, target, overwrite=overwrite)
    with (
        told_in_words(target),
        tempfile.TemporaryDirectory(prefix=".channels-", dir=target.parent) as folder,
    ):
        smaller = remove_channels(
            session.model, session.layers, channels, Path(folder, target.name), verify=False
        )
        model = open_model(smaller.path, limits=session.model.limits)
        layers = find_layers(model)
        pruned = _zeroed(model, layers, _of_model(rest, layers), removal, target, overwrite)
    return replace(
        pruned,
        source_sha256=smaller.source_sha256,
        layers=(*smaller.layers, *pruned.layers),
        notes=(*smaller.notes, *pruned.notes),
    )


def sparsity_of(before: tuple[Layer, ...], after: Model) -> float:
    """Share of the prunable weights ``before`` that are zero or gone in the model ``after``."""
    size = sum(x.weight_size for x in _stored(before).values())
    left = _stored(find_layers(after)).values()
    return 1.0 - sum(x.weight_size - (x.num_zeros or 0) for x in left) / max(1, size)


def _stored(layers: tuple[Layer, ...]) -> Mapping[object, Layer]:
    """Prunable layers, one for each stored weight."""
    return {x.weight.key: x for x in layers if x.is_prunable and x.weight is not None}


def _zeroed(
    model: Model,
    layers: tuple[Layer, ...],
    plan: PruningPlan,
    removal: Removal,
    target: Path,
    overwrite: bool,
) -> PrunedModel:
    return prune_model(
        model,
        layers,
        plan,
        target,
        granularity=removal.granularities(plan),
        group_size=removal.group_size,
        overwrite=overwrite,
    )


def _without(plan: PruningPlan, layer_ids: Mapping[str, float]) -> PruningPlan:
    kept = {i: s for i, s in plan.sparsities.items() if i not in layer_ids}
    return replace(plan, sparsities=kept, locked=plan.locked - frozenset(layer_ids))


def _of_model(plan: PruningPlan, layers: tuple[Layer, ...]) -> PruningPlan:
    """The part of ``plan`` for layers that are still there."""
    ids = {layer.id for layer in layers}
    return replace(plan, sparsities={i: s for i, s in plan.sparsities.items() if i in ids})
