"""A store in a temporary root, and a file that stands for a model: the store never reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio_core.projects import Project, ProjectStore


@pytest.fixture
def store(tmp_path: Path) -> ProjectStore:
    return ProjectStore(tmp_path / "projects")


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    path = tmp_path / "source" / "net.onnx"
    path.parent.mkdir()
    path.write_bytes(b"a model " * 1000)
    return path


@pytest.fixture
def project(store: ProjectStore, model_path: Path) -> Project:
    return store.create(model_path, {"projectName": "test project", "epochs": 3})
