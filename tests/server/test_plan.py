"""``POST …/plan``: the slider's plan over REST, and what is wrong with a request for one."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def plan(project_url: str) -> str:
    return project_url + "/plan"


async def test_a_plan_meets_its_average_and_says_what_it_brings(api: Any, plan: str) -> None:
    answer = await api("POST", plan, {"sparsity": 0.5})
    assert answer.status == 200, answer.body
    estimate = answer.json["estimate"]
    assert estimate["numZeros"] == pytest.approx(0.5 * estimate["numWeights"], abs=3)
    assert estimate["bytesSparse"] < estimate["bytesDense"]
    assert all(0 <= row["sparsity"] <= 0.95 for row in answer.json["plan"]["layers"])


async def test_a_locked_layer_keeps_its_sparsity(api: Any, plan: str, project_url: str) -> None:
    layers = (await api("GET", project_url + "/prunable-layers")).json["prunableLayers"]
    locked = {layers[-1]["id"]: 0.25}
    answer = await api("POST", plan + "/", {"sparsity": 0.5, "locked": locked})
    rows = {row["id"]: row for row in answer.json["plan"]["layers"]}
    assert rows[layers[-1]["id"]]["sparsity"] == 0.25
    assert rows[layers[-1]["id"]]["locked"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 400, "Missing required field 'sparsity'"),
        ({"sparsity": "half"}, 400, "fraction from 0 to 1"),
        ({"sparsity": True}, 400, "fraction from 0 to 1"),
        ({"sparsity": None}, 400, "fraction from 0 to 1"),
        ({"sparsity": 80}, 400, "fraction from 0 to 1"),
        ({"sparsity": 0.5, "balance": True}, 400, "'balance'"),
        ({"sparsity": 0.5, "locked": []}, 400, "'locked'"),
        ({"sparsity": 0.5, "locked": {"nowhere": 0.1}}, 400, "'nowhere'"),
        ({"sparsity": 0.99}, 422, "cannot be reached"),
    ],
)
async def test_what_is_wrong_is_said(
    api: Any, plan: str, body: dict[str, Any], status: int, said: str
) -> None:
    answer = await api("POST", plan, body)
    assert (answer.status, said in answer.message) == (status, True), answer.message


async def test_an_unknown_project_has_no_plan(api: Any) -> None:
    answer = await api("POST", "/api/projects/none/plan", {"sparsity": 0.5})
    assert (answer.status, answer.message) == (404, "Project none does not exist")
