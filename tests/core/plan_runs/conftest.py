"""A project of three layers with measured losses, and one whose channels can go."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from studio_core.plan_runs.project_plans import ProjectPlans
from studio_core.plan_runs.request import PlanRequest
from studio_core.workbench import Workbench

LEVELS = (0.25, 0.5, 0.75)
CURVES = {"a": (0.1, 0.4, 0.9), "b": (0.01, 0.02, 0.05), "y": (0.2, 0.5, 2.0)}


def loss_document(curves: dict[str, tuple[float, ...]], metric: str = "relative_l2") -> Any:
    return {
        "source": "measured",
        "metric": {"name": metric},
        "layerSensitivities": [
            {
                "id": layer_id,
                "baseline": {"sparsity": 0.0, "loss": 0.0},
                "sparse": [
                    {"sparsity": s, "loss": loss, "standardError": 0.01}
                    for s, loss in zip(LEVELS, losses, strict=True)
                ],
            }
            for layer_id, losses in curves.items()
        ],
    }


@pytest.fixture
def workbench(tmp_path):
    return Workbench(tmp_path / "projects")


@pytest.fixture
def plans(workbench) -> ProjectPlans:
    return workbench.plans


@pytest.fixture
def project(workbench, mlp) -> str:
    """The id of a project with the loss analysis "measured"."""
    project = workbench.create_project(mlp.model.path, {"projectName": "mine"})
    workbench.save_analysis(project.id, "loss", "measured", loss_document(CURVES))
    rng = np.random.default_rng(1)
    np.savez(project.data_folder / "samples.npz", x=rng.normal(size=(20, 3)).astype(np.float32))
    return str(project.id)


@pytest.fixture
def convs(workbench, open_text) -> str:
    """The id of a project with three convolutions in a row, of 32, 32 and 16 channels."""
    rng = np.random.default_rng(0)
    session = open_text(
        """
        convs (float[N,16,4,4] x) => (float[N,16,4,4] y) {
            a = Conv <kernel_shape = [1,1]> (x, wa)
            ra = Relu (a)
            b = Conv <kernel_shape = [1,1]> (ra, wb)
            rb = Relu (b)
            y = Conv <kernel_shape = [1,1]> (rb, wy)
        }
        """,
        {
            "wa": rng.normal(size=(32, 16, 1, 1)).astype(np.float32),
            "wb": rng.normal(size=(32, 32, 1, 1)).astype(np.float32),
            "wy": rng.normal(size=(16, 32, 1, 1)).astype(np.float32),
        },
    )
    return str(workbench.create_project(session.model.path, {}).id)


@pytest.fixture
def wanted():
    """``wanted(goal={…}, name="mild")``: a request from its document."""

    def make(**fields: Any) -> PlanRequest:
        return PlanRequest.from_document(fields)

    return make
