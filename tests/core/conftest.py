"""Models for the tests, written as ONNX text: `write_model` and `open_text`.

Both fixtures last for the whole run, so that hypothesis may call them for each example.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest

from studio_core.limits import DEFAULT_LIMITS, Limits
from studio_core.models.model import open_model
from studio_core.session import Session

WriteModel = Callable[..., Path]
OpenText = Callable[..., Session]


def _proto(text: str, weights: Mapping[str, Any] | None) -> onnx.ModelProto:
    """The model of an ONNX text; ``weights`` adds initializers by name."""
    if not text.lstrip().startswith("<"):
        text = f'<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]>\n{text}'
    model = onnx.parser.parse_model(text)
    for name, value in (weights or {}).items():
        is_proto = isinstance(value, onnx.TensorProto)
        tensor = value if is_proto else onnx.numpy_helper.from_array(np.asarray(value), name)
        model.graph.initializer.append(tensor)
    return model


@pytest.fixture(scope="session")
def write_model(tmp_path_factory: pytest.TempPathFactory) -> WriteModel:
    """Writes a text, a ModelProto or bytes as model.onnx in a folder of its own."""
    root = tmp_path_factory.mktemp("models")
    numbers = itertools.count()

    def write(
        model: str | bytes | onnx.ModelProto,
        weights: Mapping[str, Any] | None = None,
        *,
        name: str = "model.onnx",
    ) -> Path:
        if isinstance(model, str):
            model = _proto(model, weights)
        folder = root / str(next(numbers))
        folder.mkdir()
        path = folder / name
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        return path

    return write


@pytest.fixture(scope="session")
def open_text(write_model: WriteModel) -> OpenText:
    """Opens a model written as text: ``open_text(text, {"W": array}, dimensions={...})``."""

    def opened(
        text: str | bytes | onnx.ModelProto,
        weights: Mapping[str, Any] | None = None,
        *,
        dimensions: Mapping[str, int] | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Session:
        path = write_model(text, weights)
        return Session(open_model(path, dimensions=dimensions, limits=limits))

    return opened


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A generated model of well-known shape, written once a run for each set of options."""
    from studio_core.samples import generate_model

    root = tmp_path_factory.mktemp("generated")
    made: dict[str, Path] = {}

    def generate(name: str, **options: Any) -> Path:
        key = "-".join([name, *(f"{k}={v}" for k, v in sorted(options.items()))])
        if key not in made:
            made[key] = generate_model(name, root / f"{key}.onnx", **options)
        return made[key]

    return generate


@pytest.fixture
def mlp(open_text: OpenText) -> Session:
    """Three layers of 12, 24 and 8 weights; the first two with bias."""
    rng = np.random.default_rng(0)
    return open_text(
        """
        mlp (float[N,3] x) => (float[N,2] y) {
            a = Gemm (x, first_weight, first_bias)
            ra = Relu (a)
            b = Gemm (ra, second_weight, second_bias)
            rb = Relu (b)
            c = Slice (rb, zero, four, one)
            y = MatMul (c, third_weight)
        }
        """,
        {
            "first_weight": rng.normal(size=(3, 4)).astype(np.float32),
            "first_bias": rng.normal(size=4).astype(np.float32),
            "second_weight": rng.normal(size=(4, 6)).astype(np.float32),
            "second_bias": rng.normal(size=6).astype(np.float32),
            "third_weight": rng.normal(size=(4, 2)).astype(np.float32),
            "zero": np.array([0], np.int64),
            "four": np.array([4], np.int64),
            "one": np.array([1], np.int64),
        },
    )
