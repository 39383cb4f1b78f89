from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from studio_widgets._assets import esm
from studio_widgets.charts import palette


def test_an_operator_has_the_colour_of_its_kind() -> None:
    colours = palette.operator_colours(["Conv", "Conv", "Gemm"])
    assert colours == {"Conv": palette.KIND[4], "Gemm": palette.KIND[3]}


def test_two_of_one_kind_have_two_colours() -> None:
    colours = palette.operator_colours(["MatMul", "MatMul", "Gemm", "Conv", "Relu"])
    assert colours["MatMul"] == palette.KIND[3]
    assert len(set(colours.values())) == 4


def test_many_operators_are_no_error() -> None:
    assert len(palette.operator_colours(f"op{i}" for i in range(40))) == 40


SCORES = [0.1, 0.5, float("nan"), 0.9, 0.3]


def test_heat_is_that_of_the_layer_table() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node")
    script = esm("_shared") + f"console.log(JSON.stringify(heatSteps({SCORES})));".replace(
        "nan", "NaN"
    )
    found = subprocess.run([node, "-e", script], capture_output=True, text=True, check=True)
    assert palette.heat_steps(SCORES) == json.loads(found.stdout) == [0, 2, -1, 4, 1]


def test_equal_layers_have_one_heat() -> None:
    assert set(palette.heat_steps([0.5, 0.51, 0.52])) == {0}
    assert palette.heat_steps([0.0, 0.0]) == [0, 0]
    assert palette.heat_steps([float("nan")]) == [-1]
