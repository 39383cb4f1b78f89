"""The option string of the compiler: the documented examples, and nothing lost on the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio_core.errors import InvalidRequestError
from studio_core.hardware.data_types import DATA_TYPES
from studio_core.overrides.compiler_options import (
    option_names,
    parse_compiler_options,
    to_compiler_options,
)
from studio_core.overrides.grammar import BREAKING, VERSIONS
from studio_core.overrides.records import Override, Overrides

FULL = {
    "data_type": "bf16",
    "memory_layout": "tile",
    "tensor_memory_layout": "block_sharded",
    "buffer_type": "l1",
    "grid_shape": "4x8",
}


def options(*overrides, **settings):
    return to_compiler_options(Overrides.of(overrides), **settings)


def test_the_documented_layout_override():
    written = options(Override("relu_3", "loc(relu_3)", FULL), system_desc_path="/d/x.ttsys")
    assert written.pipeline == "ttir-to-ttnn-common-pipeline"
    assert written.text == (
        "enable-optimizer=true memory-layout-analysis-enabled=true system-desc-path=/d/x.ttsys "
        "override-output-layout=relu_3=4x8:l1:block_sharded:tile:bf16"
    )
    assert written.left_out == ()


def test_the_documented_configuration_of_a_convolution():
    values = {
        "weights_dtype": "bf16",
        "activation": "relu",
        "deallocate_activation": "False",
        "act_block_h_override": "[64]",
    }
    written = options(Override("conv1", "", values), memory_layout_analysis=False)
    assert written.arguments == (
        "enable-optimizer=true",
        "memory-layout-analysis-enabled=false",
        "override-conv2d-config=conv1=weights_dtype#bf16:activation#relu:"
        "deallocate_activation#false:act_block_h_override#64",
    )


def test_none_is_a_word_for_the_activation_only():
    written = options(Override("c", "", {"activation": "None", "shard_layout": "None"}))
    assert written.arguments[-1] == "override-conv2d-config=c=activation#none"
    assert [(left.override, left.attribute) for left in written.left_out] == [("c", "shard_layout")]


@pytest.mark.parametrize("character", sorted(BREAKING))
def test_a_name_that_breaks_the_grammar_is_left_out_with_the_reason(character):
    written = options(Override(f"a{character}b", "", {"data_type": "bf16"}))
    assert not any("override" in argument for argument in written.arguments)
    assert BREAKING[character] in written.left_out[0].reason


def test_what_cannot_be_said_is_left_out_with_the_reason():
    written = options(
        Override("", "loc(m.py:1:2)", {"data_type": "bf16"}),
        Override("a", "", {"data_type": "f8", "sparsity": "[50]", "buffer_type": "l1"}),
    )
    assert written.arguments[-1] == "override-output-layout=a=l1"
    reasons = {(left.override, left.attribute): left.reason for left in written.left_out}
    assert "named location" in reasons["loc(m.py:1:2)", "data_type"]
    assert "f8" in reasons["a", "data_type"]
    assert ("a", "sparsity") in reasons


def test_without_the_optimizer_no_override_is_written():
    written = options(Override("a", "", FULL), enable_optimizer=False)
    assert written.text == "enable-optimizer=false"
    assert {left.attribute for left in written.left_out} == set(FULL)


def test_older_names_of_the_options():
    override = Override("a", "", {**FULL, "weights_dtype": "bf16"})
    written = options(override, version="sharding-pass")
    assert written.text == (
        "enable-optimizer=true sharding-pass-enabled=true "
        "override-output-layout=a=4x8:l1:block_sharded"
    )
    assert {left.attribute for left in written.left_out} == {
        "memory_layout", "data_type", "weights_dtype",
    }  # fmt: skip
    assert len({names.version for names in VERSIONS.values()}) == len(VERSIONS)
    with pytest.raises(InvalidRequestError, match="common-pipeline"):
        option_names("0.0")


def test_a_path_that_the_options_cannot_hold():
    with pytest.raises(InvalidRequestError, match="space"):
        options(system_desc_path="/my files/x.ttsys")


def test_a_published_option_string_is_read():
    text = (
        "enable-optimizer=true override-output-layout=add_0=1x1,add_1=l1,add_2=block_sharded,"
        "add_3=bf16,add_6=4x4:dram:interleaved:row_major:fp32 max-legal-layouts=32 "
        "override-conv2d-config=conv_1=activation#none:transpose_shards#true,op.py:3:id(0)=weights_dtype#f32"
    )
    found = parse_compiler_options(text)
    values = {o.named_location: dict(o.attributes) for o in found.overrides}
    assert values == {
        "add_0": {"grid_shape": "1x1"},
        "add_1": {"buffer_type": "l1"},
        "add_2": {"tensor_memory_layout": "block_sharded"},
        "add_3": {"data_type": "bf16"},
        "add_6": {
            "grid_shape": "4x4",
            "buffer_type": "dram",
            "tensor_memory_layout": "interleaved",
            "memory_layout": "row_major",
            "data_type": "f32",
        },
        "conv_1": {"activation": "None", "transpose_shards": "True"},
        "op.py:3:id(0)": {"weights_dtype": "f32"},
    }
    assert found.enable_optimizer
    assert not found.memory_layout_analysis
    assert found.other == {"max-legal-layouts": "32"}


@pytest.mark.parametrize(
    "text",
    ["alone", "override-output-layout=a", "override-output-layout=a=b=c",
     "override-output-layout=a=nothing", "override-conv2d-config=a=x#1",
     "override-conv2d-config=a=activation", "override-output-layout=,"],
)  # fmt: skip
def test_what_the_compiler_would_refuse(text):
    with pytest.raises(InvalidRequestError):
        parse_compiler_options(text)


names = st.text(
    st.characters(
        codec="utf-8", exclude_characters="".join(BREAKING), exclude_categories=["Z", "C"]
    ),
    min_size=1,
    max_size=12,
)
flag = st.sampled_from(["True", "False"])
grids = st.tuples(st.integers(1, 64), st.integers(1, 64)).map("{0[0]}x{0[1]}".format)
values = st.fixed_dictionaries(
    {},
    optional={
        "grid_shape": grids,
        "buffer_type": st.sampled_from(["dram", "l1", "system_memory", "l1_small"]),
        "tensor_memory_layout": st.sampled_from(["interleaved", "height_sharded", "nd_sharded"]),
        "memory_layout": st.sampled_from(["tile", "row_major"]),
        "data_type": st.sampled_from(DATA_TYPES),
        "weights_dtype": st.sampled_from(DATA_TYPES),
        "activation": st.sampled_from(["relu", "None"]),
        "act_block_h_override": st.integers(0, 99).map("[{}]".format),
        "shard_layout": st.sampled_from(["interleaved", "block_sharded"]),
        "output_layout": st.sampled_from(["tile", "row_major"]),
        "transpose_shards": flag,
    },
).filter(bool)


@given(
    st.dictionaries(names, values, max_size=4),
    st.booleans(),
    st.none() | st.just("/a/b.ttsys"),
)
def test_written_and_read_back(by_name, analysis, path):
    overrides = Overrides.of(Override(name, "", given) for name, given in by_name.items())
    written = to_compiler_options(overrides, memory_layout_analysis=analysis, system_desc_path=path)
    assert written.left_out == ()
    found = parse_compiler_options(written.text)
    assert {o.named_location: dict(o.attributes) for o in found.overrides} == by_name
    assert (found.memory_layout_analysis, found.system_desc_path) == (analysis, path)
    assert found.other == {}


@given(st.text(max_size=60))
def test_no_text_crashes_the_parser(text):
    for whole in (text, f"override-output-layout={text}", f"override-conv2d-config=a={text}"):
        try:
            parse_compiler_options(whole)
        except InvalidRequestError as error:
            assert str(error)


@pytest.mark.parametrize("name", ["a\x1fb", "a\u2003b", "a\x85b"])
def test_a_name_with_other_blanks_of_unicode_is_one_name(name):
    written = options(Override(name, "", {"data_type": "bf16"}))
    (found,) = parse_compiler_options(written.text).overrides
    assert found.named_location == name


@pytest.mark.parametrize("name", ["a\vb", "a\fb", "a\0b"])
def test_a_name_that_would_end_the_option_is_left_out(name):
    written = options(Override(name, "", {"data_type": "bf16"}))
    assert name not in written.text and len(written.left_out) == 1


@pytest.mark.parametrize("word", ["none", "None"])
def test_no_data_type_is_called_none(word):
    """It would read back as the absence of a value, and be gone when written again."""
    written = options(Override("c", "", {"weights_dtype": word}))
    assert "weights_dtype" not in written.text and len(written.left_out) == 1
