"""``--state-dict FILE``: the weights of the training code, to find their names by their values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio_core.errors import InvalidRequestError, NotFoundError


def read_state_dict(path: Path) -> dict[str, Any]:
    """Arrays by parameter name from .npz or .safetensors; never unpickled."""
    if not path.is_file():
        raise NotFoundError(f"Path {path} does not exist.")
    if path.suffix == ".npz":
        return _from_npz(path)
    if path.suffix == ".safetensors":
        return _from_safetensors(path)
    raise InvalidRequestError(
        f"{path} must be .npz or .safetensors. Write it with numpy.savez(path, **{{name: "
        "tensor.numpy() for name, tensor in model.state_dict().items()})."
    )


def _from_npz(path: Path) -> dict[str, Any]:
    from studio_core.evaluation.array_files import read_arrays

    arrays = read_arrays(path)
    if not isinstance(arrays, dict):
        raise InvalidRequestError(f"{path} is one array, and no .npz of arrays by name.")
    return arrays


def _from_safetensors(path: Path) -> dict[str, Any]:
    try:
        from safetensors.numpy import load_file
    except ImportError as error:
        raise InvalidRequestError(
            "The package 'safetensors' is missing: pip install safetensors. Or give a .npz."
        ) from error
    try:
        return dict(load_file(path))
    except Exception as error:  # safetensors raises its own, and KeyError for unknown types
        raise InvalidRequestError(f"{path} cannot be read: {error}") from error
