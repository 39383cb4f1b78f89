"""The API document and the server say the same, in names, in shapes, and under fire."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from studio_server import openapi
from studio_server.routes import ROUTES

from .live import LiveServer, live_server
from .rest_fuzz import STYLES, WITH_SMALL_JOBS, ask, attack

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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("live")
    with live_server(folder, start=WITH_SMALL_JOBS) as server:
        yield server


def test_jupyter_studio_runs_alone_with_a_project_root(server: LiveServer) -> None:
    about = ask(server, "/api/studio")
    assert about["projectRoot"] == str(server.project_root)
    assert about["modelRoots"] == [str(server.root_dir)]
    assert server.project_root.is_dir()
    assert "/prefix/studio?token=" in server.log.read_text(), "it opens on Studio's page"


# A fixed seed and few examples; ``python -m tests.fuzz --only rest`` tries many.
SHORT = {
    "fitting": ("--max-examples", "4"),
    "unfitting": ("--max-examples", "3"),
    "stateful": ("--max-examples", "4"),
    "stranger": ("--max-examples", "1", "--phases", "examples,fuzzing"),
}


@pytest.mark.parametrize("name", STYLES)
def test_the_live_server_keeps_to_its_document(
    server: LiveServer, tmp_path: Path, name: str
) -> None:
    """No 5xx, no status, type or shape that is not documented; and for strangers nothing."""
    before = {p for p in server.project_root.rglob("*") if ".explorer" not in p.parts}
    more = (*SHORT[name], "--generation-deterministic")
    tried = attack(server, tmp_path, STYLES[name], seed=2, more=more)
    assert tried.passed, tried.text
    assert tried.num_requests >= 20, tried.text
    assert ask(server, "/api/studio")["name"] == "Studio", "and it is alive"
    if not STYLES[name].is_known:
        after = {p for p in server.project_root.rglob("*") if ".explorer" not in p.parts}
        assert after == before
