from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest


async def test_prunable_layers_have_the_seeds_keys(api: Any, project_url: str) -> None:
    answer = await api("GET", project_url + "/prunable-layers")
    assert answer.status == 200
    first, depthwise, hidden, classifier = answer.json["prunableLayers"]
    assert first["attributes"] == {"kernel_shape": [7, 7], "strides": [2, 2], "pads": [3, 3, 3, 3]}
    assert (first["id"], first["name"]) == ("features", "input.conv.weight")
    assert first["op_type"] == "Conv"
    assert first["inputs"] == ["image", "input.conv.weight"]
    assert first["output"] == first["outputs"] == ["features"]
    assert depthwise["status"] == "depthwise"
    assert [hidden["op_type"], classifier["op_type"]] == ["Gemm", "Gemm"]


async def test_what_a_layer_costs(api: Any, project_url: str) -> None:
    first, _, hidden, _ = (await api("GET", project_url + "/prunable-layers")).json[
        "prunableLayers"
    ]
    assert first["macs"] == 7 * 7 * 3 * 64 * 112 * 112 == 118013952
    assert (first["numParams"], first["numBytes"]) == (9408, 9408 * 4)
    assert (first["status"], first["reason"], first["sharedWith"]) == ("prunable", "", [])
    assert first["sparsity"] == 0.0
    assert first["inputShape"] == [1, 3, 224, 224]
    assert first["outputShape"] == [1, 64, 112, 112]
    assert first["weightShape"] == [64, 3, 7, 7]
    assert (hidden["numParams"], hidden["macs"]) == (64 * 32 + 32, 64 * 32)


@pytest.fixture
def project_id(api: Any, model_file: Path, jp_asyncio_loop: Any) -> str:
    """The usual model, with a MatMul of two values at its end: a layer without a weight."""
    proto = onnx.load(model_file)
    proto.graph.node[-1].output[0] = "logits"
    proto.graph.node.append(onnx.helper.make_node("Identity", ["logits"], ["same"]))
    proto.graph.node.append(onnx.helper.make_node("Transpose", ["same"], ["turned"]))
    proto.graph.node.append(onnx.helper.make_node("MatMul", ["logits", "turned"], ["scores"]))
    proto.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 1
    onnx.save(proto, model_file)
    wanted = {"modelPath": "net.onnx", "projectConfig": {}}
    answer = jp_asyncio_loop.run_until_complete(api("POST", "/api/projects", wanted))
    return str(answer.json["projectId"])


async def test_every_layer_is_listed_on_request_with_the_reason(api: Any, project_url: str) -> None:
    prunable = (await api("GET", project_url + "/prunable-layers")).json["prunableLayers"]
    every = (await api("GET", project_url + "/prunable-layers/?status=all")).json["prunableLayers"]
    other = [layer for layer in every if layer not in prunable]
    assert [layer["op_type"] for layer in other] == ["MatMul"]
    assert other[0]["status"] == "not_prunable"
    assert other[0]["reason"]
    assert other[0]["sparsity"] is None and other[0]["weightShape"] is None


async def test_an_unknown_status_is_refused(api: Any, project_url: str) -> None:
    answer = await api("GET", project_url + "/prunable-layers?status=some")
    assert answer.status == 400
    assert "'status' must be prunable or all" in answer.message
