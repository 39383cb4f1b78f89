"""The API document and the server say the same, in names, in shapes, and under fire."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from studio_server import openapi
from studio_server.routes import ROUTES

from .conftest import write_model
from .live import START, TOKEN, LiveServer, live_server

DOCUMENT = openapi.as_document()
OPERATIONS = {
    (method.upper(), path)
    for path, operations in DOCUMENT["paths"].items()
    for method in operations
    if method != "parameters"
}


def test_every_route_is_in_the_document_and_the_other_way_round() -> None:
    names = {"([^/]+)": "*", "(loss|perf)": "*", "(approx)": "approx", "[.]": "."}
    served = set()
    for pattern, handler in ROUTES:
        path = pattern
        for regex, name in names.items():
            path = path.replace(regex, name)
        if path.startswith("/studio") or "(?:" in path:
            continue
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            inherited = handler.__name__ == "EstimateHandler" and method != "GET"
            if method in implemented(handler) and not inherited:
                served.add((method, path))
    documented = {(method, re.sub(r"\{\w+\}", "*", path)) for method, path in OPERATIONS}
    assert served == documented


def implemented(handler: Any) -> set[str]:
    from tornado.web import RequestHandler

    methods = RequestHandler.SUPPORTED_METHODS
    return {
        m
        for m in methods
        if getattr(handler, m.lower()) is not RequestHandler._unimplemented_method
    }


def check(document: Any, schema_name: str) -> None:
    schema = {
        **DOCUMENT["components"]["schemas"][schema_name],
        "components": DOCUMENT["components"],
    }
    jsonschema.Draft202012Validator(schema).validate(document)


async def test_answers_have_the_documented_shapes(api: Any, project_url: str) -> None:
    check((await api("GET", project_url)).json["project"], "Project")
    for layer in (await api("GET", project_url + "/prunable-layers?status=all")).json[
        "prunableLayers"
    ]:
        check(layer, "Layer")
    for kind in ("loss", "perf"):
        url = f"{project_url}/sparse-analysis/{kind}"
        check((await api("GET", url + "/approx")).json, "Analysis")
        options = {"iterations": 1, "warmup": 0, "sparsityLevels": [0.5]}
        check((await api("POST", url + "/run", options)).json, "Analysis")
    check((await api("GET", "/api/studio")).json, "About")
    check((await api("GET", "/api/projects/none")).json, "Error")


WITH_SMALL_JOBS = (
    "from studio_server.app import StudioApp; "
    "StudioApp.job_work = 'tests.server.small_job:quick'; " + START
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("live")
    with live_server(folder, start=WITH_SMALL_JOBS) as server:
        yield server


def ask(server: LiveServer, path: str, document: Any = None) -> Any:
    request = urllib.request.Request(
        server.url + path,
        None if document is None else json.dumps(document).encode(),
        headers={"Authorization": f"token {TOKEN}"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def test_jupyter_studio_runs_alone_with_a_project_root(server: LiveServer) -> None:
    about = ask(server, "/api/studio")
    assert about["projectRoot"] == str(server.project_root)
    assert about["modelRoots"] == [str(server.root_dir)]
    assert server.project_root.is_dir()
    assert "/prefix/studio?token=" in server.log.read_text(), "it opens on Studio's page"


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_the_live_server_keeps_to_its_document(
    server: LiveServer, tmp_path: Path, mode: str
) -> None:
    """Schemathesis, a fixed seed: no 5xx, no status, type or shape that is not documented."""
    write_model(server.root_dir / "net.onnx")
    wanted = {"modelPath": "net.onnx", "projectConfig": {"projectName": "schemathesis"}}
    project_id = ask(server, "/api/projects", wanted)["projectId"]
    run = f"/api/projects/{project_id}/sparse-analysis/loss/example"
    job = ask(server, run, {"async": True})["job"]
    plans = f"/api/projects/{project_id}/plans"
    ask(server, plans, {"name": "known", "goal": {"minSparsity": 0.5}})
    document = with_examples(project_id, job["id"], "known")
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    run = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "schemathesis"), "run", "openapi.json"),
            *("--url", server.url, "--header", f"Authorization: token {TOKEN}"),
            *("--mode", mode, "--max-examples", "8", "--seed", "2", "--generation-deterministic"),
            *("--phases", "examples,coverage,fuzzing", "--workers", "1", "--no-color"),
            *("--continue-on-failure", "--warnings", "off"),
            # Whether data that fits the document is accepted depends on what is on disk.
            *(
                "--exclude-checks",
                "positive_data_acceptance,negative_data_rejection,missing_required_header",
            ),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
    assert ask(server, "/api/projects")["projects"], "and it is alive"
    shutil.rmtree(tmp_path / ".schemathesis", ignore_errors=True)


def with_examples(project_id: str, job_id: str, plan: str) -> dict[str, Any]:
    """The document with a project, a job and a plan that exist, so that requests reach into them.

    `DELETE` is left out: it would take them from all that follows.
    """
    document: dict[str, Any] = json.loads(json.dumps(DOCUMENT))
    for name, known in (("ProjectId", project_id), ("JobId", job_id), ("PlanName", plan)):
        document["components"]["parameters"][name]["schema"] = {"enum": [known, "unknown"]}
    del document["paths"]["/apistream/server_director"]  # it never ends
    del document["paths"]["/api/projects/{project_id}"]["delete"]
    del document["paths"]["/api/projects/{project_id}/plans/{plan}"]["delete"]
    return document
