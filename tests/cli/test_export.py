"""`studio export`: plans for other programs."""

from __future__ import annotations

import csv
import io
import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

from studio_core.exports import read_masks

if TYPE_CHECKING:
    from tests.cli.conftest import Studio


class _Loader(yaml.SafeLoader):
    """Reads a recipe's ``!Modifier`` as ``(name, arguments)``."""


_Loader.add_multi_constructor(
    "!", lambda loader, name, node: (name, loader.construct_mapping(node, deep=True))
)


def _modifiers(text: str) -> list[tuple[str, dict[str, Any]]]:
    modifiers: list[tuple[str, dict[str, Any]]] = yaml.load(text, _Loader)["modifiers"]
    return modifiers


def _pruned(text: str) -> dict[str, float]:
    return {
        name: arguments["final_sparsity"]
        for kind, arguments in _modifiers(text)
        if kind == "GMPruningModifier"
        for name in arguments["params"]
    }


@pytest.fixture
def plan(studio: Studio, two_layers: Path, tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    args = ("--sparsity", "0.5", "--lock", "a=0.25", "--json", "-o", path)
    assert studio("plan", two_layers, *args).status == 0
    return path


def test_a_plan_from_a_file_becomes_a_recipe(studio: Studio, two_layers: Path, plan: Path) -> None:
    result = studio("export", two_layers, "--plan", plan)
    assert result.status == 0
    assert _pruned(result.out) == {"a": 0.25, "b": 0.75}


def test_a_plan_made_here_is_that_of_studio_plan(
    studio: Studio, two_layers: Path, plan: Path
) -> None:
    made = studio("export", two_layers, "--sparsity", "0.5", "--lock", "a=0.25")
    assert made.out == studio("export", two_layers, "--plan", plan).out


def test_the_schedule_is_that_of_the_options(studio: Studio, two_layers: Path) -> None:
    options = (
        "--epochs", "60", "--init-lr", "0.05", "--final-lr", "0.01", "--update-frequency", "0.5",
    )  # fmt: skip
    modifiers = _modifiers(studio("export", two_layers, "--sparsity", "0.5", *options).out)
    by_name = dict(modifiers)
    assert by_name["EpochRangeModifier"]["end_epoch"] == 40.0
    assert by_name["SetLearningRateModifier"]["learning_rate"] == pytest.approx(0.03)
    assert by_name["GMPruningModifier"]["update_frequency"] == 0.5


def test_json_is_the_plan_again(studio: Studio, two_layers: Path, plan: Path) -> None:
    document = studio("export", two_layers, "--plan", plan, "--format", "json").json
    assert document == json.loads(plan.read_text())


def test_csv_has_a_row_a_layer(studio: Studio, two_layers: Path, plan: Path) -> None:
    out = studio("export", two_layers, "--plan", plan, "--format", "csv").out
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["id"] for row in rows] == ["hidden", "y"]
    assert [float(row["sparsity"]) for row in rows] == pytest.approx([0.25, 0.75])
    assert [row["locked"] for row in rows] == ["true", "false"]
    assert rows[0]["weightShape"] == "4x3"


def test_csv_never_holds_a_formula(studio: Studio, hostile: Path, hostile_name: str) -> None:
    out = studio("export", hostile, "--sparsity", "0.5", "--format", "csv").out
    row = next(csv.DictReader(io.StringIO(out)))
    assert row["name"] == f"'{hostile_name}"


def test_a_hostile_name_survives_the_recipe(
    studio: Studio, hostile: Path, hostile_name: str
) -> None:
    out = studio("export", hostile, "--sparsity", "0.5").out
    assert list(_pruned(out)) == [hostile_name]


def test_a_plan_may_name_layers_by_weight(studio: Studio, two_layers: Path, tmp_path: Path) -> None:
    path = tmp_path / "by_hand.json"
    path.write_text('{"layers": [{"id": "b", "sparsity": 0.5}]}')
    document = studio("export", two_layers, "--plan", path, "--format", "json").json
    assert document["layers"] == [{"id": "y", "name": "b", "sparsity": 0.5, "locked": False}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "is not JSON"),
        ("[1, 2]", "must hold a JSON object"),
        ("{}", "needs 'layers'"),
        ('{"layers": [{"id": "hiden", "sparsity": 0.5}]}', "Did you mean 'hidden'"),
        ('{"layers": [{"id": "hidden", "sparsity": 5}]}', "fraction from 0 to 1"),
        ('{"layers": [{"id": "a", "sparsity": 0}, {"id": "hidden", "sparsity": 0}]}', "twice"),
        ('{"layers": [], "target": "much"}', "'target'"),
    ],
)
def test_a_file_that_is_no_plan_for_this_model(
    studio: Studio, two_layers: Path, tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    result = studio("export", two_layers, "--plan", path)
    assert result.status == 1
    assert message in result.err
    assert result.out == ""


def test_a_plan_that_is_not_there_tells_how_to_make_one(studio: Studio, two_layers: Path) -> None:
    result = studio("export", two_layers, "--plan", "plan.json")
    assert result.status == 1
    assert "studio plan MODEL --sparsity 0.8 -o plan.json" in result.err


def test_a_plan_for_a_layer_that_cannot_be_pruned(
    studio: Studio, attention: Path, tmp_path: Path
) -> None:
    path = tmp_path / "plan.json"
    path.write_text('{"layers": [{"id": "scores", "sparsity": 0.5}]}')
    result = studio("export", attention, "--plan", path)
    assert result.status == 1
    assert "cannot be pruned here" in result.err


@pytest.mark.parametrize("profile", ["uniform", "loss", "performance", "balanced"])
def test_profiles_never_prune_the_first_layer(studio: Studio, profile: str) -> None:
    args = ("export", "sample:digits_cnn", "--profile", profile, "--sparsities", "0.7,0.8,0.9")
    recipe = _pruned(studio(*args).out)
    as_json = studio(*args, "--format", "json").json

    assert "stem.conv.weight" not in recipe
    assert len(recipe) == (13 if profile == "uniform" else 12)
    assert set(recipe.values()) == ({0.7} if profile == "uniform" else {0.7, 0.8, 0.9})
    assert {row["name"]: row["sparsity"] for row in as_json["layers"]} == recipe


def test_output_holds_the_same_text(studio: Studio, two_layers: Path, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    printed = studio("export", two_layers, "--sparsity", "0.5").out
    result = studio("export", two_layers, "--sparsity", "0.5", "-o", path)
    assert result.out == ""
    assert path.read_text(encoding="utf-8") == printed


def test_the_model_is_never_overwritten_by_another_name(
    studio: Studio, two_layers: Path, tmp_path: Path
) -> None:
    link = tmp_path / "recipe.yaml"
    link.symlink_to(two_layers)
    before = two_layers.read_bytes()
    result = studio("export", two_layers, "--sparsity", "0.5", "-o", link)
    assert result.status == 1
    assert "belongs to the model" in result.err
    assert two_layers.read_bytes() == before
    assert stat.S_ISREG(two_layers.stat().st_mode)


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--plan", "p.json", "--sparsity", "0.5"],
        ["--profile", "loss"],
        ["--sparsity", "0.5", "--sparsities", "0.5"],
        ["--profile", "best", "--sparsities", "0.5"],
        ["--plan", "p.json", "--lock", "a=0.5"],
        ["--profile", "loss", "--sparsities", "0.5", "--balance", "0.5"],
        ["--sparsity", "0.5", "--format", "csv", "--epochs", "50"],
        ["--sparsity", "0.5", "--epochs", "many"],
        ["--sparsity", "0.5", "--init-lr", "inf"],
    ],
)
def test_an_option_that_would_be_passed_over_is_wrong_usage(
    studio: Studio, two_layers: Path, options: list[str]
) -> None:
    assert studio("export", two_layers, *options).status == 2


def test_a_schedule_that_cannot_be_is_refused(studio: Studio, two_layers: Path) -> None:
    result = studio("export", two_layers, "--sparsity", "0.5", "--epochs", "2")
    assert result.status == 1
    assert "training_epochs" in result.err


def test_llm_compressor_gets_its_own_recipe(studio: Studio, two_layers: Path, plan: Path) -> None:
    args = ("export", two_layers, "--plan", plan, "--format", "llm-compressor")
    stage = yaml.safe_load(studio(*args, "--end", "5").out)["pruning_stage"]
    groups = [group["MagnitudePruningModifier"] for group in stage.values()]
    assert [(g["targets"], g["final_sparsity"]) for g in groups] == [(["a"], 0.25), (["b"], 0.75)]
    assert {g["end"] for g in groups} == {5.0}


def test_pytorch_code_compiles_and_counts(studio: Studio, two_layers: Path, plan: Path) -> None:
    result = studio("export", two_layers, "--plan", plan, "--format", "pytorch")
    compile(result.out, "prune.py", "exec")
    assert "('', 'a', 3, 12)" in result.out
    assert "not compared with the training code" in result.err
    masked = ("export", two_layers, "--plan", plan, "--format", "pytorch", "--masks-file", "m.npz")
    assert "'m.npz'" in studio(*masked).out


def test_names_are_those_of_a_state_dict(
    studio: Studio, two_layers: Path, plan: Path, tmp_path: Path
) -> None:
    weights = tmp_path / "weights.npz"
    a = np.arange(1, 13, dtype=np.float32).reshape(4, 3)
    b = np.array([8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0], np.float32).reshape(3, 4)
    np.savez(weights, **{"encoder.weight": a.T, "head.weight": b.T})
    options = ("--plan", plan, "--state-dict", weights)
    recipe = studio("export", two_layers, *options)
    assert _pruned(recipe.out) == {"encoder.weight": 0.25, "head.weight": 0.75}
    assert recipe.err == ""
    code = studio("export", two_layers, *options, "--format", "pytorch").out
    assert "('encoder', 'weight', 3, 12)" in code


@pytest.mark.parametrize("name", ["weights.pt", "absent.npz", "broken.npz"])
def test_a_state_dict_that_cannot_be_read(
    studio: Studio, two_layers: Path, plan: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    if "absent" not in name:
        path.write_bytes(b"PK\x03\x04 no zip")
    result = studio("export", two_layers, "--plan", plan, "--state-dict", path)
    assert result.status == 1
    assert "Traceback" not in result.err
    assert name in result.err


def test_masks_are_arrays_without_pickle(
    studio: Studio, two_layers: Path, plan: Path, tmp_path: Path
) -> None:
    path = tmp_path / "masks.npz"
    args = ("export", two_layers, "--plan", plan, "--format", "npz")
    result = studio(*args, "-o", path)
    assert (result.status, result.out) == (0, "")
    masks = read_masks(path)
    assert {name: int((~mask).sum()) for name, mask in masks.items()} == {"a": 3, "b": 9}


def test_masks_may_follow_a_pattern(
    studio: Studio, two_layers: Path, tmp_path: Path, plan: Path
) -> None:
    by_hand, path = tmp_path / "hand.json", tmp_path / "masks.npz"
    by_hand.write_text('{"layers": [{"id": "a", "sparsity": 0.9}]}')
    args = ("export", two_layers, "--plan", by_hand, "--n-of-m", "2:4")
    assert studio(*args, "--format", "npz", "-o", path).status == 0
    assert (~read_masks(path)["a"]).sum(axis=0).tolist() == [2, 2, 2]
    refused = studio(*args)
    assert refused.status == 1
    assert "has no pattern" in refused.err


def test_masks_never_replace_the_model(studio: Studio, two_layers: Path, tmp_path: Path) -> None:
    link = tmp_path / "masks.npz"
    link.symlink_to(two_layers)
    before = two_layers.read_bytes()
    result = studio("export", two_layers, "--sparsity", "0.5", "--format", "npz", "-o", link)
    assert result.status == 1
    assert two_layers.read_bytes() == before


@pytest.mark.parametrize(
    "options",
    [
        ["--format", "csv", "--n-of-m", "2:4"],
        ["--format", "npz", "--state-dict", "w.npz"],
        ["--format", "recipe", "--end", "5"],
        ["--format", "llm-compressor", "--epochs", "5"],
        ["--format", "npz", "--masks-file", "m.npz"],
        ["--format", "pickle"],
    ],
)
def test_an_option_of_another_format_is_wrong_usage(
    studio: Studio, two_layers: Path, options: list[str]
) -> None:
    result = studio("export", two_layers, "--sparsity", "0.5", *options)
    assert result.status == 2
    assert "usage: studio export" in result.err
