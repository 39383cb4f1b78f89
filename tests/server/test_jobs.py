"""Jobs over REST and on the event bus; their workers do the work in small_job.py."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from studio_server import openapi
from studio_server.app import StudioApp
from studio_server.job_events import SCHEMA_ID


@pytest.fixture
def work() -> str:
    return "slow"


@pytest.fixture
def jp_server_config(
    jp_server_config: dict[str, Any], work: str, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.setattr(StudioApp, "job_work", f"small_job:{work}")
    return jp_server_config


@pytest.fixture
def run_url(project_url: str) -> str:
    return project_url + "/sparse-analysis/loss/mine"


def check(job: Any) -> Any:
    document = openapi.as_document()
    schema = {**document["components"]["schemas"]["Job"], "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(job)
    return job


async def until(api: Any, job: Any, condition: Callable[[Any], bool], seconds: float = 15) -> Any:
    """The job once ``condition`` holds of it."""
    deadline = time.monotonic() + seconds
    while not condition(found := (await api("GET", f"/api/jobs/{job['id']}")).json["job"]):
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.02)
    return check(found)


def goes_on(job: Any) -> bool:
    return bool(job["state"] == "running" and job["done"] > 0)


def is_done(job: Any) -> bool:
    return bool(job["state"] == "done")


async def start(api: Any, run_url: str, **options: Any) -> Any:
    answer = await api("POST", run_url, {"async": True, **options})
    assert answer.status == 202, answer.body
    return check(answer.json["job"])


async def test_a_job_from_its_start_to_its_end(
    api: Any, run_url: str, project_id: str, jp_base_url: str
) -> None:
    answer = await api("POST", run_url, {"async": True, "samples": 2, "metric": None})
    assert answer.status == 202
    job = check(answer.json["job"])
    assert answer.headers["Location"] == f"{jp_base_url}api/jobs/{job['id']}"
    assert (job["state"], job["kind"], job["name"]) == ("queued", "loss", "mine")
    assert (job["projectId"], job["options"]) == (project_id, {"samples": 2})
    assert (job["rate"], job["etaSeconds"], job["pid"]) == (None, None, None)
    running = await until(api, job, lambda j: j["etaSeconds"] is not None)
    assert running["pid"] and running["startedAt"] and 0 < running["etaSeconds"] < 300

    log = await api("GET", f"/api/jobs/{job['id']}/log")
    assert (log.status, log.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert log.headers["X-Content-Type-Options"] == "nosniff", "names in it are hostile text"
    assert b"<b>" in log.body

    begun = time.monotonic()
    cancelled = await api("DELETE", f"/api/jobs/{job['id']}/")
    assert (cancelled.status, time.monotonic() - begun < 2) == (200, True)
    assert check(cancelled.json["job"])["state"] == "cancelled"

    resumed = await api("POST", f"/api/jobs/{job['id']}/resume")
    assert (resumed.status, resumed.json["job"]["attempt"]) == (202, 2)
    assert resumed.headers["Location"].endswith(job["id"])
    done = await until(api, job, is_done)
    assert done["finishedAt"] > done["startedAt"] > done["createdAt"]
    assert (await api("GET", run_url)).json["layerSensitivities"]

    assert (await api("POST", f"/api/jobs/{job['id']}/resume")).status == 409
    assert (await api("DELETE", f"/api/jobs/{job['id']}")).status == 204
    for method, path in (("GET", ""), ("GET", "/log"), ("POST", "/resume"), ("DELETE", "")):
        answer = await api(method, f"/api/jobs/{job['id']}{path}")
        assert (answer.status, answer.message) == (404, f"Job {job['id']} does not exist")


async def test_two_runs_of_one_analysis_conflict(api: Any, run_url: str, project_url: str) -> None:
    job = await start(api, run_url)
    loss = {"loss": []}
    for method, body in (
        ("POST", {"async": True}), ("POST", None), ("POST", {"source": "estimated"}), ("PUT", loss)
    ):  # fmt: skip
        answer = await api(method, run_url, body)
        assert answer.status == 409, (method, body)
        assert job["id"] in answer.message and "choose another name" in answer.message
    assert (await api("PUT", run_url + "2", loss)).status == 200
    assert (await api("POST", run_url + "3", {"source": "estimated"})).status == 200
    jobs = (await api("GET", "/api/jobs")).json["jobs"]
    assert [j["id"] for j in jobs] == [job["id"]], "an estimate is no job"
    assert (await api("GET", project_url + "/jobs")).json["jobs"][0]["id"] == job["id"]
    assert (await api("GET", "/api/projects/unknown/jobs")).status == 404
    assert (await api("GET", "/api/jobs/unknown")).status == 404
    assert (await api("GET", "/api/jobs/a/b")).status == 404


async def test_a_run_of_nothing_is_refused_at_once(api: Any, project_url: str) -> None:
    for path, status in (
        ("/api/projects/unknown/sparse-analysis/loss/a", 404),
        (project_url + "/sparse-analysis/loss/approx", 400),
        (project_url + "/sparse-analysis/loss/..", 400),
    ):
        assert (await api("POST", path, {"async": True})).status == status
    assert (await api("GET", "/api/jobs")).json == {"jobs": []}


async def test_a_project_that_goes_takes_its_jobs_along(
    api: Any, run_url: str, project_url: str
) -> None:
    job = await until(api, await start(api, run_url), goes_on)
    assert (await api("DELETE", project_url)).status == 204
    assert (await api("GET", "/api/jobs")).json == {"jobs": []}
    assert not Path(f"/proc/{job['pid']}").exists()


async def test_who_waits_hears_that_it_was_cancelled(api: Any, run_url: str) -> None:
    waiting = asyncio.ensure_future(api("POST", run_url))
    while not (jobs := (await api("GET", "/api/jobs")).json["jobs"]):
        await asyncio.sleep(0.02)
    assert (await api("DELETE", f"/api/jobs/{jobs[0]['id']}")).status == 200
    answer = await waiting
    assert (answer.status, "was cancelled" in answer.message) == (409, True)


async def test_many_who_wait_hold_up_nobody(api: Any, run_url: str, jp_serverapp: Any) -> None:
    """More wait than Studio has threads, and the event loop serves others meanwhile."""
    waiting = [asyncio.ensure_future(api("POST", f"{run_url}{n}")) for n in range(9)]
    while len(jobs := (await api("GET", "/api/jobs")).json["jobs"]) < len(waiting):
        await asyncio.sleep(0.02)
    begun = time.monotonic()
    assert (await api("GET", "/api/studio")).status == 200
    assert time.monotonic() - begun < 1
    for job in reversed(jobs):
        await api("DELETE", f"/api/jobs/{job['id']}")
    assert {answer.status for answer in await asyncio.gather(*waiting)} == {409}


@pytest.mark.parametrize("work", ["quick"])
class TestQuickWork:
    async def test_without_async_the_answer_is_the_result(self, api: Any, run_url: str) -> None:
        answer = await api("POST", run_url)
        assert answer.status == 200
        assert (await api("GET", run_url)).json == answer.json
        jobs = (await api("GET", "/api/jobs")).json["jobs"]
        assert [check(job)["state"] for job in jobs] == ["done"]

    async def test_the_job_goes_on_when_the_client_does_not(
        self, api: Any, run_url: str, jp_http_port: int, jp_base_url: str, jp_auth_header: Any
    ) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", jp_http_port)
        token = jp_auth_header["Authorization"]
        head = f"POST {jp_base_url.rstrip('/')}{run_url} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        writer.write(f"{head}Authorization: {token}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        while not (jobs := (await api("GET", "/api/jobs")).json["jobs"]):
            await asyncio.sleep(0.02)
        writer.close()
        await until(api, jobs[0], is_done)
        assert (await api("GET", run_url)).status == 200

    async def test_changes_come_over_the_event_bus(
        self, api: Any, run_url: str, jp_ws_fetch: Callable[..., Awaitable[Any]]
    ) -> None:
        socket = await jp_ws_fetch("api", "events", "subscribe")
        job = await start(api, run_url)
        heard = []
        while not heard or heard[-1]["state"] != "done":
            message = await asyncio.wait_for(socket.read_message(), 10)
            event = json.loads(message)
            if event["schema_id"] == SCHEMA_ID:
                heard.append(event)
        assert {event["id"] for event in heard} == {job["id"]}
        states = [event["state"] for event in heard]
        assert states[0] == "queued" and "running" in states
        assert (heard[-1]["done"], heard[-1]["total"], heard[-1]["error"]) == (1, 1, None)
        socket.close()


@pytest.mark.parametrize(
    ("work", "status", "words"),
    [("refuse", 400, "The metric needs labels."), ("crash", 500, "fault of its own")],
)
async def test_who_waits_hears_why_it_failed(
    api: Any, run_url: str, status: int, words: str
) -> None:
    answer = await api("POST", run_url)
    assert (answer.status, words in answer.message) == (status, True), answer.body
    job = (await api("GET", "/api/jobs")).json["jobs"][0]
    assert (check(job)["state"], words in job["error"]) == ("failed", True)
    assert (await api("GET", run_url)).status == 404


async def test_a_server_that_stops_leaves_jobs_that_can_be_resumed(
    api: Any, run_url: str, jp_serverapp: Any, project_root: Path
) -> None:
    job = await until(api, await start(api, run_url), goes_on)
    app = jp_serverapp.extension_manager.extension_apps["studio_server"].copy().pop()
    await app.stop_extension()
    record = json.loads(next(project_root.glob(".jobs/*/job.json")).read_text())
    assert record["state"] == "interrupted"
    assert not Path(f"/proc/{job['pid']}").exists()
