"""A Jupyter server with Studio in it, and the smallest models that show something.

pytest 9 takes no `pytest_plugins` below the root, so pytest-jupyter's fixtures are imported.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import onnx.parser
import pytest
from pytest_jupyter.jupyter_core import *  # noqa: F403
from pytest_jupyter.jupyter_server import *  # noqa: F403

from studio_core.guarded import Guard
from studio_server.app import StudioApp

# The first layer is the seed's: 7·7·3·64·112·112 = 118013952 multiply-accumulates.
MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
net (float[1,3,224,224] image) => (float[1,10] scores)
{
   features = Conv <kernel_shape = [7,7], strides = [2,2], pads = [3,3,3,3]>
      (image, "input.conv.weight")
   active = Relu (features)
   depthwise = Conv <kernel_shape = [3,3], strides = [2,2], group = 64>
      (active, "depthwise.weight")
   pooled = GlobalAveragePool (depthwise)
   flat = Flatten (pooled)
   hidden = Gemm <transB = 1> (flat, "hidden.weight", "hidden.bias")
   scores = Gemm <transB = 1> (hidden, "classifier.weight", "classifier.bias")
}
"""

SHAPES = {
    "input.conv.weight": (64, 3, 7, 7),
    "depthwise.weight": (64, 1, 3, 3),
    "hidden.weight": (32, 64),
    "hidden.bias": (32,),
    "classifier.weight": (10, 32),
    "classifier.bias": (10,),
}


@dataclass(frozen=True)
class Answer:
    """What the server answered."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["Content-Type"].startswith("application/json"), self.headers
        return json.loads(self.body)

    @property
    def message(self) -> str:
        message = self.json["message"]
        assert isinstance(message, str) and message
        return message


Api = Callable[..., Awaitable[Answer]]


def write_model(path: Path) -> Path:
    proto = onnx.parser.parse_model(MODEL)
    random = np.random.default_rng(0)
    proto.graph.initializer.extend(
        onnx.numpy_helper.from_array(random.standard_normal(shape, np.float32), name)
        for name, shape in SHAPES.items()
    )
    onnx.save(proto, path)
    return path


@pytest.fixture(scope="session", autouse=True)
def _one_guard_for_all_servers() -> Iterator[None]:
    """A server starts a process to try files in; hundreds of servers need but one."""
    StudioApp.shared_guard = Guard()
    yield
    StudioApp.shared_guard.close()
    StudioApp.shared_guard = None


@pytest.fixture
def project_root(tmp_path: Path) -> Path:
    return tmp_path / "projects"


@pytest.fixture
def jp_server_config(project_root: Path) -> dict[str, Any]:
    return {
        "ServerApp": {"jpserver_extensions": {"studio_server": True}},
        "StudioApp": {"project_root": str(project_root)},
    }


@pytest.fixture
def model_file(jp_root_dir: Path) -> Path:
    return write_model(jp_root_dir / "net.onnx")


@pytest.fixture
def api(jp_serverapp: Any, http_server_client: Any, jp_base_url: str, jp_auth_header: Any) -> Api:
    """``await api("PUT", "/api/projects/…", {…})``: any method, never raising, path as it is."""

    async def call(
        method: str, path: str, document: Any = None, *, body: Any = None, headers: Any = None
    ) -> Answer:
        if document is not None:
            body = json.dumps(document)
        response = await http_server_client.fetch(
            jp_base_url.rstrip("/") + path,
            method=method,
            body=body,
            headers=jp_auth_header if headers is None else headers,
            raise_error=False,
            allow_nonstandard_methods=True,
            follow_redirects=False,
            request_timeout=60,
        )
        return Answer(response.code, response.headers, response.body)

    return call


@pytest.fixture
def project_id(api: Api, model_file: Path, jp_asyncio_loop: Any) -> str:
    wanted = {"modelPath": model_file.name, "projectConfig": {"projectName": "test project"}}
    answer = jp_asyncio_loop.run_until_complete(api("POST", "/api/projects", wanted))
    assert answer.status == 200, answer.body
    return str(answer.json["projectId"])


@pytest.fixture
def project_url(project_id: str) -> str:
    return f"/api/projects/{project_id}"
