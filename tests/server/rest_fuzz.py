"""The REST surface under fire: Schemathesis over the whole API document, against a live server.

`STYLES` has the ways to try it; test_openapi.py takes a few examples of each with a fixed seed,
``python -m tests.fuzz rest`` as many as there is time for.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio_server import openapi
from tests.server.conftest import write_model
from tests.server.live import START, TOKEN, LiveServer

DOCUMENT: dict[str, Any] = openapi.as_document()
WITH_SMALL_JOBS = (
    "from studio_server.app import StudioApp; "
    "StudioApp.job_work = 'tests.server.small_job:quick'; " + START
)
PROJECT = "/api/projects/{project_id}"
NEVER_ENDS = "/apistream/server_director"

# Whether data that fits the document is accepted depends on what is on disk.
_UNDECIDED = "positive_data_acceptance,negative_data_rejection,missing_required_header"

REFUSED = """
import schemathesis

@schemathesis.check
def refused(ctx, response, case):
    # A verb that an address does not have is no secret, and is not done.
    has_verb = case.method.upper() == case.operation.method.upper()
    allowed = (401, 403) if has_verb else (401, 403, 405)
    assert response.status_code in allowed, f"it answered {response.status_code}"
"""


@dataclass(frozen=True)
class Style:
    """A way to try the surface: ``phases`` and ``mode`` are Schemathesis's."""

    phases: str
    mode: str = "all"
    is_known: bool = True
    """Whether it sends the credentials."""
    keeps: bool = False
    """Whether it leaves a project and a plan alone, so that requests reach into them."""


STYLES = {
    "fitting": Style("examples,coverage,fuzzing", "positive", keeps=True),
    "unfitting": Style("examples,coverage,fuzzing", "negative", keeps=True),
    "stateful": Style("stateful"),
    "stranger": Style("examples,coverage,fuzzing,stateful", is_known=False),
}


@dataclass(frozen=True)
class Tried:
    """How many requests were sent, whether all answers were as they must be, and what was said."""

    num_requests: int
    passed: bool
    text: str


def ask(server: LiveServer, path: str, document: Any = None) -> Any:
    request = urllib.request.Request(
        server.url + path,
        None if document is None else json.dumps(document).encode(),
        headers={"Authorization": f"token {TOKEN}"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def attack(
    server: LiveServer, folder: Path, style: Style, *, seed: int, more: Sequence[str]
) -> Tried:
    """Run Schemathesis once; ``more`` are options of its command, such as how many examples."""
    document = known_document(server) if style.is_known else copied(DOCUMENT)
    if style.keeps:
        del document["paths"][PROJECT]["delete"]
        del document["paths"][PROJECT + "/plans/{plan}"]["delete"]
    else:
        add_links(document)
    (folder / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "stranger_hooks.py").write_text(REFUSED, encoding="utf-8")
    run = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "schemathesis"), "run", "openapi.json"),
            *("--url", server.url, "--mode", style.mode, "--phases", style.phases),
            *("--seed", str(seed), "--workers", "1", "--no-color", "--continue-on-failure"),
            *("--warnings", "off", *_checks(style), *more),
        ],
        cwd=folder,
        env={**os.environ, **_hooks(style, folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    return Tried(_number(run.stdout), run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:])


def _checks(style: Style) -> tuple[str, ...]:
    if not style.is_known:
        return ("--checks", "refused")
    return ("--header", f"Authorization: token {TOKEN}", "--exclude-checks", _UNDECIDED)


def _hooks(style: Style, folder: Path) -> dict[str, str]:
    if style.is_known:
        return {}
    return {"SCHEMATHESIS_HOOKS": "stranger_hooks", "PYTHONPATH": str(folder)}


def _number(text: str) -> int:
    """Of requests: Schemathesis tells it in its summary."""
    found = re.findall(r"([\d,]+) generated", text)
    return sum(int(n.replace(",", "")) for n in found)


def known_document(server: LiveServer) -> dict[str, Any]:
    """The document with a project, a job and a plan that exist, so that requests reach them."""
    write_model(server.root_dir / "net.onnx")
    wanted = {"modelPath": "net.onnx", "projectConfig": {"projectName": "schemathesis"}}
    project_id = ask(server, "/api/projects", wanted)["projectId"]
    run = f"/api/projects/{project_id}/sparse-analysis/loss/example"
    job = ask(server, run, {"async": True})["job"]
    ask(
        server, f"/api/projects/{project_id}/plans", {"name": "known", "goal": {"minSparsity": 0.5}}
    )
    document = copied(DOCUMENT)
    for name, known in (("ProjectId", project_id), ("JobId", job["id"]), ("PlanName", "known")):
        document["components"]["parameters"][name]["schema"] = {"enum": [known, "unknown"]}
    del document["paths"][NEVER_ENDS]
    return document


def copied(document: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(document))
    return made


NAMED = (
    ("/api/projects", "project_id", "projectId"),
    (PROJECT + "/plans", "plan", "plan/name"),
    (PROJECT + "/plans/{plan}/verify", "job_id", "job/id"),
    (PROJECT + "/plans/{plan}/apply", "job_id", "job/id"),
    (PROJECT + "/sparse-analysis/{kind}/{analysis_id}", "job_id", "job/id"),
)
"""Whose POST answers name a thing, for which parameter, and where in the answer."""


def add_links(document: dict[str, Any]) -> None:
    """The way from each answer that names a thing to all that can be done with the thing."""
    new = document["paths"]["/api/projects"]["post"]["requestBody"]["content"]["application/json"]
    new["schema"]["properties"]["modelPath"] = {"enum": ["net.onnx"]}
    for path, name, key in NAMED:
        operation = document["paths"][path]["post"]
        for status in {"200", "202"} & set(operation["responses"]):
            response = operation["responses"][status]
            if "$ref" in response:
                response = copied(
                    document["components"]["responses"][response["$ref"].split("/")[-1]]
                )
                operation["responses"][status] = response
            response["links"] = dict(_links(document, path, name, f"$response.body#/{key}"))


def _links(
    document: dict[str, Any], source: str, name: str, expression: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        if f"{{{name}}}" not in path:
            continue
        values = {name: expression}
        if "{project_id}" in source and "{project_id}" in path:
            values["project_id"] = "$request.path.project_id"
        for operation in operations.values():
            if isinstance(operation, dict) and "operationId" in operation:
                found = operation["operationId"]
                yield found, {"operationId": found, "parameters": values}
