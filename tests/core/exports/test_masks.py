"""Masks read back as they were, from files that hold no code."""

import io
import json
import pickletools
import zipfile

import numpy as np
import pytest

from studio_core.errors import InvalidRequestError, NotFoundError
from studio_core.exports import ExportSource, export, masks, read_masks
from studio_core.plans.plan import PruningPlan
from studio_core.pruning.masks import Granularity


def _format(name):
    if name == "safetensors":
        pytest.importorskip("safetensors", reason="the extra is not installed")
    return name


@pytest.mark.parametrize("pack_above", [0, 1 << 20], ids=["packed", "plain"])
@pytest.mark.parametrize("format_name", ["npz", "safetensors"])
def test_masks_read_back_equal(format_name, pack_above, source, tmp_path, monkeypatch):
    monkeypatch.setattr(masks, "PACK_ABOVE", pack_above)
    path = tmp_path / "masks"
    path.write_bytes(export(_format(format_name), source).content)
    read = read_masks(path)
    assert list(read) == ["net.0.weight", "onnx::MatMul_17", "=cmd|' /C calc'!A0"]
    for weight in source.weights:
        assert read[weight.key].dtype == np.bool_
        assert np.array_equal(read[weight.key], source.masks[weight.layer.id])
    assert (~read["net.0.weight"]).sum() == 24


def test_safetensors_own_library_reads_them(source):
    safetensors = pytest.importorskip("safetensors.numpy", reason="the extra is not installed")
    arrays = safetensors.load(export("safetensors", source).content)
    assert np.array_equal(arrays["net.0.weight"], source.masks["a"])


def test_the_archive_has_only_plain_arrays_under_harmless_names(source):
    with zipfile.ZipFile(io.BytesIO(export("npz", source).content)) as archive:
        names = archive.namelist()
        assert names == ["mask_0.npy", "mask_1.npy", "mask_2.npy", "studio.masks.npy"]
        for name in names:
            data = archive.read(name)
            assert data.startswith(b"\x93NUMPY")
            with pytest.raises(Exception, match=r"opcode|exhausted"):
                list(pickletools.genops(data[128:]))


def test_masks_of_a_pattern(source):
    patterned = ExportSource(
        source.model, source.layers, PruningPlan({"a": 0.5}), Granularity.CHANNEL
    )
    stored = np.load(io.BytesIO(export("npz", patterned).content))
    assert (~stored["mask_0"].any(axis=1)).sum() == 4


def _npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _index(**entry):
    return np.array(json.dumps([{"name": "w", "shape": [4], "packed": False, **entry}]))


@pytest.mark.parametrize(
    "content",
    [
        _npz(other=np.zeros(2)),
        _npz(**{"studio.masks": _index()}),
        _npz(**{"studio.masks": _index(shape=[5]), "mask_0": np.ones(4, bool)}),
        _npz(
            **{"studio.masks": _index(shape=[64], packed=True), "mask_0": np.ones(4, np.uint8)},
        ),
        b"PK\x03\x04",
    ],
    ids=["no index", "no mask", "wrong shape", "too few bits", "no archive"],
)
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "masks.npz"
    path.write_bytes(content)
    with pytest.raises(InvalidRequestError):
        read_masks(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(NotFoundError):
        read_masks(tmp_path / "none.npz")


def test_without_the_extra_it_says_what_to_install(source, monkeypatch):
    def missing(_):
        raise ImportError

    monkeypatch.setattr(masks.importlib, "import_module", missing)
    with pytest.raises(InvalidRequestError, match="pip install safetensors"):
        export("safetensors", source)
