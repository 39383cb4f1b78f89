"""`studio layers`: what there is to prune, for people and for programs."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Studio


def test_a_row_says_shape_costs_sparsity_and_sensitivity(studio: Studio, two_layers: Path) -> None:
    rows = studio("layers", two_layers).rows()

    assert rows[0] == [
        "layer", "operator", "shape", "params", "MACs", "sparsity", "loss at 0.8", "status",
    ]  # fmt: skip
    assert rows[1][:6] == ["a", "MatMul", "4×3", "12", "12", "0.0 %"]
    assert rows[2][:6] == ["b", "MatMul", "3×4", "12", "12", "33.3 %"]


def test_the_first_line_sums_the_model_up(studio: Studio, two_layers: Path) -> None:
    line = studio("layers", two_layers).out.splitlines()[0]

    assert "24 parameters · 24 MACs" in line
    assert "sparsity 16.7 %" in line
    assert "2 of 2 layers prunable" in line


def test_what_cannot_be_pruned_is_counted_and_listed_on_request(
    studio: Studio, attention: Path
) -> None:
    few, everything = studio("layers", attention), studio("layers", attention, "--all")

    assert "2 more layers cannot be pruned" in few.out
    assert "table" not in few.out
    assert "not prunable: An embedding table is looked up" in everything.out
    assert "not prunable: No constant weight: both inputs are computed." in everything.out
    assert "cannot be pruned; --all" not in everything.out


def test_unknown_macs_are_a_dash_and_name_the_option_that_helps(
    studio: Studio, attention: Path
) -> None:
    unknown = studio("layers", attention)
    known = studio("layers", attention, "--dimension", "sequence=5")

    assert unknown.rows()[1][4] == "–"
    assert "Give --dimension sequence=SIZE." in unknown.out
    assert known.rows()[1][4] == "20"  # 2·2 weights for each of 5 tokens
    assert "--dimension" not in known.out


def test_sort_puts_the_highest_first_and_the_unknown_last(studio: Studio, attention: Path) -> None:
    answer = studio("layers", attention, "--all", "--sort", "sensitivity", "--json").json
    values = [layer["sensitivity"] for layer in answer["layers"]]
    assert values[0] is not None
    assert values[1:] == [None, None]


@pytest.mark.parametrize("key", ["macs", "params", "sensitivity", "sparsity"])
def test_sort_orders_by_each_key(studio: Studio, key: str) -> None:
    field = {"params": "numParams"}.get(key, key)
    answer = studio("layers", "sample:digits_cnn", "--sort", key, "--json").json
    values = [layer[field] for layer in answer["layers"]]
    assert values == sorted(values, reverse=True)


def test_json_names_every_fact_and_writes_null_for_unknown(studio: Studio, attention: Path) -> None:
    answer = studio("layers", attention, "--all", "--json").json

    gather, product, scores = answer["layers"]
    assert (product["id"], product["name"], product["opType"]) == ("q", "w", "MatMul")
    assert (product["op_type"], product["output"]) == ("MatMul", ["q"])  # REST's spellings
    assert product["weightShape"] == [2, 2]
    assert (product["numParams"], product["numBytes"], product["sparsity"]) == (4, 16, 0.0)
    assert product["macs"] is None
    assert "sequence" in product["macsUnknownBecause"]
    # Three of the weights 1, 2, 3, 4 are gone at 0.8.
    assert product["sensitivity"] == pytest.approx(math.sqrt(14 / 30))
    assert (scores["weightShape"], scores["sparsity"], scores["sensitivity"]) == (None, None, None)
    assert gather["status"] == "not_prunable"
    assert gather["reason"]
    assert answer["model"]["numPrunable"] == 1
    assert answer["model"]["macs"] is None
    assert answer["sensitivity"] == {"metric": "l2_share", "sparsity": 0.8, "source": "estimated"}


def test_a_hostile_name_is_shown_and_does_nothing(studio: Studio, hostile: Path) -> None:
    out = studio("layers", hostile).out

    assert r"=cmd|'[red]\x1b[31m\u202eevil" in out
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_a_narrow_terminal_cuts_nothing_off(
    studio: Studio, attention: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "30")
    out = studio("layers", attention, "--all").out

    assert "…" not in out
    assert "not prunable [1]" in out
    assert "[1] An embedding table is looked up, not multiplied" in out
    assert "Gather" in out


def test_layers_that_share_a_weight_say_so(studio: Studio, shared: Path) -> None:
    out = studio("layers", shared).out
    assert "shared weight: Shares its weight with 'y'" in out
