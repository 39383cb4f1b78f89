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
from studio_core.limits import DEFAULT_LIMITS, Limits
from studio_core.models.tensor import Storage, Tensor

_EXTERNAL = onnx.TensorProto.EXTERNAL


class StorageFinder:
    """Finds where the values of a model's tensors are, checking each file once.

    ``path`` is the model, and ``folder`` the one below which other files must be.
    """

    def __init__(self, path: Path, folder: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        self.path, self.folder, self.limits = path, folder, limits
        self._files: dict[str, tuple[Path, int]] = {}  # with their sizes, by location

    def find(self, tensor: onnx.TensorProto) -> Storage | None:
        """Where the values of ``tensor`` are; None if inline."""
        if tensor.data_location != _EXTERNAL:
            return None
        name = tensor.name
        entries = {entry.key: entry.value for entry in tensor.external_data[:]}
        file, available = self._file(entries.get("location", ""), name)
        # In the model itself, strip_weights has written the place, with its length.
        default = 0 if file is self.path else Tensor(name, tensor, None).num_bytes
        offset = _number(entries, "offset", 0, name)
        length = _number(entries, "length", default, name)
        if offset + length > available:
            raise MissingDataError(
                f"External data file {file.name} has {available} bytes, but tensor "
                f"'{name}' lies at {offset} to {offset + length}. Copy the file again."
            )
        return Storage(file, offset, length)

    def _file(self, location: str, tensor_name: str) -> tuple[Path, int]:
        """The file that ``location`` names, and its size."""
        found = self._files.get(location)
        if found is None:
            # Its own name: by strip_weights, or by the model's author; it needs no search.
            own = location == self.path.name
            file = self.path if own else resolve(location, self.folder, tensor_name)
            stat = file.stat()
            if not own and stat.st_nlink > 1 and not self.limits.allow_hard_links:
                raise UnsafePathError(
                    f"Tensor '{tensor_name}' keeps its values in '{location}', a hard link to a "
                    "file that may belong to another folder. Replace it by a copy, or set the "
                    "limit allow_hard_links."
                )
            found = self._files[location] = (file, stat.st_size)
        return found


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
