"""Finding a model's external data, and refusing paths that leave the model's folder.

The reference (location, offset, length) is a string from an untrusted file; reading
whatever it names has been the way into several ONNX tools (CVE-2022-25882,
CVE-2024-27318). A location is taken as a path below the model's folder, by component,
after links are followed.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

import onnx

from studio_core.errors import InvalidModelError, MissingDataError, UnsafePathError
from studio_core.models.tensor import Storage


def locate(tensor: onnx.TensorProto, folder: Path, num_bytes: int) -> Storage:
    """The storage of an external tensor that takes ``num_bytes`` below ``folder``."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    file = resolve(entries.get("location", ""), folder, tensor.name)
    return storage(entries, file, num_bytes, tensor.name)


def storage(entries: dict[str, str], file: Path, num_bytes: int, tensor_name: str) -> Storage:
    """The place in ``file`` that the ``entries`` name, by default ``num_bytes`` from its start."""
    offset = _number(entries, "offset", 0, tensor_name)
    length = _number(entries, "length", num_bytes, tensor_name)
    available = file.stat().st_size
    if offset + length > available:
        raise MissingDataError(
            f"External data file {file.name} has {available} bytes, but tensor "
            f"'{tensor_name}' lies at {offset} to {offset + length}. Copy the file again."
        )
    return Storage(file, offset, length)


def resolve(location: str, folder: Path, tensor_name: str) -> Path:
    """The file that ``location`` names, below ``folder`` whatever it says."""
    what = f"Tensor '{tensor_name}' keeps its values in '{location}'"
    if not location or "\0" in location:
        raise UnsafePathError(f"Tensor '{tensor_name}' names no file for its external data.")
    windows, posix = PureWindowsPath(location), PurePosixPath(location)
    if posix.is_absolute() or windows.drive or windows.root:
        raise UnsafePathError(f"{what}, an absolute path; Studio reads only beside the model.")
    if ".." in posix.parts or ".." in windows.parts:
        raise UnsafePathError(f"{what}, outside the model's folder; Studio does not read it.")
    path = folder / location
    if not exists(path):
        raise MissingDataError(
            f"{what}, and there is no such file beside the model. Put it into {folder}."
        )
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UnsafePathError(
            f"{what}, a link out of the model's folder. Replace the link by a copy of the file."
        )
    if not path.is_file():
        raise UnsafePathError(f"{what}, which is not a regular file.")
    return path


def exists(path: Path) -> bool:
    """Whether there is such a file; a name that the system cannot hold is none either."""
    try:
        return path.exists()
    except OSError:
        return False


def _number(entries: dict[str, str], key: str, default: int, tensor_name: str) -> int:
    text = entries.get(key, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise InvalidModelError(f"Tensor '{tensor_name}' has an invalid external {key} '{text}'.")
    return int(text)
