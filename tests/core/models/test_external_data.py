"""External data: the same results as embedded, and nothing read outside the model's folder."""

from __future__ import annotations

import os
import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from studio_core.errors import (
    InvalidModelError,
    MissingDataError,
    StudioError,
    UnsafePathError,
)
from studio_core.models.model import open_model
from studio_core.sensitivity.documents import to_document
from studio_core.session import Session

TEXT = """<ir_version: 10, opset_import: ["": 21]>
    g (float[N,64] x) => (float[N,2] y) { h = MatMul (x, big) y = MatMul (h, tiny) }"""


def external(**entries: object) -> TensorProto:
    tensor = TensorProto(name="big", data_type=TensorProto.FLOAT, dims=[64, 64])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


@pytest.fixture
def weights() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {
        "big": rng.normal(size=(64, 64)).astype(np.float32),
        "tiny": rng.normal(size=(64, 2)).astype(np.float32),
    }


@pytest.fixture
def with_reference(write_model, weights):
    """Writes the model with `big` in weights.bin, referred to by the given entries."""

    def write(**entries):
        path = write_model(TEXT, {"big": external(**entries), "tiny": weights["tiny"]})
        (path.parent / "weights.bin").write_bytes(weights["big"].tobytes())
        return path

    return write


@pytest.mark.parametrize("threshold", [0, 1024, 100_000])
@pytest.mark.parametrize("one_file", [True, False])
def test_external_equals_embedded(write_model, weights, threshold, one_file):
    embedded = write_model(TEXT, weights)
    path = embedded.parent / "external.onnx"
    onnx.save_model(
        onnx.load(embedded), path, save_as_external_data=True, size_threshold=threshold,
        all_tensors_to_one_file=one_file, location="weights.bin" if one_file else None,
    )  # fmt: skip

    left, right = Session.open(embedded), Session.open(path)

    assert to_document(left.loss) == to_document(right.loss)
    assert to_document(left.perf) == to_document(right.perf)
    assert [x.num_zeros for x in left.layers] == [x.num_zeros for x in right.layers]
    assert [x.num_bytes for x in left.layers] == [x.num_bytes for x in right.layers]
    for tensor, other in zip(left.model.tensors(), right.model.tensors(), strict=True):
        assert np.array_equal(tensor.read(), other.read())
    expected = 0 if threshold == 100_000 else 1 if one_file or threshold else 2
    assert len(right.model.data_files) == expected


def test_a_generated_model_reads_the_same_either_way(generated):
    left = Session.open(generated("many_layers", num_layers=40))
    right = Session.open(generated("many_layers", num_layers=40, external_data=True))
    assert to_document(left.loss) == to_document(right.loss)
    assert right.model.data_files
    assert left.summary.num_bytes == right.summary.num_bytes


def test_small_external_integers_serve_shape_inference(write_model, tmp_path):
    path = write_model(
        "g (float[2,6] x) => (float[a,b] y) { r = Reshape (x, shape) y = MatMul (r, w) }",
        {"shape": np.array([4, 3], np.int64), "w": np.ones((3, 5), np.float32)},
    )
    moved = tmp_path / "m.onnx"
    onnx.save_model(onnx.load(path), moved, save_as_external_data=True, size_threshold=0)
    (layer,) = Session.open(moved).layers
    assert layer.output_shape == (4, 5)


def test_defaults_of_offset_and_length(with_reference, weights):
    path = with_reference(location="weights.bin")
    assert np.array_equal(open_model(path).main.constants["big"].read(), weights["big"])


def test_a_folder_below_the_model_is_allowed(with_reference, weights):
    path = with_reference(location="sub/folder/weights.bin")
    (path.parent / "sub/folder").mkdir(parents=True)
    (path.parent / "weights.bin").rename(path.parent / "sub/folder/weights.bin")
    assert np.array_equal(open_model(path).main.constants["big"].read(), weights["big"])


def test_a_link_inside_the_folder_is_allowed(with_reference, weights):
    path = with_reference(location="link.bin")
    (path.parent / "link.bin").symlink_to("weights.bin")
    assert np.array_equal(open_model(path).main.constants["big"].read(), weights["big"])


@pytest.mark.parametrize(
    ("entries", "error", "said"),
    [
        ({"location": "none.bin"}, MissingDataError, "no such file"),
        ({"location": "weights.bin", "offset": 4}, MissingDataError, "16384 bytes"),
        ({"location": "weights.bin", "length": 20_000}, MissingDataError, "16384 bytes"),
        ({"location": "weights.bin", "length": 16_380}, InvalidModelError, "needs 16384"),
        ({"location": "weights.bin", "length": 0}, InvalidModelError, "needs 16384"),
        ({"location": "weights.bin", "offset": -4}, InvalidModelError, "offset '-4'"),
        ({"location": "weights.bin", "offset": "1e3"}, InvalidModelError, "offset"),
        ({"location": "weights.bin", "offset": "٣"}, InvalidModelError, "offset"),
        ({"location": "weights.bin", "offset": "9" * 30}, InvalidModelError, "offset"),
        ({"location": "weights.bin", "offset": 2**63}, MissingDataError, "bytes"),
        ({"location": ""}, UnsafePathError, "names no file"),
        ({}, UnsafePathError, "names no file"),
        ({"location": "a\0b"}, UnsafePathError, "names no file"),
        ({"location": "/etc/passwd"}, UnsafePathError, "absolute"),
        ({"location": "C:\\windows\\win.ini"}, UnsafePathError, "absolute"),
        ({"location": "\\\\server\\share"}, UnsafePathError, "absolute"),
        ({"location": "../model.onnx"}, UnsafePathError, "outside"),
        ({"location": "sub/../../model.onnx"}, UnsafePathError, "outside"),
        ({"location": "..\\weights.bin"}, UnsafePathError, "outside"),
        ({"location": "."}, UnsafePathError, "not a regular file"),
        ({"location": "x" * 5000}, MissingDataError, "no such file"),
        # The model's own name, which stripped weights use, is no way around the checks.
        ({"location": "model.onnx"}, InvalidModelError, "needs 16384"),
        ({"location": "model.onnx", "offset": "x", "length": "y"}, InvalidModelError, "offset"),
        ({"location": "model.onnx", "offset": 10**9, "length": 16384}, MissingDataError, "bytes"),
    ],
    ids=lambda value: str(value)[:50].replace("\0", "0"),
)
def test_a_reference_that_cannot_be_followed(with_reference, entries, error, said):
    with pytest.raises(error, match=said):
        open_model(with_reference(**entries))


def test_links_out_of_the_folder_are_refused(with_reference, tmp_path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(64 * 64 * 4))
    path = with_reference(location="link.bin")
    (path.parent / "link.bin").symlink_to(secret)
    with pytest.raises(UnsafePathError, match="link out of the model's folder"):
        open_model(path)

    path = with_reference(location="dir/secret.bin")
    (path.parent / "dir").symlink_to(tmp_path)
    with pytest.raises(UnsafePathError, match="link out"):
        open_model(path)


def test_a_folder_whose_name_begins_alike_is_outside(write_model, weights, tmp_path):
    # A test by string prefix would take /…/models-private for a part of /…/models.
    path = write_model(TEXT, {"big": external(location="link.bin"), "tiny": weights["tiny"]})
    neighbour = path.parent.with_name(path.parent.name + "-private")
    neighbour.mkdir()
    (neighbour / "secret.bin").write_bytes(bytes(16384))
    (path.parent / "link.bin").symlink_to(neighbour / "secret.bin")
    with pytest.raises(UnsafePathError):
        open_model(path)


def test_folders_and_pipes_are_no_data(with_reference):
    path = with_reference(location="pipe")
    os.mkfifo(path.parent / "pipe")
    with pytest.raises(UnsafePathError, match="not a regular file"):
        open_model(path)


@pytest.mark.parametrize("where", ["constant", "branch", "branch constant"])
def test_references_are_checked_wherever_they_stand(write_model, where):
    tensor = external(location="../secret.bin")
    nodes = []
    if where == "constant":
        nodes = [helper.make_node("Constant", [], ["c"], value=tensor)]
    elif where.startswith("branch"):
        inner = [helper.make_node("Constant", [], ["c"], value=tensor)]
        in_node = where == "branch constant"
        branch = helper.make_graph(
            inner if in_node else [], "b", [], [], [] if in_node else [tensor]
        )
        nodes = [helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)]
    graph = helper.make_graph(nodes, "g", [], [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    with pytest.raises(UnsafePathError):
        open_model(write_model(model))


def test_data_that_shrinks_after_opening_is_an_error(with_reference):
    path = with_reference(location="weights.bin")
    session = Session.open(path)
    os.truncate(path.parent / "weights.bin", 100)
    with pytest.raises(MissingDataError, match="became shorter"):
        _ = session.loss


def test_data_that_is_removed_after_opening_is_an_error(with_reference):
    path = with_reference(location="weights.bin")
    session = Session.open(path)
    (path.parent / "weights.bin").unlink()
    with pytest.raises(StudioError):
        _ = session.loss


def test_offsets_beyond_two_gigabytes(write_model, weights):
    offset = 3 * 2**30 - 16384
    path = write_model(
        TEXT, {"big": external(location="huge.bin", offset=offset), "tiny": weights["tiny"]}
    )
    huge = path.parent / "huge.bin"
    with huge.open("wb") as file:  # a hole of 3 GB that takes no room on disk
        file.truncate(offset)
        file.seek(offset)
        file.write(weights["big"].tobytes())
    if huge.stat().st_blocks * 512 > 2**20:
        huge.unlink()
        pytest.skip("This file system has no sparse files.")

    session = Session.open(path)

    assert np.array_equal(session.model.main.constants["big"].read(), weights["big"])
    assert session.layers[0].num_zeros == 0
    huge.unlink()


def test_a_copied_model_needs_its_data(with_reference, tmp_path):
    path = with_reference(location="weights.bin")
    shutil.copy(path, tmp_path / "model.onnx")
    with pytest.raises(MissingDataError, match=r"weights\.bin"):
        open_model(tmp_path / "model.onnx")


def test_files_of_sparse_initializers_belong_to_the_model(write_model, weights):
    path = write_model(TEXT, weights)
    model = onnx.load(path)
    values = external(location="values.bin")
    values.name, values.dims[:] = "thin", [3]
    indices = helper.make_tensor("thin_indices", TensorProto.INT64, [3], [1, 5, 9])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [64, 64]))
    onnx.save(model, path)
    (path.parent / "values.bin").write_bytes(np.ones(3, np.float32).tobytes())

    assert [file.name for file in open_model(path).data_files] == ["values.bin"]
