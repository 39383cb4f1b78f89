"""The Python that opens a model again and measures it as it was measured."""

from __future__ import annotations

from dataclasses import replace

from studio_core.projects import default_project_root
from studio_core.workbench import Workbench
from studio_widgets.measure_panel import MeasurePanel
from studio_widgets.performance_panel import PerformancePanel


def measuring_code(panel: MeasurePanel | PerformancePanel, function: str) -> list[str]:
    """The Python that measures again; what a project keeps is there when it is opened."""
    request = panel.measured_by
    if request is None:
        return []
    if not panel.is_complete and not panel.is_running:
        request = replace(request, stop_after=panel.num_done)
    call = request.call(function)
    if panel.is_job:
        return [f"# kept in the project, measured by {call}"]
    lines = ["# data: what was given before"] if request.code == "data" else []
    return [*lines, f"{call}.wait()"]


def opening_code(function: str, argument: str, workbench: Workbench) -> str:
    """The Python that opens the same thing again."""
    root = workbench.store.root
    is_default = root == default_project_root().expanduser().absolute()
    keyword = "" if is_default else f", project_root={str(root)!r}"
    return f"studio.{function}({argument!r}{keyword})"
