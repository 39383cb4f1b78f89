"""The disk full in the middle of a sweep: what was measured stays, and is not measured again."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from studio_core import workbench
from studio_core.analysis_runs import RunOptions
from studio_core.errors import StorageError
from studio_core.projects import files
from studio_core.sensitivity.documents import Document
from studio_core.workbench import Workbench

from . import attacks

LEVELS = (0.3, 0.6)


class FullAfter:
    """`os`, with a disk that takes ``writes`` more writes."""

    def __init__(self, writes: int) -> None:
        self.left = writes

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def write(self, descriptor: int, data: bytes) -> int:
        if self.left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.left -= 1
        return os.write(descriptor, data)


def losses(document: Document) -> dict[tuple[str, float], float]:
    """What the document says was measured."""
    return {
        (layer["id"], point["sparsity"]): point["loss"]
        for layer in document["layerSensitivities"]
        for point in layer["sparse"]
        if point["loss"] is not None
    }


@pytest.mark.parametrize("writes", [1, 2, 4])
def test_a_sweep_keeps_what_it_saved_and_goes_on_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    monkeypatch.setattr(workbench, "SAVE_SECONDS", 0.0)
    bench = Workbench(tmp_path / "projects")
    project = bench.create_project(attacks.named(tmp_path, ("a", "b", "c")), {})
    options = RunOptions(levels=LEVELS, samples=1)

    with monkeypatch.context() as patch:
        patch.setattr(files, "os", FullAfter(writes))
        with pytest.raises(StorageError, match="The disk is full"):
            list(bench.run_analysis_iter(project.id, "loss", "swept", options))
    kept = bench.analysis_document(project.id, "loss", "swept")
    found = losses(kept)
    assert kept["complete"] is False and len(found) == writes
    assert list(tmp_path.rglob("*.tmp")) == []

    resumed = RunOptions(levels=LEVELS, samples=1, resume=True)
    steps = list(bench.run_analysis_iter(project.id, "loss", "swept", resumed))
    assert [step.done for step in steps] == list(range(writes, 7)), "nothing is measured twice"
    whole = bench.analysis_document(project.id, "loss", "swept")
    assert whole["complete"] is True and found.items() <= losses(whole).items()
