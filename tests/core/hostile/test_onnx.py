"""ONNX files that mean harm: a sentence each that names the limit, and nothing left behind."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import numpy as np
import onnx
import psutil
import pytest
from onnx import numpy_helper

from studio_core.errors import InvalidModelError, LimitError
from studio_core.limits import Limits
from studio_core.models.model import open_model
from studio_core.session import Session

from . import attacks
from .attacks import Attack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    path.mkdir()
    return path


# A million nodes take a second; test_a_limit_is_inclusive shows the same with few.
QUICK = {
    attack: words for attack, words in attacks.REFUSED.items() if attack.__name__ != "many_nodes"
}


@pytest.mark.parametrize("attack", QUICK, ids=lambda attack: attack.__name__)
def test_it_is_refused_with_a_sentence(attack: Attack, folder: Path) -> None:
    path = attack(folder)
    with pytest.raises(InvalidModelError) as refused:
        open_model(path)
    assert attacks.REFUSED[attack] in refused.value.message
    assert len(refused.value.message) < 600, "a name of a megabyte is not repeated"


@pytest.mark.parametrize("attack", attacks.OPENED, ids=lambda attack: attack.__name__)
def test_it_can_be_looked_at_but_not_run(attack: Attack, folder: Path) -> None:
    session = Session.open(attack(folder))
    assert any(layer.name == "w" for layer in session.layers)
    assert session.summary and session.loss
    with pytest.raises(InvalidModelError, match=attacks.OPENED[attack]):
        list(session.measure(levels=[0.5], samples=1))


def test_branches_in_branches_are_counted_before_they_are_inferred(folder: Path) -> None:
    path = attacks.if_bomb(folder, depth=6)
    assert len(list(open_model(path).nodes())) == 127
    with pytest.raises(LimitError, match="max_nodes = 100 "):
        open_model(path, limits=Limits(max_nodes=100))


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (lambda size: {"max_file_bytes": size}, "max_file_bytes"),
        (lambda size: {"max_structure_bytes": size}, "max_structure_bytes"),
    ],
)
def test_the_limits_on_bytes(folder: Path, limits: object, name: str) -> None:
    path = attacks.custom_domain(folder)
    size = path.stat().st_size
    open_model(path, limits=Limits(**limits(size)))  # type: ignore[operator]
    with pytest.raises(LimitError, match=f"{name} = {size - 1} "):
        open_model(path, limits=Limits(**limits(size - 1)))  # type: ignore[operator]


def test_a_limit_is_inclusive_and_can_be_raised(folder: Path) -> None:
    path = attacks.many_nodes(folder, count=50)
    assert len(list(open_model(path, limits=Limits(max_nodes=50)).nodes())) == 50
    with pytest.raises(LimitError, match=r"max_nodes = 49 .*raise that limit"):
        open_model(path, limits=Limits(max_nodes=49))


def test_elements_and_names_just_at_the_limit(folder: Path) -> None:
    path = attacks.huge_input(folder)
    open_model(path, limits=Limits(max_elements=10**12))
    with pytest.raises(LimitError, match="max_elements"):
        open_model(path, limits=Limits(max_elements=10**12 - 1))
    path = attacks.long_input_name(folder)
    open_model(path, limits=Limits(max_name_bytes=10**6))
    with pytest.raises(LimitError, match="max_name_bytes"):
        open_model(path, limits=Limits(max_name_bytes=10**6 - 1))


def test_hard_links_can_be_allowed(folder: Path) -> None:
    path = attacks.external_hard_link(folder)
    model = open_model(path, limits=Limits(allow_hard_links=True))
    assert model.data_files == (folder / "w.bin",)


def test_a_model_of_several_gigabytes_passes(folder: Path) -> None:
    """A sparse file: what opening touches is small, whatever the file's size."""
    size = 3 << 30
    tensor = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[size // 4096, 1024])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="w.bin")
    with (folder / "w.bin").open("wb") as file:
        file.truncate(size)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g", [attacks.value("x", [1, size // 4096])], [attacks.value("y", [1, 1024])], [tensor],
    )  # fmt: skip
    (layer,) = Session.open(attacks.save(folder, graph)).layers
    assert layer.num_bytes == size


def test_what_an_attack_takes_comes_back(folder: Path) -> None:
    """After all of them, twice: no memory kept, no file left open."""

    def attack_all() -> None:
        for number, attack in enumerate(QUICK):
            place = folder / f"{turn}-{number}"
            place.mkdir()
            with pytest.raises(InvalidModelError):
                open_model(attack(place))
        gc.collect()

    turn = 0
    attack_all()
    me = psutil.Process()
    files = me.num_fds()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    turn = 1
    attack_all()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 500_000
    assert me.num_fds() <= files


def test_another_model_is_read_as_before(folder: Path) -> None:
    values = np.arange(16, dtype=np.float32).reshape(4, 4)
    graph = onnx.helper.make_graph(
        [attacks.matmul()], "g", [attacks.value("x")], [attacks.value("y")],
        [numpy_helper.from_array(values, "w")],
    )  # fmt: skip
    path = attacks.save(folder, graph, name="good.onnx")
    session = Session.open(path)
    for attack in (attacks.truncated, attacks.huge_input, attacks.deep_subgraphs):
        with pytest.raises(InvalidModelError):
            open_model(attack(folder))
    assert np.array_equal(session.model.main.constants["w"].read(), values)
