"""Small models, written as text where they can be, and a way to run `studio` in the test."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import onnx.parser
import pytest

from studio_cli.main import main

# Two layers; the last four weights of b are zero already. MACs: 4·3 + 3·4 = 24.
TWO_LAYERS = """
<ir_version: 8, opset_import: ["" : 17]>
two (float[N, 4] x) => (float[N, 4] y)
<float[4, 3] a = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
 float[3, 4] b = {8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0}>
{
    hidden = MatMul (x, a)
    active = Relu (hidden)
    y = MatMul (active, b)
}
"""

# A product without a weight, an embedding, and a length that only the caller knows.
ATTENTION = """
<ir_version: 8, opset_import: ["" : 17]>
attention (int64[batch, sequence] tokens) => (float[batch, sequence, sequence] scores)
<float[3, 2] table = {1, 2, 3, 4, 5, 6}, float[2, 2] w = {1, 2, 3, 4}>
{
    x = Gather (table, tokens)
    q = MatMul (x, w)
    k = Transpose <perm = [0, 2, 1]> (x)
    scores = MatMul (q, k)
}
"""


@dataclass(frozen=True)
class Result:
    """What a command line left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout; refuses NaN, which is not JSON."""
        assert self.status == 0, self.err
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))

    def rows(self) -> list[list[str]]:
        """The table's rows (header first), cut where two or more spaces stand."""
        lines = [line.split("  ") for line in self.out.splitlines()]
        return [[cell.strip() for cell in line if cell.strip()] for line in lines if len(line) > 1]


Studio = Callable[..., Result]


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a command used the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, so that no test sees or touches a person's projects."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    return folder


@pytest.fixture
def studio(capsys: pytest.CaptureFixture[str]) -> Studio:
    """Run a command line in this process: ``studio("layers", path)``.

    Tests name the type `Studio` in annotations only: they run without importing this file.
    """

    def run(*args: object) -> Result:
        capsys.readouterr()
        status = main([str(arg) for arg in args])
        captured = capsys.readouterr()
        return Result(status, captured.out, captured.err)

    return run


@pytest.fixture
def two_layers(tmp_path: Path) -> Path:
    return _save(onnx.parser.parse_model(TWO_LAYERS), tmp_path / "two.onnx")


@pytest.fixture
def attention(tmp_path: Path) -> Path:
    return _save(onnx.parser.parse_model(ATTENTION), tmp_path / "attention.onnx")


@pytest.fixture
def hostile_name() -> str:
    """Would colour the terminal, reverse text and start a formula."""
    return '=cmd|\'[red]\x1b[31m\u202eevil,"quoted"'


@pytest.fixture
def hostile(tmp_path: Path, hostile_name: str) -> Path:
    """A model with a layer of that name."""
    weight = onnx.numpy_helper.from_array(np.arange(1, 5, dtype=np.float32).reshape(2, 2))
    weight.name = hostile_name
    return _save(_matmul_model([("x", hostile_name, "y")], [weight]), tmp_path / "hostile.onnx")


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Two layers with one weight."""
    weight = onnx.numpy_helper.from_array(np.arange(1, 5, dtype=np.float32).reshape(2, 2), "w")
    return _save(
        _matmul_model([("x", "w", "h"), ("h", "w", "y")], [weight]), tmp_path / "shared.onnx"
    )


def _matmul_model(
    products: list[tuple[str, str, str]], weights: list[onnx.TensorProto]
) -> onnx.ModelProto:
    float_type = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", [a, b], [c]) for a, b, c in products],
        "graph",
        [onnx.helper.make_tensor_value_info("x", float_type, ["N", 2])],
        [onnx.helper.make_tensor_value_info("y", float_type, ["N", 2])],
        weights,
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])


def _save(model: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path
