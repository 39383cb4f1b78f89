from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

FIELDS = {"sparsities": [0.8, 0.9], "pruning_profile": "uniform", "training_epochs": 100}


class Recipes(yaml.SafeLoader):
    """Reads SparseML's tags as plain mappings."""


Recipes.add_multi_constructor(
    "!", lambda loader, tag, node: {"type": tag, **loader.construct_mapping(node, deep=True)}
)


@pytest.fixture
def export(project_url: str) -> str:
    return project_url + "/config/export"


@pytest.mark.parametrize("profile", ["uniform", "loss", "performance", "balanced"])
async def test_every_profile_is_yaml(api: Any, export: str, profile: str) -> None:
    answer = await api("POST", export, {"config_fields": {**FIELDS, "pruning_profile": profile}})
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"].startswith("application/yaml")
    recipe = yaml.load(answer.body, Recipes)
    text = answer.body.decode()
    assert "GMPruningModifier" in text or profile != "uniform"
    assert "input.conv.weight" not in text, "the first layer is never pruned"
    assert recipe


async def test_uniform_prunes_all_other_layers_to_the_lowest(api: Any, export: str) -> None:
    text = (await api("POST", export + "/", {"config_fields": FIELDS})).body.decode()
    for name in ("depthwise.weight", "hidden.weight", "classifier.weight"):
        assert name in text
    assert "0.8" in text and "0.9" not in text


async def test_put_writes_the_same_text_into_the_project(
    api: Any, export: str, project_root: Path
) -> None:
    body = {"config_fields": FIELDS, "config_file": "recipe.yaml"}
    answer = await api("PUT", export, body)
    assert answer.status == 200
    assert answer.body == (await api("POST", export, {"config_fields": FIELDS})).body
    (written,) = project_root.glob("*/exports/*")
    assert (written.name, written.read_bytes()) == ("recipe.yaml", answer.body)


@pytest.mark.parametrize("name", ["../recipe.yaml", "/tmp/recipe.yaml", "", "a/b", ".x", "nul"])
async def test_put_writes_nowhere_else(
    api: Any, export: str, project_root: Path, name: str
) -> None:
    before = sorted(project_root.rglob("*"))
    answer = await api("PUT", export, {"config_fields": FIELDS, "config_file": name})
    assert answer.status == 400
    assert "cannot be the name of an exported file" in answer.message
    assert [
        p for p in sorted(project_root.rglob("*")) if p not in before and ".lock" not in str(p)
    ] == []


async def test_a_saved_analysis_can_be_named(api: Any, export: str, project_url: str) -> None:
    fields = {**FIELDS, "pruning_profile": "loss", "loss_analysis": "mine"}
    missing = await api("POST", export, {"config_fields": fields})
    assert (missing.status, "'mine'" in missing.message) == (404, True)
    await api("POST", project_url + "/sparse-analysis/loss/mine")
    assert (await api("POST", export, {"config_fields": fields})).status == 200


@pytest.mark.parametrize(
    ("method", "body", "said"),
    [
        ("POST", {}, "Missing required field 'config_fields'"),
        ("PUT", {"config_fields": FIELDS}, "Missing required field 'config_file'"),
        ("PUT", {"config_file": "a.yaml"}, "Missing required field 'config_fields'"),
        ("PUT", {"config_fields": FIELDS, "config_file": 3}, "'config_file' must be a text"),
        ("POST", {"config_fields": []}, "'config_fields' must be an object"),
        ("POST", {"config_fields": {}}, "Missing required field 'sparsities'"),
        ("POST", {"config_fields": {**FIELDS, "sparsities": [2]}}, "'sparsities'"),
        ("POST", {"config_fields": {**FIELDS, "pruning_profile": "some"}}, "'pruning_profile'"),
        ("POST", {"config_fields": {**FIELDS, "pruning_profile": ["loss"]}}, "'pruning_profile'"),
        ("POST", {"config_fields": {**FIELDS, "training_epochs": "x"}}, "'training_epochs'"),
    ],
)
async def test_wrong_fields_are_named(
    api: Any, export: str, method: str, body: Any, said: str
) -> None:
    answer = await api(method, export, body)
    assert answer.status == 400, answer.body
    assert said in answer.message
