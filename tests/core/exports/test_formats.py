"""The table of formats, recipes, and plain tables, each read by what consumes it."""

import csv
import io
import json

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from studio_core.errors import InvalidRequestError
from studio_core.exports import FORMATS, ExportSource, export
from studio_core.exports.llm_compressor import _target
from studio_core.exports.tables import _cell
from studio_core.plans.plan import PruningPlan
from studio_core.pruning.masks import Granularity
from studio_core.samples import sample_path
from studio_core.session import Session


def test_every_format_writes_the_bundled_model():
    session = Session.open(sample_path("digits_transformer"))
    plan = session.planner.distribute(0.5)
    source = ExportSource(session.model, session.layers, plan)
    for name in FORMATS:
        if name == "safetensors":
            pytest.importorskip("safetensors", reason="the extra is not installed")
        assert export(name, source).content


def test_unknown_formats_and_options_are_named(source):
    with pytest.raises(InvalidRequestError, match=r"no export format 'pickle'.*sparseml"):
        export("pickle", source)
    with pytest.raises(InvalidRequestError, match=r"no option 'indent'. It has: none"):
        export("json", source, indent=2)
    with pytest.raises(InvalidRequestError, match="state_dict, training_epochs"):
        export("sparseml", source, epochs=3)


def test_json_is_a_plan_that_reads_back_equal(source):
    document = json.loads(export("json", source).text)
    assert PruningPlan.from_document(document) == source.plan
    assert [row["num_pruned"] for row in document["layers"]] == [24, 8, 8, 8]
    assert document["layers"][0]["shape"] == [8, 6]


def test_csv_is_read_by_the_csv_module_and_runs_no_formula(source):
    rows = list(csv.DictReader(io.StringIO(export("csv", source).text, newline="")))
    assert [row["name"] for row in rows] == [
        "net.0.weight",
        "onnx::MatMul_17",
        "'=cmd|' /C calc'!A0",
        "'=cmd|' /C calc'!A0",
    ]
    assert [float(row["sparsity"]) for row in rows] == [0.5, 0.25, 0.5, 0.5]
    assert rows[0]["shape"] == "8x6"
    assert rows[0]["locked"] == "True"


@given(st.text(alphabet="=+-@'\t\r\n ＝a,\"", max_size=6))
def test_no_text_is_a_formula_and_each_can_be_told_again(name):
    cell = _cell(name)
    assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝"))
    assert (cell.removeprefix("'") if cell.startswith("'") else cell) == name


class _Loader(yaml.SafeLoader):
    """Reads SparseML's tagged modifiers as (tag, arguments)."""


_Loader.add_multi_constructor(
    "!", lambda loader, tag, node: (tag, loader.construct_mapping(node, deep=True))
)


def test_the_sparseml_recipe_has_each_weight_once(source):
    exported = export("sparseml", source, training_epochs=30)
    recipe = yaml.load(exported.text, Loader=_Loader)
    pruning = [a for tag, a in recipe["modifiers"] if tag == "GMPruningModifier"]
    assert {a["final_sparsity"]: a["params"] for a in pruning} == {
        0.25: ["onnx::MatMul_17"],
        0.5: ["net.0.weight", "=cmd|' /C calc'!A0"],
    }
    assert pruning[0]["end_epoch"] == 10
    assert "not compared" in exported.notes[0]
    with pytest.raises(InvalidRequestError, match="training_epochs"):
        export("sparseml", source, training_epochs=1)


def _modifiers(text):
    """As llm-compressor reads a recipe: *_stage, *_modifiers, then class and arguments."""
    document = yaml.safe_load(text)
    return [
        (kind, arguments)
        for stage, groups in document.items()
        if stage.endswith("_stage")
        for group, found in groups.items()
        if group.endswith("_modifiers")
        for kind, arguments in found.items()
    ]


def test_the_llm_compressor_recipe(source):
    modifiers = _modifiers(export("llm-compressor", source, init_sparsity=0.3).text)
    assert [kind for kind, _ in modifiers] == ["MagnitudePruningModifier"] * 2
    low, high = (arguments for _, arguments in modifiers)
    assert low == {
        "targets": ["onnx::MatMul_17"],
        "init_sparsity": 0.25,
        "final_sparsity": 0.25,
        "mask_structure": "unstructured",
        "start": 0.0,
        "end": 1.0,
        "update": 0.1,
    }
    assert high["targets"] == ["net.0.weight", "=cmd|' /C calc'!A0"]
    assert high["init_sparsity"] == 0.3
    with pytest.raises(InvalidRequestError, match="below 'end'"):
        export("llm-compressor", source, start=2.0)


def test_a_name_that_looks_like_a_pattern_matches_only_itself():
    import re

    target = _target("re:.*weight")
    assert target.startswith("re:")
    assert re.match(target[3:], "re:.*weight")
    assert not re.match(target[3:], "net.0.weight")


@pytest.mark.parametrize("format_name", ["sparseml", "llm-compressor", "pytorch"])
def test_patterns_that_a_format_does_not_know_are_refused(format_name, source):
    plan = PruningPlan({"a": 0.5})
    patterned = ExportSource(source.model, source.layers, plan, Granularity.CHANNEL)
    with pytest.raises(InvalidRequestError, match=r"'net\.0\.weight', which is pruned by channel"):
        export(format_name, patterned)


def test_recipes_use_the_names_of_the_training_code(source, weights):
    _, second, third = weights.values()
    state = {"encoder.weight": second.T, "head.weight": third, "bias": np.zeros(4, np.float32)}
    exported = export("llm-compressor", source, state_dict=state)
    targets = [t for _, a in _modifiers(exported.text) for t in a["targets"]]
    assert targets == ["encoder.weight", "head.weight"]
    assert exported.notes == (
        "No parameter has the shape and values of 'net.0.weight'; it is left out. Batch norms "
        "folded into it, or quantization, change the values.",
    )
