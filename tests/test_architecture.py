"""The direction of imports, as one table, and a few limits that keep files readable.

    notebooks → studio_widgets, studio_server, studio_cli, studio_model_explorer → studio_core

The doors never import each other, core knows no screen and no HTTP, and inside core an
import never runs upwards.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOORS = ("studio_server", "studio_widgets", "studio_cli", "studio_model_explorer")
MOST_LINES = 600

FORBIDDEN = {
    "studio_core": (*DOORS, "ipywidgets", "anywidget", "plotly", "IPython", "tornado",
                    "jupyter_server", "jupyterlab", "traitlets", "rich"),
    "studio_server": ("studio_widgets", "studio_cli", "studio_model_explorer", "ipywidgets",
                      "anywidget", "plotly"),
    "studio_widgets": ("studio_server", "studio_cli", "studio_model_explorer", "tornado",
                       "jupyter_server"),
    "studio_cli": ("studio_server", "studio_widgets", "studio_model_explorer", "tornado",
                   "jupyter_server", "ipywidgets"),
    "studio_model_explorer": ("studio_server", "studio_widgets", "studio_cli", "tornado",
                              "jupyter_server", "ipywidgets"),
}  # fmt: skip

# Rooms of core from the ground up; a room imports from those before it only.
ROOMS = (
    "errors",
    "limits",
    "finding",
    "models",
    "layers",
    "pruning",
    "evaluation",
    "sensitivity",
    "plans",
    "exports",
    "projects",
    "samples",
    "documents",
    "quantities",
    "analysis_runs",
    "mlir",
    "attributes",
    "hardware",
    "graphs",
    "overrides",
    "execution",
    "explorer",
    "guarded",
    "session",
    "plan_runs",
    "findings",
    "comparison",
    "reports",
    "insight",
    "jobs",
    "runs",
    "workbench",
)

# Where an import may run upwards, and why: the worker of a job is a process of its own and
# calls the use cases as a door does.
EXCEPTIONS = {
    ("studio_core/jobs/analysis_work.py", "workbench"),
    ("studio_core/jobs/plan_work.py", "workbench"),
}


def imports(source: str, package: str) -> Iterator[tuple[int, str]]:
    """Modules that a source imports, relative imports made absolute, with their lines."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, node.module or ""]).strip(".") if node.level else node.module
            # `from studio_core import layers` names a module as well.
            yield node.lineno, str(base)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def is_part(module: str, whole: str) -> bool:
    return module == whole or module.startswith(f"{whole}.")


def violations(name: str, source: str, package: str) -> list[str]:
    """What in the file ``name`` of ``package`` goes against the tables."""
    top = package.split(".")[0]
    found = [
        f"{name}:{line} imports {module}"
        for line, module in imports(source, package)
        if any(is_part(module, other) for other in FORBIDDEN[top])
    ]
    if top == "studio_core":
        found += _upward(name, source, package)
    return sorted(set(found))


def _upward(name: str, source: str, package: str) -> list[str]:
    parts = Path(name).with_suffix("").parts
    if len(parts) < 2 or parts[1] not in ROOMS:
        return []
    mine = ROOMS.index(parts[1])
    rooms = [
        (line, module.split(".")[1])
        for line, module in imports(source, package)
        if module.startswith("studio_core.")
    ]
    return [
        f"{name}:{line} ({ROOMS[mine]}) imports upwards from {room}"
        for line, room in rooms
        if room in ROOMS and ROOMS.index(room) > mine and (name, room) not in EXCEPTIONS
    ]


def files() -> list[Path]:
    return sorted(p for top in FORBIDDEN for p in (ROOT / top).rglob("*.py"))


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_downwards(path):
    relative = path.relative_to(ROOT)
    package = ".".join(relative.parent.parts)
    assert violations(str(relative), path.read_text(encoding="utf-8"), package) == []


def test_every_room_of_core_is_in_the_table():
    core = ROOT / "studio_core"
    folders = {p.parent.name for p in core.glob("*/__init__.py")}
    modules = {p.stem for p in core.glob("*.py")} - {"__init__"}
    assert folders | modules <= set(ROOMS)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("studio_core/layers/x.py", "import plotly.graph_objects as go"),
        ("studio_core/layers/x.py", "from jupyter_server.base import handlers"),
        ("studio_core/layers/x.py", "def f():\n    import studio_server"),
        ("studio_core/layers/x.py", "from studio_core.plans import Planner"),
        ("studio_core/layers/x.py", "from studio_core import plans"),
        ("studio_core/layers/x.py", "from ..plans import Planner"),
        ("studio_core/layers/x.py", "from .. import workbench"),
        ("studio_core/models/x.py", "import studio_core.layers.layer"),
        ("studio_core/errors.py", "from studio_core.models.model import Model"),
        ("studio_core/session.py", "from studio_core.workbench import Workbench"),
        ("studio_server/x.py", "from studio_widgets import LayerTable"),
        ("studio_widgets/x.py", "import studio_server.app"),
        ("studio_cli/x.py", "from studio_server import app"),
    ],
)
def test_a_planted_violation_is_found(name, source):
    assert violations(name, source, ".".join(Path(name).parent.parts))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("studio_core/plans/x.py", "from studio_core.layers import Layer"),
        ("studio_core/plans/x.py", "from .planner import Planner\nimport numpy"),
        ("studio_core/layers/x.py", "from studio_core.layers.layer import Layer"),
        ("studio_widgets/x.py", "import ipywidgets\nfrom studio_core.session import Session"),
    ],
)
def test_what_is_allowed_is_left_alone(name, source):
    assert violations(name, source, ".".join(Path(name).parent.parts)) == []


def test_no_file_is_too_long():
    kinds = ("*.py", "*.js", "*.css")
    sources = [p for top in FORBIDDEN for kind in kinds for p in (ROOT / top).rglob(kind)]
    own = [p for p in sources if "node_modules" not in p.parts]
    lengths = {str(p.relative_to(ROOT)): len(p.read_text("utf-8").splitlines()) for p in own}
    assert {name: n for name, n in lengths.items() if n > MOST_LINES} == {}


def test_nothing_is_imported_by_a_star():
    stars = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in files()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and any(a.name == "*" for a in node.names)
    ]
    assert stars == []
