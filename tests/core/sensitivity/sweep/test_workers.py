"""Sweeps beyond one process: whole, and equal to the local one, also when workers are killed."""

import multiprocessing
import os
import signal
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import psutil
import pytest

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.data import samples_from
from studio_core.evaluation.metrics import LossMetric, metric_named
from studio_core.samples import sample_data, sample_path
from studio_core.sensitivity.sweep import tasks
from studio_core.sensitivity.sweep.loss_sweep import LossSweep, SweepSettings
from studio_core.sensitivity.sweep.points import StopRule
from studio_core.sensitivity.sweep.prepared import Task
from studio_core.sensitivity.sweep.tasks import TaskResult
from studio_core.sensitivity.sweep.workers import ProcessWorkers, results, split
from studio_core.session import Session

SETTINGS = SweepSettings((0.5, 0.8), batch_size=8)


@pytest.fixture(scope="module")
def session():
    return Session.open(sample_path("digits_cnn"))


@pytest.fixture(scope="module")
def samples(session):
    data = sample_data("digits_cnn")
    return samples_from({**data.inputs, "labels": data.labels}, session.model).first(16)


def sweep(session, samples, workers=None, settings=SETTINGS, metric="softmax_kl"):
    metric = metric if isinstance(metric, LossMetric) else metric_named(metric)
    return LossSweep(
        session.model, session.prunable_layers, samples, metric, settings, workers=workers
    )


@pytest.fixture(scope="module")
def local(session, samples):
    run = sweep(session, samples)
    return set(run), run.baseline


def measured(run, after=None):
    """All measurements, each once; ``after`` is called when there are some."""
    found = []
    for measurement in run:
        found.append(measurement)
        if after is not None:
            after, once = None, after
            once()
    assert len(found) == len(set(found))
    return set(found)


def is_gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(is_so, seconds=10):
    deadline = time.monotonic() + seconds
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.02)
    return is_so()


def test_processes_measure_the_same_and_one_may_be_killed(session, samples, local):
    workers = ProcessWorkers(2)
    run = sweep(session, samples, workers)
    pids = []

    def kill_one():
        pids.extend(workers.pids)
        os.kill(pids[0], signal.SIGKILL)

    assert measured(run, kill_one) == local[0]
    assert np.array_equal(run.baseline, local[1])
    assert "prepared" not in vars(run)  # the model was loaded by the workers alone
    assert wait_until(lambda: all(map(is_gone, pids)))
    assert not multiprocessing.active_children()


def test_who_stops_asking_ends_the_processes(session, samples):
    workers = ProcessWorkers(1)
    run = iter(sweep(session, samples, workers))
    next(run)
    pids = workers.pids
    assert pids
    run.close()
    assert wait_until(lambda: all(map(is_gone, pids)))


def test_a_dask_cluster_measures_the_same_and_a_worker_may_be_killed(session, samples, local):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        address = cluster.scheduler_address
        pid = cluster.workers[0].pid
        assert measured_by(session, samples, address, lambda: os.kill(pid, signal.SIGKILL)) == {
            (m.layer_id, m.sparsity): m.value for m in local[0]
        }
        cancelled = session.measure(samples, scheduler=address, levels=[0.5, 0.8], batch_size=1)
        next(cancelled)
        next(cancelled)
        cancelled.close()
        with distributed.Client(address, set_as_default=False) as client:
            assert wait_until(lambda: not any(map(len, client.processing().values())))
            assert wait_until(lambda: not any(client.run(_num_tasks).values()))


def _num_tasks(dask_worker):
    return len(dask_worker.state.tasks)


def measured_by(session, samples, address, after):
    steps = session.measure(
        samples, scheduler=address, metric="softmax_kl", levels=[0.5, 0.8], batch_size=8
    )
    for step in steps:
        if step.done == 1:
            after()
    curves = step.analysis().curves
    return {(c.layer_id, s): v for c in curves for s, v in zip(c.sparsities, c.losses, strict=True)}


def test_any_executor_will_do_with_every_granularity_and_stop(session, samples):
    for settings in (
        SweepSettings(granularity="2:4", batch_size=8),
        SweepSettings((0.8,), batch_size=1, passes=[1, 4], stop_error=StopRule(0.5)),
    ):
        with ThreadPoolExecutor(2) as executor:
            steps = session.measure(
                samples,
                executor=executor,
                levels=settings.levels,
                granularity=settings.granularity,
                batch_size=settings.batch_size,
                passes=settings.passes,
                stop_error=None if settings.stop_error is None else 0.5,
                metric="cross_entropy",
            )
            *_, last = steps
            executor.submit(int).result()  # it is not shut down
        here = sweep(session, samples, settings=settings, metric="cross_entropy")
        found = {(m.layer_id, m.sparsity): m for m in here}  # of several passes the last
        for curve in last.analysis().curves:
            for i, level in enumerate(curve.sparsities.tolist()):
                expected = found[curve.layer_id, level]
                assert curve.losses[i] == expected.value
                assert curve.num_samples[i] == expected.num_samples


def test_an_executor_that_breaks_is_the_callers_to_replace(session, samples):
    class Broken(Executor):
        def submit(self, *args, **kwargs):  # noqa: ARG002
            raise BrokenProcessPool("a child was killed")

    with pytest.raises(InvalidRequestError, match="go on from it with a new executor"):
        list(session.measure(samples, executor=Broken(), levels=[0.5]))


def test_only_one_of_workers_scheduler_and_executor(session):
    with pytest.raises(InvalidRequestError, match="only one"):
        next(session.measure(samples=1, workers=2, scheduler="tcp://127.0.0.1:1"))
    with pytest.raises(InvalidRequestError, match="1 to 256"):
        next(session.measure(samples=1, workers=0))


def test_a_scheduler_that_is_not_there(session, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("studio_core.sensitivity.sweep.dask_workers._CONNECT_SECONDS", 0.2)
    with pytest.raises(InvalidRequestError, match="No Dask scheduler answers at tcp://127"):
        list(session.measure(samples=1, levels=[0.5], scheduler="tcp://127.0.0.1:9"))


def test_without_dask_the_error_says_how_to_install_it(session, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(InvalidRequestError, match=r"pip install 'studio-workbench\[dask\]'"):
        list(session.measure(samples=1, levels=[0.5], scheduler="tcp://127.0.0.1:9"))


def test_a_metric_that_cannot_be_sent_is_refused_before_anything_starts(session, samples):
    given = metric_named("relative_l2")
    own = LossMetric("own", "own", False, False, "", lambda a, b: given.compare(a, b))
    with pytest.raises(InvalidRequestError, match="Define its function in a module"):
        list(sweep(session, samples, ProcessWorkers(1), metric=own))


class Recorded:
    """Workers that answer at once; ``deaths`` of their tasks are lost first."""

    def __init__(self, deaths):
        self.deaths, self.given, self.recoveries = deaths, [], 0

    num_workers = 2

    def submit(self, task):
        self.given.append(task)
        future = Future()
        if self.deaths:
            self.deaths -= 1
            future.set_exception(BrokenProcessPool("killed"))
        else:
            future.set_result(TaskResult((task,), {}))
        return future

    def is_loss(self, error):
        return isinstance(error, BrokenProcessPool)

    def recover(self):
        self.recoveries += 1

    def check(self): ...


def test_lost_tasks_are_given_again_but_not_for_ever():
    few = [Task((("w", (0.5,)),), i, i + 1) for i in range(3)]
    workers = Recorded(deaths=5)
    found = [result.found[0] for result in results(workers, few)]
    assert sorted(found, key=lambda t: t.first) == few
    assert 1 <= workers.recoveries <= 3
    with pytest.raises(InvalidRequestError, match="died 4 times in a row"):
        list(results(Recorded(deaths=100), few))


def test_tasks_are_contiguous_and_hold_every_point_once():
    points = [(f"w{i}", (0.5, 0.9)) for i in range(23)]
    made = split(points, 0, 3, 2)
    assert [p for task in made for p in task.points] == points
    assert {(task.first, task.end) for task in made} == {(0, 3)}
    assert 2 <= len(made) <= 8
    assert len(made[0].points) <= len(made[-1].points)  # near the input a layer costs more
    assert len(split(points[:1], 0, 1, 8)) == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"versions": (("onnxruntime", "0.1"),)}, "other versions"),
        ({"model_path": "nowhere.onnx"}, "does not see the model"),
        ({"model_sha256": "0"}, "another model"),
    ],
)
def test_a_worker_with_another_world_says_so(session, samples, changed, said):
    from dataclasses import replace

    order = replace(sweep(session, samples)._order(), **changed)
    with pytest.raises(InvalidRequestError, match=said):
        tasks.run_task(order, samples, Task((), 0, 1))


def test_a_process_prepares_once_and_stops_when_told(session, samples, monkeypatch):
    run = sweep(session, samples)
    order = run._order()
    prepared = []
    real = tasks._prepare
    monkeypatch.setattr(tasks, "_prepare", lambda *args: prepared.append(1) or real(*args))
    points = tuple((name, (0.5,)) for name in list(run.units)[:3])
    whole = tasks.run_task(order, samples, Task(points, 0, 1))
    assert [f.name for f in whole.found] == [name for name, _ in points]
    assert tasks.run_task(order, samples, Task(points, 0, 1), lambda: True).found == ()
    assert len(prepared) == 1
