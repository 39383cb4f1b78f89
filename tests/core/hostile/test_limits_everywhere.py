"""Limits that were raised hold wherever a model is opened again, and lower ones too.

The model has a name that the default limits refuse. Whoever opens it, or what was made of it, by
the defaults fails here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from studio_core.analysis_runs import RunOptions
from studio_core.errors import LimitError
from studio_core.evaluation.data import generate_samples
from studio_core.evaluation.metrics import metric_named
from studio_core.limits import DEFAULT_LIMITS, Limits
from studio_core.plan_runs.request import PlanRequest
from studio_core.plan_runs.verifying import VerifyOptions
from studio_core.sensitivity.sweep import tasks
from studio_core.sensitivity.sweep.loss_sweep import LossSweep
from studio_core.session import Session
from studio_core.workbench import Workbench

NAME = "long" * 5000
RAISED = Limits(max_name_bytes=4 * len(NAME))


@pytest.fixture(scope="module")
def model_path(write_model: Any) -> Path:
    rng = np.random.default_rng(0)
    path: Path = write_model(
        f"""g (float[N,6] x) => (float[N,4] y) {{
            {NAME} = Gemm (x, w, b)
            r = Relu ({NAME})
            y = Gemm (r, v)
        }}""",
        {name: rng.standard_normal(shape).astype(np.float32)
         for name, shape in {"w": (6, 16), "b": (16,), "v": (16, 4)}.items()},
    )  # fmt: skip
    outside = {"save_as_external_data": True, "location": "w.data", "size_threshold": 0}
    onnx.save_model(onnx.load(path), path, **outside)
    with pytest.raises(LimitError, match="max_name_bytes"):
        Session.open(path)
    return path


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path / "projects", limits=RAISED)


def sweep(bench: Workbench, project_id: str) -> Iterator[Any]:
    yield from bench.run_analysis_iter(project_id, "loss", "a", RunOptions(levels=[0.5], samples=1))


def sweep_in_processes(bench: Workbench, project_id: str) -> Iterator[Any]:
    options = RunOptions(levels=[0.5], samples=1, workers=1)
    yield from bench.run_analysis_iter(project_id, "loss", "b", options)


def timing(bench: Workbench, project_id: str) -> Iterator[Any]:
    options = RunOptions(levels=[0.5], iterations=1, warmup=0)
    yield from bench.run_analysis_iter(project_id, "perf", "c", options)


def plan(bench: Workbench, project_id: str, granularity: str) -> Iterator[Any]:
    goal = {"sparsity": 0.5, "granularity": granularity}
    request = PlanRequest.from_document({"name": "p", "goal": goal})
    saved = bench.plans.save(project_id, request)
    assert any(saved.plan.sparsities.values())
    yield from bench.plans.verify_iter(project_id, "p", VerifyOptions(samples=2))
    for _ in range(2):  # the second replaces the model of the first
        yield from bench.plans.apply_iter(project_id, "p")


WAYS: dict[str, Callable[[Workbench, str], Iterator[Any]]] = {
    "sweep": sweep,
    "sweep in processes": sweep_in_processes,
    "timing": timing,
    "weights pruned": lambda bench, project: plan(bench, project, "element"),
    "channels removed": lambda bench, project: plan(bench, project, "channel"),
}


@pytest.mark.parametrize("way", WAYS)
def test_whoever_opens_the_model_again_takes_the_limits_that_were_set(
    bench: Workbench, model_path: Path, way: str
) -> None:
    project = bench.create_project(model_path, {})
    assert list(WAYS[way](bench, project.id))
    data = list((project.folder / "plans").rglob("*.data"))
    assert len(data) == (1 if way in ("weights pruned", "channels removed") else 0)


def test_a_worker_is_bound_by_the_limits_of_the_order(model_path: Path) -> None:
    session = Session.open(model_path, limits=RAISED)
    samples = generate_samples(session.model, 1)
    run = LossSweep(session.model, session.layers, samples, metric_named("relative_l2"))
    order = run._order()
    assert order.limits == RAISED
    with pytest.raises(LimitError, match="max_name_bytes"):
        tasks._prepare(replace(order, limits=DEFAULT_LIMITS), samples)
