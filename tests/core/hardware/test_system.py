"""System descriptions: the table, the module's own, a file's, and which of them counts."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.hardware.system import (
    builtin_system,
    group_attributes,
    parse_system,
    system_from_document,
    system_from_file,
    system_in_use,
    system_of,
    system_to_document,
)
from studio_core.mlir.reader import parse_mlir, read_mlir

DATA = Path(__file__).parents[2] / "data" / "mlir"
DECODE = DATA / "hw_decode_projection.mlir"


def the_module(path: Path = DECODE):
    return read_mlir(path).modules[0]


@pytest.mark.parametrize(
    ("arch", "grid", "usable", "channels", "cores"),
    [("wormhole_b0", (8, 8), 1_498_112, 12, 64), ("blackhole", (10, 13), 1_474_560, 8, 130)],
)
def test_the_published_table(arch, grid, usable, channels, cores):
    system = builtin_system(arch)
    assert (system.arch, system.grid) == (arch, grid)
    assert system.chip.l1_usable_bytes == usable
    assert system.chip.num_dram_channels == channels
    assert system.chip.num_cores == cores
    assert system.origin == "built in"
    assert "built into Studio" in system.sentence


def test_an_unknown_architecture_says_which_there_are():
    with pytest.raises(InvalidRequestError, match="wormhole_b0, blackhole"):
        builtin_system("grayskull")


def test_the_modules_own_description():
    system = system_of(the_module())
    assert system.origin == "module"
    assert system.grid == (4, 8)
    assert system.chip.l1_usable_bytes == 1_395_424
    assert system.chip.dram_usable_bytes == 1_073_119_552 - 1_920_032
    assert system.chip.data_types == ("f32", "bf16", "bfp_bf8")
    assert system.chip.tile_sizes == ((16, 16), (32, 32))
    assert len(system.chips) == 2  # the indices [0, 0] name the one description twice
    assert system.chip.dram_bandwidth == 288e9


def test_a_description_as_attributes_of_a_group():
    values = group_attributes(system_of(the_module()))
    assert values["chip#0-arch"] == "wormhole_b0"
    assert values["chip#1-grid"] == "4x8"
    assert values["chip#0-l1-unreserved-base"] == "103712"
    assert values["chip#0-num-cbs"] == "64"
    assert values["chip#0-supported-tile-sizes"] == "[16x16, 32x32]"


def test_a_description_in_a_module_inside_a_module():
    inner = DECODE.read_text(encoding="utf-8")
    alias, body = inner.split("module attributes", 1)
    text = f"{alias}\nmodule {{ ttcore.device_module {{ builtin.module attributes{body} }} }}"
    assert system_of(parse_mlir(text).modules[0]).grid == (4, 8)


def test_the_file_counts_before_the_module_and_the_module_before_the_table(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(system_to_document(builtin_system("blackhole"))))
    assert system_in_use(the_module(), path=path, arch="wormhole_b0").origin == "file"
    assert system_in_use(the_module(), path=path).grid == (10, 13)
    assert system_in_use(the_module(), arch="blackhole").grid == (4, 8)
    bare = parse_mlir("module {}").modules[0]
    assert system_in_use(bare, arch="blackhole").grid == (10, 13)
    assert system_in_use().arch == "wormhole_b0"


def test_a_broken_description_in_a_module_is_passed_over_and_told():
    text = "module attributes {ttcore.system_desc = #ttcore.system_desc<[{arch = <x>}]>} {}"
    module = parse_mlir(text).modules[0]
    with pytest.raises(InvalidRequestError, match="grid"):
        system_of(module)
    system = system_in_use(module)
    assert system.origin == "built in"
    assert "passed over" in system.note


def test_a_text_file_with_a_description():
    system = system_from_file(DECODE)
    assert (system.origin, system.grid) == ("file", (4, 8))
    assert "hw_decode_projection.mlir" in system.sentence


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("b.ttsys", b"\x18\x00\x00\x00TTSY\x00\xff\x01", "binary"),
        ("n.ttsys", b"TTSY\x00\x00", "binary"),
        ("a.json", b"{", "JSON"),
        ("c.json", b'{"chips": []}', "chips"),
        ("d.json", b'{"chips": [{"arch": "x", "grid": "8"}]}', "grid"),
        ("e.json", b'{"chips": [{"arch": "x", "grid": "8x8"}]}', "l1_size"),
        ("f.mlir", b"module {}", "system_desc"),
        ("g.mlir", b"#ttcore.system_desc<[{arch = <x>", "last bracket"),
    ],
)
def test_a_file_that_is_no_description_says_why(tmp_path, name, data, words):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InvalidRequestError, match=words):
        system_from_file(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(NotFoundError):
        system_from_file(tmp_path / "none.json")


@pytest.mark.parametrize("arch", ["wormhole_b0", "blackhole"])
def test_a_description_as_json_and_back(arch):
    system = builtin_system(arch)
    document = json.loads(json.dumps(system_to_document(system)))
    assert system_from_document(document).chips == system.chips
    other = system_of(the_module())
    assert system_from_document(system_to_document(other)).chips == other.chips


def test_no_l1_left_is_refused():
    document = system_to_document(builtin_system())
    document["chips"][0]["l1_unreserved_base"] = "1499136"
    with pytest.raises(InvalidRequestError, match="l1_unreserved_base"):
        system_from_document(document)


@given(st.text(alphabet='[]{}<>=,":x0123456789arch grid_l1size', max_size=150))
def test_hostile_text_raises_nothing_else(text):
    for whole in (f"#ttcore.system_desc<{text}", f"#ttcore.system_desc<[{{arch = <a>, {text}}}]>"):
        with suppress(InvalidRequestError):
            parse_system(whole)
