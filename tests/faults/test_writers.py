"""Two servers and a notebook at one project; ``python -m tests.faults --writes 5000`` is longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio_core.workbench import Workbench

from .writers import SORTS, Notebook, check, run, write_all


def test_two_servers_and_a_notebook_lose_nothing(tmp_path: Path) -> None:
    conflicts = run(tmp_path, 4 * len(SORTS))
    assert conflicts > 0, "nobody met anybody: the test has shown nothing"


def test_what_is_lost_is_found(tmp_path: Path) -> None:
    """The check itself: of three writers that are one after another, the last forgets a thing."""
    bench = Workbench(tmp_path)
    project_id = bench.create_project("sample:digits_cnn", {}).id
    notebook = Notebook(bench, project_id)
    for number in range(3):
        write_all(notebook, number, len(SORTS))
    check(bench, project_id, len(SORTS))
    bench.update_project(project_id, {"counted": 8})
    with pytest.raises(AssertionError, match="what was counted is lost"):
        check(bench, project_id, len(SORTS))
