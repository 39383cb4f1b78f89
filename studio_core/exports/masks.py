"""Masks as files that any tool reads without running code: ``.npz`` or ``.safetensors``.

Never pickle. Large masks are packed, eight weights to a byte. `read_masks` reads both.
"""

from __future__ import annotations

import importlib
import io
import json
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio_core.errors import InvalidRequestError, LimitError, NotFoundError
from studio_core.evaluation.array_files import read_arrays
from studio_core.exports.source import Exported, ExportSource
from studio_core.pruning.masks import BoolArray

PACK_ABOVE = 1 << 20
"""Masks of more weights than this are packed; smaller ones stay easy to read."""

INDEX = "studio.masks"

_RESERVED = "__metadata__"
_INSTALL = "Install it with: pip install safetensors. Or choose the format 'npz'."


def to_npz(source: ExportSource) -> Exported:
    """Masks as ``.npz``: arrays ``mask_0``, ``mask_1`` … and their names in `INDEX` (JSON).

    The names stay out of the archive's member names, where a hostile one could be a path.
    """
    arrays, index = _stored(source)
    members = {f"mask_{number}": array for number, array in enumerate(arrays.values())}
    file = io.BytesIO()
    arguments: dict[str, Any] = {**members, INDEX: np.array(json.dumps(index))}
    np.savez_compressed(file, **arguments)
    return Exported(file.getvalue())


def to_safetensors(source: ExportSource) -> Exported:
    """Masks as ``.safetensors`` by weight name; shapes of packed ones in the metadata."""
    arrays, index = _stored(source)
    if _RESERVED in arrays:
        raise InvalidRequestError(f"No mask in safetensors can be called '{_RESERVED}'; use 'npz'.")
    module = _safetensors("safetensors.numpy")
    saved: bytes = module.save(arrays, metadata={INDEX: json.dumps(index)})
    return Exported(saved)


def _stored(source: ExportSource) -> tuple[dict[str, NDArray[Any]], list[dict[str, Any]]]:
    """Arrays by weight key, and for each its name, shape, and whether it is packed."""
    arrays: dict[str, NDArray[Any]] = {}
    index: list[dict[str, Any]] = []
    for weight in source.weights:
        mask = source.masks[weight.layer.id]
        packed = mask.size > PACK_ABOVE
        stored = np.packbits(mask.reshape(-1)) if packed else np.ascontiguousarray(mask)
        arrays[weight.key] = stored
        index.append({"name": weight.key, "shape": list(mask.shape), "packed": packed})
    return arrays, index


def read_masks(path: str | Path) -> dict[str, BoolArray]:
    """Masks by weight name from a file that Studio wrote; True = kept, in the weight's shape.

    Raises `NotFoundError`, and `InvalidRequestError` for any other file.
    """
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"Path {path} does not exist")
    try:
        arrays, index = _load_npz(path) if zipfile.is_zipfile(path) else _load_safetensors(path)
        return {e["name"]: _unpacked(a, e) for a, e in zip(arrays, index, strict=True)}
    except (InvalidRequestError, LimitError):
        raise
    except Exception as error:  # numpy, zip, JSON and safetensors each raise their own
        raise InvalidRequestError(f"{path.name} does not hold masks: {error}") from error


def _load_npz(path: Path) -> tuple[list[NDArray[Any]], list[dict[str, Any]]]:
    stored = read_arrays(path)
    assert isinstance(stored, dict)  # it is a zip
    index = json.loads(str(stored[INDEX]))
    return [stored[f"mask_{number}"] for number in range(len(index))], index


def _load_safetensors(path: Path) -> tuple[list[NDArray[Any]], list[dict[str, Any]]]:
    with _safetensors("safetensors").safe_open(path, framework="np") as file:
        metadata: Mapping[str, str] = file.metadata() or {}
        index = json.loads(metadata[INDEX])
        return [file.get_tensor(entry["name"]) for entry in index], index


def _unpacked(array: NDArray[Any], entry: Mapping[str, Any]) -> BoolArray:
    shape = tuple(entry["shape"])
    if entry["packed"]:
        if array.size != (math.prod(shape) + 7) // 8:  # numpy would add zeros for missing bits
            raise InvalidRequestError(f"Mask '{entry['name']}' has not as many bits as its shape.")
        array = np.unpackbits(array, count=math.prod(shape))
    return array.reshape(shape).astype(np.bool_)


def _safetensors(module: str) -> ModuleType:
    """A module of the optional package."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InvalidRequestError(f"The package 'safetensors' is missing. {_INSTALL}") from error
