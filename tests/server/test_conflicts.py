"""Two who edit one thing: with If-Match the second is told, and nothing of the first is lost."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Answer, Api

LAYER = {"id": "a", "baseline": {"sparsity": 0.0, "loss": 0.0}, "sparse": []}


def analysis(text: str) -> dict[str, Any]:
    return {"loss": [LAYER], "note": text}


async def saved_plan(api: Api, project_url: str) -> None:
    answer = await api("POST", f"{project_url}/plans", {"name": "p", "goal": {"sparsity": 0.5}})
    assert answer.status == 200, answer.body


async def edit(
    api: Api, project_url: str, what: str, text: str, if_match: str | None = None
) -> Answer:
    """Change ``what`` to hold ``text``, as a client that has read it with that ETag."""
    method, path, body = {
        "project": ("PUT", "", {"projectConfig": {"note": text}}),
        "analysis": ("PUT", "/sparse-analysis/loss/mine", analysis(text)),
        "plan": ("PATCH", "/plans/p", {"note": text}),
    }[what]
    headers = await tokens(api)
    if if_match is not None:
        headers["If-Match"] = if_match
    return await api(method, project_url + path, body, headers=headers)


async def tokens(api: Api) -> dict[str, str]:
    return dict(api.headers)  # type: ignore[attr-defined]


async def read(api: Api, project_url: str, what: str) -> Answer:
    path = {"project": "", "analysis": "/sparse-analysis/loss/mine", "plan": "/plans/p"}[what]
    return await api("GET", project_url + path)


def note_in(answer: Answer) -> Any:
    found = answer.json
    return {**found, **found.get("project", {}), **found.get("plan", {})}["note"]


@pytest.fixture
def editing(api: Api, jp_auth_header: dict[str, str]) -> Api:
    api.headers = jp_auth_header  # type: ignore[attr-defined]
    return api


@pytest.mark.parametrize("what", ["project", "analysis", "plan"])
async def test_who_edits_what_another_changed_is_told(
    editing: Api, project_url: str, what: str
) -> None:
    if what == "plan":
        await saved_plan(editing, project_url)
    assert (await edit(editing, project_url, what, "first")).status == 200
    both_read = (await read(editing, project_url, what)).headers["ETag"]
    assert both_read.startswith('"')

    mine = await edit(editing, project_url, what, "mine", both_read)
    assert mine.status == 200
    theirs = await edit(editing, project_url, what, "theirs", both_read)
    assert theirs.status == 412
    assert "somebody else changed" in theirs.message

    now = await read(editing, project_url, what)
    assert note_in(now) == "mine"
    assert now.headers["ETag"] == mine.headers["ETag"] != both_read
    again = await edit(editing, project_url, what, "theirs", mine.headers["ETag"])
    assert again.status == 200 and note_in(await read(editing, project_url, what)) == "theirs"


@pytest.mark.parametrize("given", ["*", '"no", {}', " {} ", "{},"])
async def test_any_of_several_names_will_do(editing: Api, project_url: str, given: str) -> None:
    tag = (await read(editing, project_url, "project")).headers["ETag"]
    answer = await edit(editing, project_url, "project", "x", given.replace("{}", tag))
    assert answer.status == 200


@pytest.mark.parametrize("given", ['"no"', "", "W/{}", "nonsense", '"*"'])
async def test_other_names_are_refused_and_change_nothing(
    editing: Api, project_url: str, given: str
) -> None:
    before = await read(editing, project_url, "project")
    given = given.replace("{}", before.headers["ETag"])
    assert (await edit(editing, project_url, "project", "x", given)).status == 412
    assert (await read(editing, project_url, "project")).body == before.body


async def test_what_is_not_there_is_not_what_was_read(editing: Api, project_url: str) -> None:
    assert (await edit(editing, project_url, "analysis", "x", "*")).status == 412
    assert (await read(editing, project_url, "analysis")).status == 404


@pytest.mark.parametrize("what", ["project", "analysis"])
async def test_without_it_the_last_change_stays(editing: Api, project_url: str, what: str) -> None:
    for text in ("one", "two"):
        assert (await edit(editing, project_url, what, text)).status == 200
    assert note_in(await read(editing, project_url, what)) == "two"
