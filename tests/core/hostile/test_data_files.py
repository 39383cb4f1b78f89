"""Data files that mean harm: each is refused in words before it takes any memory.

The process may take 200 MB more than it has while it reads, so that whoever allocates what a
file claims fails here and not only on a small machine.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy

from studio_core.errors import InvalidRequestError, LimitError, StudioError
from studio_core.evaluation.array_files import ArrayReader, read_arrays
from studio_core.evaluation.data import samples_from
from studio_core.execution.inputs import read_npz
from studio_core.limits import Limits

resource = pytest.importorskip("resource")

ROOM = 200 << 20
LIMITS = Limits(max_data_bytes=1 << 20)


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_AS)
    most = psutil.Process().memory_info().vms + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def claiming(shape: Any, dtype: Any = "<f4", data: bytes = b"", version: int = 1) -> bytes:
    """A .npy file whose header says whatever it is told."""
    text = str({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text + data


def zipped(*members: bytes, method: int = zipfile.ZIP_STORED, name: str = "x{}.npy") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for number, member in enumerate(members):
            archive.writestr(name.format(number), member)
    return made.getvalue()


def patched(data: bytes, old: bytes, new: bytes) -> bytes:
    assert data.count(old) >= 1 and len(old) == len(new)
    return data.replace(old, new)


def directory_of(entries: int) -> bytes:
    """A zip of many names that are one and the same file."""
    head = zipped(b"")[:-22]
    place = head.index(b"PK\x01\x02")
    entry = head[place:]
    size = entries * len(entry)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, size, place, 0)
    return head[:place] + entry * entries + end


GOOD = np.arange(6, dtype=np.float32).reshape(2, 3)


def good(**options: Any) -> bytes:
    made = io.BytesIO()
    np.save(made, GOOD, **options)
    return made.getvalue()


def bomb(num_bytes: int) -> bytes:
    """A thousandth of what it unpacks into, and true in all it says."""
    return zipped(claiming((num_bytes,), "|u1", bytes(num_bytes)), method=zipfile.ZIP_DEFLATED)


def wide_directory() -> bytes:
    whole = zipped(good())
    place = len(whole) - 22
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 1 << 60, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, place, 1)
    return whole[:place] + record + locator + whole[place:]


TOO_LARGE: dict[str, Callable[[], bytes]] = {
    "10^12 elements": lambda: claiming((10**6, 10**6)),
    "a shape of a thousand digits": lambda: claiming((10**999, 10**999)),
    "a product beyond 64 bits": lambda: claiming((2**32, 2**32)),
    "10^12 elements, zipped": lambda: zipped(claiming((10**12,))),
    "a zip bomb": lambda: bomb(20 << 20),
    "many that are small": lambda: zipped(*[claiming((50_000,), "|u1", bytes(50_000))] * 30),
    "one file, many names": lambda: zipped(
        *[claiming((1 << 19,), "|u1", bytes(1 << 19))] * 3, method=zipfile.ZIP_DEFLATED
    ),
}

DAMAGED: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "neither form": lambda: b"\x00" * 100,
    "a pickle": lambda: b"\x80\x04\x95" + bytes(50),
    "an array of objects": lambda: claiming((2,), "|O", bytes(16)),
    "objects inside a record": lambda: claiming((2,), [("a", "<f4"), ("b", "|O")], bytes(24)),
    "no size at all": lambda: claiming((10**12,), "|V0"),
    "text without letters": lambda: claiming((10**12,), "<U0"),
    "fewer numbers than it says": lambda: claiming((100,), "<f4", bytes(8)),
    "a negative dimension": lambda: claiming((-1, -100), "<f4", bytes(400)),
    "true is no dimension": lambda: claiming((True, "2"), "<f4", bytes(400)),
    "an unknown type": lambda: claiming((2,), "<zz9", bytes(400)),
    "a type of types": lambda: claiming((2,), [("a", ("<f4", (10**12,)))], bytes(400)),
    "no dictionary": lambda: patched(good(), b"{'descr'", b"['descr'"),
    "nested brackets": lambda: claiming((1,), "(" * 3000),
    "an unknown version": lambda: patched(good(), b"NUMPY\x01\x00", b"NUMPY\x09\x00"),
    "a header of gigabytes": lambda: b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(9999),
    "a header of megabytes, packed": lambda: zipped(
        b"\x93NUMPY\x02\x00" + struct.pack("<I", 300 << 20) + bytes(30 << 20),
        method=zipfile.ZIP_DEFLATED,
    ),
    "cut off": lambda: good()[:-3],
    "a zip cut off": lambda: zipped(good())[:-30],
    "a member that is no array": lambda: zipped(b"hello", name="{}.txt"),
    "a directory of 40 MB": lambda: directory_of(800_000),
    "a directory of 64 bits": wide_directory,
    "lzma": lambda: zipped(good(), method=zipfile.ZIP_LZMA),
    "bzip2": lambda: zipped(good(), method=zipfile.ZIP_BZIP2),
    "encrypted": lambda: patched(
        zipped(good()), b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
    ),
    "a wrong checksum": lambda: zipped(good()).replace(GOOD.tobytes(), bytes(24), 1),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_is_too_large_is_refused_with_the_name_of_the_limit(tmp_path: Path, name: str) -> None:
    path = tmp_path / "data"
    path.write_bytes(TOO_LARGE[name]())
    with pytest.raises(LimitError, match=r"max_data_bytes = 1,048,576 allows"):
        read_arrays(path, LIMITS)


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_damaged_is_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    path = tmp_path / "data"
    path.write_bytes(DAMAGED[name]())
    with pytest.raises(InvalidRequestError, match=r"^data cannot be read as \.npy or \.npz: ."):
        read_arrays(path, LIMITS)


def test_a_claim_within_the_limit_takes_no_memory_that_the_file_does_not_fill(
    tmp_path: Path,
) -> None:
    for wrapped in (claiming((10**8,)), zipped(claiming((10**8,)))):
        (tmp_path / "data").write_bytes(wrapped)
        with pytest.raises(InvalidRequestError, match="says it has 400,000,000 bytes"):
            read_arrays(tmp_path / "data")


def test_a_size_that_is_a_lie_unpacks_no_more_than_it_says(tmp_path: Path) -> None:
    """The directory says 208 bytes; 20 MB would come out."""
    whole = bomb(20 << 20)
    true, false = struct.pack("<L", (20 << 20) + 128), struct.pack("<L", 208)
    lie = whole.replace(true, false)
    assert lie != whole
    path = tmp_path / "lie.npz"
    path.write_bytes(lie)
    with pytest.raises((InvalidRequestError, LimitError)):
        read_arrays(path, Limits())


def test_nothing_but_a_regular_file_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npy")
    for path in (tmp_path / "pipe.npy", Path("/dev/zero"), tmp_path):
        with pytest.raises(InvalidRequestError, match="no regular file"):
            read_arrays(path)


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "|b1", "<i8", "<f2", "<c16", "<U5", "|u1"])
def test_what_numpy_writes_is_read_as_numpy_reads_it(
    tmp_path: Path, dtype: str, order: Any
) -> None:
    array = np.asarray(GOOD.astype(dtype), order=order)
    rest = {"scalar": np.float32(3), "empty": np.zeros((0, 4), dtype), "a/b": array[0]}
    np.save(tmp_path / "one.npy", array)
    found = read_arrays(tmp_path / "one.npy")
    assert isinstance(found, np.ndarray) and found.dtype == array.dtype
    assert np.array_equal(found, array)
    for write in (np.savez, np.savez_compressed):
        write(tmp_path / "all.npz", array=array, **rest)
        read = read_arrays(tmp_path / "all.npz")
        with np.load(tmp_path / "all.npz") as expected:
            assert list(read) == expected.files
            for name in expected.files:
                assert read[name].dtype == expected[name].dtype
                assert np.array_equal(read[name], expected[name])
                assert read[name].shape == expected[name].shape


def test_exactly_the_limit_is_read_and_a_folder_counts_as_one(
    tmp_path: Path, open_text: Any
) -> None:
    for number in range(3):
        np.savez(tmp_path / f"{number}.npz", x=np.zeros(4, np.float32))
    reader = ArrayReader(Limits(max_data_bytes=16))
    reader.read(tmp_path / "0.npz")
    with pytest.raises(LimitError, match="hold 32 bytes, more than the limit max_data_bytes = 16 "):
        reader.read(tmp_path / "1.npz")
    session = open_text(
        "g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }", limits=Limits(max_data_bytes=47)
    )
    with pytest.raises(LimitError, match="max_data_bytes = 47 "):
        samples_from(tmp_path, session.model)
    with pytest.raises(LimitError, match="max_data_bytes = 15 "):
        read_npz(tmp_path / "0.npz", Limits(max_data_bytes=15))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_damage_at_any_place_is_refused_or_read(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from([good(), zipped(good(), good()), bomb(1000)])))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        read_arrays(path, LIMITS)
    except StudioError as error:
        assert isinstance(error, (InvalidRequestError, LimitError))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.integers(-(2**70), 2**70), max_size=5), st.sampled_from(["<f4", "|u1", "<U9"]))
def test_no_shape_takes_memory_that_the_file_does_not_have(
    tmp_path: Path, shape: list[int], dtype: str
) -> None:
    path = tmp_path / "shape.npy"
    path.write_bytes(claiming(tuple(shape), dtype, bytes(64), version=2))
    try:
        found = read_arrays(path, Limits())
    except StudioError:
        return
    assert isinstance(found, np.ndarray) and found.nbytes <= 64


def test_the_headers_made_here_are_numpys_own() -> None:
    file = io.BytesIO(claiming((2, 3)))
    assert npy.read_magic(file) == (1, 0)
    assert npy.read_array_header_1_0(file) == ((2, 3), False, np.dtype("<f4"))
