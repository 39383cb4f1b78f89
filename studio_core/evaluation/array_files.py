"""Arrays of .npy and .npz files, read only where they are as large as they may be.

A few bytes of a file can claim an array of terabytes, or unpack into one. So the header of each
array is read first: its shape must be that of the bytes that are there, and all arrays together
must be within ``Limits.max_data_bytes``. Objects (pickles) are never read.
"""

from __future__ import annotations

import io
import math
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from studio_core.errors import InvalidRequestError, LimitError, NotFoundError
from studio_core.limits import DEFAULT_LIMITS, Limits, in_digits, shortened

Array = NDArray[Any]

_NPY, _ZIP, _EMPTY_ZIP = b"\x93NUMPY", b"PK\x03\x04", b"PK\x05\x06"
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What numpy writes. Others ask for memory by a number in the file."""

_MOST_DIRECTORY_BYTES = 16 << 20
"""Of a zip's table of contents: more than 100,000 arrays."""

_MOST_END_BYTES = (1 << 16) + 22 + 20 + 56
"""A zip's comment and its end records."""

_MOST_HEADER_BYTES = 10_000
"""numpy's own limit, which it applies once it has read the header."""


@dataclass
class ArrayReader:
    """Reads files that together hold at most ``limits.max_data_bytes`` of numbers."""

    limits: Limits = DEFAULT_LIMITS
    num_bytes: int = 0

    def read(self, path: Path) -> Array | dict[str, Array]:
        """The array of a .npy file, or those of an .npz by name.

        Raises `NotFoundError`, `LimitError`, and `InvalidRequestError` for any other file.
        """
        with _told(path), _opened(path) as file:
            start = file.read(6)
            file.seek(0)
            if start == _NPY:
                return self._array(file, os.fstat(file.fileno()).st_size, path.name)
            if start[:4] not in (_ZIP, _EMPTY_ZIP):
                raise ValueError("it is of neither form")
            _check_directory(file, path.name)
            with zipfile.ZipFile(file) as archive:
                return {_name(i): self._member(archive, i, path.name) for i in archive.infolist()}

    def _member(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> Array:
        where = f"'{shortened(info.filename)}' in {name}"
        if info.compress_type not in _COMPRESSIONS:
            raise ValueError(f"{where} is compressed in a way that numpy does not write")
        with archive.open(info) as file:
            # It unpacks no more than the size that the directory says.
            return self._array(file, info.file_size, where)

    def _array(self, file: IO[bytes], size: int, where: str) -> Array:
        """The array that ``file`` holds in ``size`` bytes, header included."""
        shape, fortran_order, dtype = _header(file)
        num_bytes = math.prod(shape) * dtype.itemsize
        self._count(num_bytes, where)
        if min(shape, default=0) < 0 or num_bytes > size:
            raise ValueError(
                f"{where} says it has {in_digits(num_bytes)} bytes of numbers, and has not"
            )
        data = bytearray(num_bytes)
        if _fill(file, memoryview(data)) < num_bytes:
            raise ValueError(f"{where} ends too early")
        flat = np.frombuffer(data, dtype) if num_bytes else np.empty(math.prod(shape), dtype)
        return flat.reshape(shape, order="F" if fortran_order else "C")

    def _count(self, num_bytes: int, where: str) -> None:
        self.num_bytes += max(0, num_bytes)
        what = f"The data up to {where} hold {in_digits(self.num_bytes)} bytes"
        self.limits.check("max_data_bytes", self.num_bytes, what)


def read_arrays(path: Path, limits: Limits = DEFAULT_LIMITS) -> Array | dict[str, Array]:
    """What `ArrayReader.read` answers, of one file."""
    return ArrayReader(limits).read(path)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran's order, and type; numpy would read a header of any length."""
    version = npy.read_magic(file)
    width = {(1, 0): 2, (2, 0): 4, (3, 0): 4}.get(version)
    if width is None:
        raise ValueError(
            f"it is of version {version[0]}.{version[1]} of its form, which is unknown"
        )
    start = file.read(width)
    length = int.from_bytes(start, "little")
    if length > _MOST_HEADER_BYTES:
        raise ValueError(f"it has a header of {length:,} bytes")
    whole = io.BytesIO(start + file.read(length))
    read = npy.read_array_header_1_0 if width == 2 else npy.read_array_header_2_0
    shape, fortran_order, dtype = read(whole)
    if dtype.hasobject or not dtype.itemsize:
        raise ValueError("it holds Python objects, or nothing, in place of numbers")
    return shape, fortran_order, dtype


def _fill(file: IO[bytes], data: memoryview) -> int:
    """Fill ``data`` as far as ``file`` goes; how many bytes there were."""
    done = 0
    while done < len(data) and (part := file.read(min(len(data) - done, 1 << 20))):
        data[done : done + len(part)] = part
        done += len(part)
    return done


def _name(info: zipfile.ZipInfo) -> str:
    return info.filename.removesuffix(".npy")


def _check_directory(file: IO[bytes], name: str) -> None:
    """Refuse a table of contents so long that its entries alone would fill the memory.

    Its size stands in the zip's end record, or in the one for 64 bits before it (APPNOTE.TXT
    4.3.14 to 4.3.16).
    """
    length = file.seek(0, os.SEEK_END)
    file.seek(max(0, length - _MOST_END_BYTES))
    end = file.read()
    file.seek(0)
    place = end.rfind(b"PK\x05\x06")
    if place < 0:
        return  # zipfile says so too
    (size,) = struct.unpack("<I", end[place + 12 : place + 16])
    if end[max(0, place - 20) : place].startswith(b"PK\x06\x07"):
        wide = end.rfind(b"PK\x06\x06", 0, place)
        (size,) = struct.unpack("<Q", end[wide + 40 : wide + 48]) if wide >= 0 else (length,)
    if size > _MOST_DIRECTORY_BYTES:
        raise ValueError(f"the table of contents of {name} is too long")


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is no regular file")
    with path.open("rb") as file:
        yield file


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise NotFoundError(f"Path {path} does not exist") from None
    except (LimitError, NotFoundError):
        raise
    except MemoryError as error:
        raise LimitError(
            f"{path.name} does not fit into memory. Take fewer samples, or files of smaller ones."
        ) from error
    except (
        ValueError, OSError, EOFError, SyntaxError, TypeError, KeyError, AttributeError,
        RuntimeError, OverflowError, struct.error, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        # numpy and zipfile raise all of these for files that are none of theirs.
        raise InvalidRequestError(f"{path.name} cannot be read as .npy or .npz: {error}") from error
