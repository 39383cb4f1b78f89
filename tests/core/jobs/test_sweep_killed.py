"""A real sweep whose server and worker are killed: a new server goes on where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from studio_core.jobs import JobQueue, JobState, JobStore
from studio_core.workbench import Workbench

from .conftest import until
from .test_queue import lives

SERVER = """
import json, sys, time
from studio_core.jobs import JobQueue
root, project_id, options = json.loads(sys.argv[1])
JobQueue(root).start().submit(project_id, "loss", "swept", options)
time.sleep(99)
"""
LEVELS = (0.5, 0.8, 0.9)
OPTIONS = {"samples": 400, "data": "random:", "batchSize": 200, "sparsityLevels": LEVELS}


def losses(bench: Workbench, project_id: str) -> dict[tuple[str, float], float]:
    """What the saved analysis has measured; nothing where there is none yet."""
    if "swept" not in bench.store.analyses(project_id, "loss"):
        return {}
    document = bench.analysis_document(project_id, "loss", "swept")
    return {
        (layer["id"], point["sparsity"]): point["loss"]
        for layer in document["layerSensitivities"]
        for point in layer["sparse"]
        if point["loss"] is not None
    }


def killed_amid(root: Path, bench: Workbench, project_id: str) -> str:
    """Start a server with a sweep, and kill both in the middle; the id of the job."""
    command: Any = [sys.executable, "-c", SERVER, json.dumps([str(root), project_id, OPTIONS])]
    path = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    server = subprocess.Popen(command, env=path)
    try:
        until(lambda: losses(bench, project_id), 60)
        (job,) = JobStore(root).jobs()
        assert job.pid is not None
        server.kill()
        os.kill(job.pid, signal.SIGKILL)
        until(lambda: not lives(job.pid))
    finally:
        server.kill()
        server.wait()
    return job.id


def test_finished_measurements_of_a_killed_sweep_are_not_repeated(tmp_path: Path) -> None:
    root = tmp_path / "projects"
    bench = Workbench(root)
    project_id = bench.create_project("sample:digits_cnn", {}).id
    job_id = killed_amid(root, bench, project_id)
    kept = losses(bench, project_id)
    total = len(LEVELS) * sum(layer.is_prunable for layer in bench.layers(project_id))
    assert 0 < len(kept) < total, "it was killed too early or too late to show anything"
    assert bench.analysis_document(project_id, "loss", "swept")["complete"] is False

    with JobQueue(root) as queue:
        assert queue.get(job_id).state is JobState.INTERRUPTED
        queue.resume(job_id)
        done = queue.wait(job_id, 60)
        assert (done.state, done.error) == (JobState.DONE, None)
        begun = [line for line in queue.log(job_id).splitlines() if "preparing the model" in line]
    assert begun[-1].endswith(f" {len(kept)} of {total}: preparing the model")
    whole = losses(bench, project_id)
    assert len(whole) == total and kept.items() <= whole.items()
