"""Measuring in a project: jobs that outlive the kernel, and are found again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import studio_widgets as studio
from studio_core.analysis_runs import RunOptions
from studio_core.errors import InvalidRequestError
from studio_core.jobs import JobState
from studio_core.jobs.processes import Adopted, end_tree
from studio_core.samples import sample_data, sample_path
from studio_core.workbench import RANDOM, Workbench
from studio_widgets._project_jobs import queue_of

LEVELS = (0.5, 0.8)

OTHER_KERNEL = """
import sys, time
import studio_widgets as studio
wb = studio.open(sys.argv[1], project_root=sys.argv[2])
wb.measure(wb.held_out_data, metric="accuracy", samples=360)
while not wb.measure_panel.analysis:
    wb.measure_panel.run.wait(0.1)
print(wb.measure_panel._steps.job.id, flush=True)
time.sleep(60)
"""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "projects"
    Workbench(root).create_project(sample_path("digits_cnn"), {"projectName": "digits"})
    yield root
    queue = queue_of(root)
    for job in queue.jobs():
        if not job.is_finished:
            queue.cancel(job.id)
    queue.stop()


def _open(root: Path) -> studio.WorkbenchView:
    return studio.open("digits", project_root=root)


def _num_known(wb: studio.WorkbenchView) -> int:
    assert wb.measured is not None
    return sum(int(np.isfinite(curve.losses).sum()) for curve in wb.measured.curves)


def test_a_measurement_in_a_project_is_a_job_and_is_kept(root: Path) -> None:
    wb = _open(root)
    assert wb.measured is None
    data = sample_data("digits_cnn")
    arrays = {**data.inputs, "labels": data.labels}
    assert wb.measure(arrays, metric="accuracy", samples=16, levels=LEVELS).wait()
    assert "all 28 measured on 16 samples" in wb.measure_panel.status.value
    (job,) = queue_of(root).jobs(wb.project.id if wb.project else "")
    assert (job.kind, job.name, job.state) == ("loss", "measured", JobState.DONE)
    again = _open(root)
    assert again.curves == "measured"
    assert "all 28 measured on 16 samples" in again.measure_panel.status.value
    assert _num_known(again) == 28
    assert again.plan == wb.plan
    assert not again.measure_panel.is_running
    # What was given as arrays can be verified on by the next kernel.
    again.verify().wait()
    assert again.verified[0].verification.loss.num_samples == 16
    assert "# kept in the project" in again.copy_as_code()
    scope: dict[str, studio.WorkbenchView] = {}
    exec(again.copy_as_code(), scope)
    assert scope["wb"].plan == again.plan


def test_random_data_stays_random_where_the_project_has_its_own(root: Path) -> None:
    workbench = Workbench(root)
    project = workbench.find_project("digits")
    project.data_folder.mkdir(exist_ok=True)
    image = sample_data("digits_cnn").inputs["image"][0]
    np.savez(project.data_folder / "one.npz", image=image)
    assert not workbench.samples(project.id, RunOptions()).generated
    random = workbench.samples(project.id, RunOptions(data=RANDOM, samples=3))
    assert random.generated
    assert random.num_samples == 3
    wb = _open(root)
    assert wb.measure_panel.data.value == "held_out"
    assert wb.measure_panel.chosen().job_data == "sample:digits_cnn"
    wb.measure_panel.data.value = "random"
    assert wb.measure_panel.chosen().job_data == RANDOM
    wb.measure_panel.data.value = "project"
    assert wb.measure_panel.chosen().job_data == str(project.data_folder)


def test_a_job_is_cancelled_and_resumed(root: Path) -> None:
    wb = _open(root)
    data = wb.held_out_data
    wb.measure(data, metric="softmax_kl", samples=100, levels=LEVELS, stop_after=3).wait()
    assert "cancelled; " in wb.measure_panel.status.value
    kept = _num_known(wb)
    assert 3 <= kept < 28
    again = _open(root)
    assert "cancelled; " in again.measure_panel.status.value
    assert again.measure_panel.go_on.layout.display == ""
    again.measure_panel.go_on.click()
    assert again.measure_panel.run is not None
    again.measure_panel.run.wait()
    assert _num_known(again) == 28
    (job,) = queue_of(root).jobs()
    assert (job.state, job.attempt) == (JobState.DONE, 2)


def test_the_next_kernel_follows_the_job_of_one_that_was_killed(root: Path) -> None:
    command = [sys.executable, "-c", OTHER_KERNEL, "digits", str(root)]
    kernel = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert kernel.stdout is not None
    job_id = kernel.stdout.readline().strip()
    kernel.send_signal(signal.SIGKILL)
    kernel.wait()
    wb = _open(root)
    queue = queue_of(root)
    assert wb.measure_panel.is_running
    assert wb.measure_panel.run is not None
    job = queue.get(job_id)
    assert job.state is JobState.RUNNING
    assert job.owner is not None and job.owner.pid == os.getpid()
    done = wb.measure_panel.num_done
    while " left" not in wb.measure_panel.status.value:
        assert not wb.measure_panel.run.wait(0.2)
    assert wb.measure_panel.num_done > done
    # A worker that dies too leaves what it measured, and can be resumed.
    assert job.process is not None
    end_tree(Adopted(job.process), 0)
    with pytest.raises(Exception, match="ended"):
        wb.measure_panel.run.wait()
    assert not wb.measure_panel.is_running
    assert wb.measured is not None
    assert wb.measure_panel.go_on.layout.display == ""


def test_looking_at_another_model_leaves_the_job_at_work(root: Path) -> None:
    wb = _open(root)
    wb.measure(wb.held_out_data, metric="accuracy", samples=360)
    panel = wb.measure_panel
    while not panel.analysis:
        assert panel.run is not None
        panel.run.wait(0.1)
    wb.projects.path.value = str(sample_path("digits_transformer"))
    wb.projects.new.click()
    assert wb.messages.value == ""
    assert not wb.measure_panel.is_running
    (job,) = queue_of(root).jobs()
    assert job.state is JobState.RUNNING
    back = _open(root)
    assert back.measure_panel.is_running
    back.measure_panel.cancel()
    assert back.measure_panel.run is not None
    back.measure_panel.run.wait()
    assert queue_of(root).get(job.id).state is JobState.CANCELLED


def test_what_ends_a_job_is_raised_and_shown(root: Path) -> None:
    wb = _open(root)
    with pytest.raises(InvalidRequestError, match="needs labels"):
        wb.measure(metric="accuracy").wait()
    assert "Please check this value" in wb.measure_panel.messages.value
    again = _open(root)
    assert "needs labels" in again.measure_panel.messages.value
