"""Modules of the project's own for the tests, and others' where they are at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / "data" / "mlir"


@pytest.fixture(scope="session")
def data() -> Path:
    return DATA
