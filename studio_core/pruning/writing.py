"""Writing a model anew with some tensors changed: everything else is copied byte for byte."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio_core.errors import ConflictError, InvalidModelError
from studio_core.models.model import Model, open_model
from studio_core.pruning.external import ExternalData, plan_external_data
from studio_core.pruning.provenance import metadata_bytes
from studio_core.pruning.rewriting import Rewrite, embedded_edit
from studio_core.pruning.spans import TensorSpan
from studio_core.pruning.splice import Buffer, Edit, spliced
from studio_core.pruning.staging import (
    check_target,
    free_data_name,
    publish,
    staging_folder,
)
from studio_core.pruning.verification import Verification, verify_file


@dataclass(frozen=True)
class WrittenModel:
    """A model that was written: where, its hash as `Model.sha256` has it, and remarks."""

    path: Path
    data_files: tuple[Path, ...]
    sha256: str
    notes: tuple[str, ...]


def mapped(path: Path) -> memoryview:
    """The bytes of a file, without reading them all; unmapped once nothing refers to them."""
    with path.open("rb") as file:
        # Not closed here: while an error is on its way, its traceback holds parts of the map.
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def write_model(
    model: Model,
    data: memoryview,
    spans: Sequence[TensorSpan],
    rewrites: Sequence[Rewrite],
    metadata: Mapping[str, str],
    target: Path,
    *,
    other_edits: Sequence[Edit] = (),
    overwrite: bool = False,
    verify: bool = True,
) -> WrittenModel:
    """Write ``model`` to ``target`` with ``rewrites`` and ``other_edits`` made.

    ``data`` is the source file and ``spans`` its tensors. Tensors kept outside the file go
    to one new file beside the target. Raises `InvalidRequestError` where the target is the
    source, `ConflictError` where it exists or the source changes meanwhile, `StorageError`
    where the disk refuses, `InvalidModelError` where the result is not accepted although
    the source is.
    """
    check_target(model, target, overwrite=overwrite)
    before = _state(model)
    external = plan_external_data(model, data, spans, rewrites, free_data_name(target))
    moved = {edit.start for edit in external.edits}
    embedded = [embedded_edit(data, r) for r in rewrites if r.span.start not in moved]
    edits = [*embedded, *external.edits, *other_edits]
    taken = [entry.key for entry in model.proto.metadata_props]
    with staging_folder(target) as folder:
        staged = folder / target.name
        data_names = _write_data(external, folder)
        _write(staged, spliced(data, edits), metadata_bytes(metadata, taken))
        if _state(model) != before:
            raise ConflictError(f"{model.path.name} changed while it was read. Try again.")
        notes = _verified(staged, model) if verify else ()
        sha256 = open_model(staged, limits=model.limits).sha256()
        publish(staged, target, data_names, model, overwrite=overwrite)
    data_files = tuple(target.with_name(name) for name in data_names)
    return WrittenModel(target, data_files, sha256, notes)


def _state(model: Model) -> list[tuple[int, int, int]]:
    """What changes when somebody writes to the source or its data."""
    files = [path.stat() for path in (model.path, *model.data_files)]
    return [(s.st_size, s.st_mtime_ns, s.st_ino) for s in files]


def _write_data(external: ExternalData, folder: Path) -> tuple[str, ...]:
    if not external.parts:
        return ()
    external.write(folder / external.name)
    return (external.name,)


def _write(path: Path, chunks: Iterable[Buffer], end: bytes) -> None:
    with path.open("xb") as file:
        for chunk in chunks:
            file.write(chunk)
        file.write(end)
        file.flush()
        os.fsync(file.fileno())


def _verified(staged: Path, source: Model) -> tuple[str, ...]:
    """Remarks on what refuses the new file and its source alike; raises for the new one alone."""
    new = verify_file(staged)
    if new.is_accepted:
        return ()
    old = verify_file(source.path)
    _check_no_worse(new.checker, old.checker, "onnx.checker")
    _check_no_worse(new.runtime, old.runtime, "onnxruntime")
    return _remarks(new)


def _check_no_worse(new: str, old: str, who: str) -> None:
    if new and not old:
        raise InvalidModelError(
            f"{who} accepts the source and refuses the pruned model ({new}). Nothing was "
            "written; please report this with the model."
        )


def _remarks(verification: Verification) -> tuple[str, ...]:
    refusals = (("onnx.checker", verification.checker), ("onnxruntime", verification.runtime))
    return tuple(
        f"{who} refuses the model, as it does its source: {why}" for who, why in refusals if why
    )
