"""Two servers and a notebook that write to one project at once, and what must then be there.

Each writer's number says what it writes, so that nobody needs to be asked afterwards: settings,
analyses, versions of one plan, recipes, and a counter that all of them count up, each reading it
before. What is lost, torn or written twice is found by `check`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from studio_core.errors import ChangedMeanwhileError
from studio_core.plan_runs.request import PlanRequest
from studio_core.workbench import Workbench
from tests.server.live import TOKEN, LiveServer, live_server

SORTS = (
    "setting", "counter", "setting", "analysis", "setting", "counter", "setting", "recipe",
    "setting", "setting", "counter", "analysis", "setting", "setting", "setting", "plan",
)  # fmt: skip
NOTEBOOK = 2
THREADS = 2
"""Of each writer, so that they meet inside one process too."""

PLAN, SHARED = "shared", "counted"
RECIPE: Mapping[str, Any] = {
    "sparsities": [0.4, 0.5, 0.6], "pruning_profile": "balanced", "loss_analysis": "approx",
    "perf_analysis": "approx", "training_optimizer": "SGD", "training_epochs": 10,
    "pruning_start_epoch": 1, "pruning_end_epoch": 5, "pruning_update_frequency": 1,
    "training_init_lr": 0.1, "training_final_lr": 0.01,
}  # fmt: skip


def analysis(name: str) -> dict[str, Any]:
    """A small analysis that says its own name."""
    point = {"sparsity": 0.5, "loss": 0.25}
    layer = {"id": "a", "baseline": {"sparsity": 0.0, "loss": 0.0}, "sparse": [point] * 20}
    return {"layerSensitivities": [layer], "own": name}


class Writer(Protocol):
    """One that writes; `count_up` answers False where somebody else was faster."""

    def setting(self, key: str) -> None: ...
    def analysis(self, name: str) -> None: ...
    def plan(self, note: str) -> None: ...
    def recipe(self, name: str) -> None: ...
    def count_up(self) -> bool: ...


@dataclass(frozen=True)
class Rest:
    """A client of a server."""

    server: LiveServer
    project_id: str

    def setting(self, key: str) -> None:
        self._call("PUT", "", {"projectConfig": {key: True}})

    def analysis(self, name: str) -> None:
        document = analysis(name)
        body = {"loss": document.pop("layerSensitivities"), **document}
        self._call("PUT", f"/sparse-analysis/loss/{name}", body)

    def plan(self, note: str) -> None:
        self._call("POST", "/plans", {"name": PLAN, "note": note, "goal": {"sparsity": 0.5}})

    def recipe(self, name: str) -> None:
        self._call("PUT", "/config/export", {"config_fields": RECIPE, "config_file": name})

    def count_up(self) -> bool:
        found, etag = self._call("GET", "")
        count = json.loads(found)["project"].get(SHARED, 0)
        try:
            self._call("PUT", "", {"projectConfig": {SHARED: count + 1}}, etag)
        except urllib.error.HTTPError as error:
            if error.code != 412:
                raise
            return False
        return True

    def _call(
        self, method: str, path: str, body: Any = None, etag: str | None = None
    ) -> tuple[bytes, str]:
        headers = {"Authorization": f"token {TOKEN}"} | ({"If-Match": etag} if etag else {})
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.server.url}/api/projects/{self.project_id}{path}"
        request = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.read(), answer.headers.get("ETag", "")


@dataclass(frozen=True)
class Notebook:
    """A Python process of its own, with a `Workbench`."""

    bench: Workbench
    project_id: str

    def setting(self, key: str) -> None:
        self.bench.update_project(self.project_id, {key: True})

    def analysis(self, name: str) -> None:
        self.bench.save_analysis(self.project_id, "loss", name, analysis(name))

    def plan(self, note: str) -> None:
        wanted = {"name": PLAN, "note": note, "goal": {"sparsity": 0.5}}
        self.bench.plans.save(self.project_id, PlanRequest.from_document(wanted))

    def recipe(self, name: str) -> None:
        self.bench.save_recipe(self.project_id, RECIPE, name)

    def count_up(self) -> bool:
        project = self.bench.project(self.project_id)
        count = project.config.get(SHARED, 0) + 1
        try:
            self.bench.update_project(self.project_id, {SHARED: count}, revision=project.revision)
        except ChangedMeanwhileError:
            return False
        return True


def tasks(writer: int, num_writes: int) -> Iterator[tuple[str, str]]:
    """Sort and name of each thing that a writer writes."""
    for number in range(num_writes):
        yield SORTS[number % len(SORTS)], f"{writer}-{number}"


def write(writer: Writer, sort: str, name: str) -> int:
    """Write one thing; how many conflicts there were until it was done."""
    if sort == "counter":
        return _count_up(writer.count_up)
    if sort == "recipe":
        name += ".yaml"
    getattr(writer, sort)(name)
    return 0


def _count_up(try_it: Callable[[], bool]) -> int:
    conflicts = 0
    while not try_it():
        conflicts += 1
    return conflicts


def write_all(writer: Writer, number: int, num_writes: int) -> int:
    """Everything that the writer of that number writes; how many conflicts there were."""
    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(lambda task: write(writer, *task), tasks(number, num_writes)))


def check(bench: Workbench, project_id: str, num_writes: int) -> None:
    """Raise AssertionError for whatever is not as all writers together wrote it."""
    written = [task for writer in range(3) for task in tasks(writer, num_writes)]
    names = {sort: {name for s, name in written if s == sort} for sort in set(SORTS)}
    sorts = Counter(sort for sort, _ in written)
    project = bench.project(project_id)
    assert project.fault is None
    assert project.config.keys() - {SHARED} == names["setting"], "settings are lost"
    assert project.config[SHARED] == sorts["counter"], "what was counted is lost"
    assert project.revision == 1 + sorts["setting"] + sorts["counter"]
    assert set(bench.store.analyses(project_id, "loss")) == names["analysis"]
    for name in names["analysis"]:
        assert bench.analysis_document(project_id, "loss", name)["own"] == name
    versions = [bench.plans.get(project_id, PLAN, n) for n in range(1, sorts["plan"] + 1)]
    assert {plan.note for plan in versions} == names["plan"], "versions of the plan are lost"
    for plan in versions[1:]:
        assert plan.parent == {"name": PLAN, "version": plan.version - 1}
    _check_files(project.folder, {f"{name}.yaml" for name in names["recipe"]})


def _check_files(folder: Path, recipes: set[str]) -> None:
    texts = {path.name: path.read_bytes() for path in (folder / "exports").iterdir()}
    assert texts.keys() == recipes and len(set(texts.values())) <= 1
    for path in folder.rglob("*.json"):
        json.loads(path.read_bytes())
    left = [path for path in folder.rglob("*") if path.name.endswith(".tmp")]
    assert left == []


def run(folder: Path, num_writes: int) -> int:
    """Let all three write ``num_writes`` each, check it, and return the number of conflicts."""
    root = folder / "projects"
    bench = Workbench(root)
    project_id = bench.create_project("sample:digits_cnn", {}).id
    with ExitStack() as stack:
        servers = _start(stack, [folder / "one", folder / "two"], root)
        order = [str(root), project_id, str(num_writes)]
        notebook = subprocess.Popen(
            [sys.executable, "-m", __name__, *order],
            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        with ThreadPoolExecutor(2) as pool:
            runs = [
                pool.submit(write_all, Rest(server, project_id), number, num_writes)
                for number, server in enumerate(servers)
            ]
            conflicts = sum(run.result() for run in runs)
        out, _ = notebook.communicate(timeout=600)
        assert notebook.returncode == 0
    check(Workbench(root), project_id, num_writes)
    return conflicts + int(out)


def _start(stack: ExitStack, folders: list[Path], project_root: Path) -> list[LiveServer]:
    """Servers on one project root, started side by side."""

    def start(folder: Path) -> LiveServer:
        folder.mkdir()
        return stack.enter_context(live_server(folder, project_root=project_root))

    with ThreadPoolExecutor(len(folders)) as pool:
        return list(pool.map(start, folders))


def main() -> None:
    root, project_id, num_writes = sys.argv[1:]
    writer = Notebook(Workbench(root), project_id)
    print(write_all(writer, NOTEBOOK, int(num_writes)))


if __name__ == "__main__":
    main()
