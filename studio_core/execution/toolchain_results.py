"""What the toolchain's runtime leaves in its artifacts, by location: times, memory, accuracy.

ops_perf_results.csv    LOC, DEVICE FW DURATION [ns], CORE COUNT; a row for each op
memory_results.json     loc, and dram, l1, l1_small each with total_bytes_allocated_per_bank
                        and total_bytes_per_bank
golden_results.json     expected_pcc and actual_pcc by location
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio_core.errors import StorageError

PERF_FILE, MEMORY_FILE, GOLDEN_FILE = (
    "ops_perf_results.csv", "memory_results.json", "golden_results.json",
)  # fmt: skip
MAX_FILE_BYTES = 512 << 20
_DURATION, _CORES, _LOCATION = "DEVICE FW DURATION [ns]", "CORE COUNT", "LOC"
MEMORIES = ("dram", "l1", "l1_small")


@dataclass(frozen=True, slots=True)
class OpTime:
    """Device time of an op in nanoseconds, all its rows together; ``num_cores`` the most of them,
    None if not said."""

    time_ns: float
    num_cores: int | None


@dataclass(frozen=True, slots=True)
class Accuracy:
    expected_pcc: float
    actual_pcc: float


def bare_location(text: str) -> str:
    """A location without quotes and outer spaces, in which form they are compared."""
    return text.replace('"', "").strip()


def read_perf(path: Path) -> dict[str, OpTime]:
    """Times by bare location; raises `StorageError` for a file that is none of the kind."""
    found: dict[str, OpTime] = {}
    try:
        _check_size(path)
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            rows = csv.DictReader(file)
            missing = {_LOCATION, _DURATION} - set(rows.fieldnames or ())
            if missing:
                raise StorageError(f"{path.name} has no column {' and '.join(sorted(missing))}.")
            for row in rows:
                _add_time(found, row)
    except (OSError, csv.Error) as error:
        raise StorageError(f"{path.name} of the toolchain cannot be read ({error}).") from error
    return found


def _add_time(found: dict[str, OpTime], row: Mapping[str, str | None]) -> None:
    location, duration = bare_location(row.get(_LOCATION) or ""), _number(row.get(_DURATION))
    if not location or duration is None:
        return  # a row of the host, or one that was not measured
    cores = _number(row.get(_CORES))
    former = found.get(location, OpTime(0.0, None))
    counts = [n for n in (former.num_cores, int(cores) if cores is not None else None) if n]
    found[location] = OpTime(former.time_ns + duration, max(counts, default=None))


def read_memory(path: Path) -> dict[str, dict[str, float]]:
    """Fraction of each memory that is allocated, by bare location and memory; `StorageError`."""
    found: dict[str, dict[str, float]] = {}
    for key, entry in _entries(path):
        location = bare_location(str(entry.get("loc", key)))
        shares = {m: s for m in MEMORIES if (s := _share(entry.get(m))) is not None}
        if location and shares:
            # Of several ops at one location the fullest moment counts.
            former = found.get(location, {})
            found[location] = {m: max(s, former.get(m, 0.0)) for m, s in shares.items()}
    return found


def read_golden(path: Path) -> dict[str, Accuracy]:
    """Accuracy by bare location; raises `StorageError`."""
    found: dict[str, Accuracy] = {}
    for key, entry in _entries(path):
        expected, actual = _number(entry.get("expected_pcc")), _number(entry.get("actual_pcc"))
        if expected is not None and actual is not None:
            found[bare_location(str(entry.get("loc", key)))] = Accuracy(expected, actual)
    return found


def _entries(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects of a JSON file, an object of them or a list."""
    try:
        _check_size(path)
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise StorageError(f"{path.name} of the toolchain cannot be read ({error}).") from error
    items = document.items() if isinstance(document, dict) else enumerate(document)
    yield from ((str(key), entry) for key, entry in items if isinstance(entry, Mapping))


def _share(entry: object) -> float | None:
    if not isinstance(entry, Mapping):
        return None
    used = _number(entry.get("total_bytes_allocated_per_bank"))
    size = _number(entry.get("total_bytes_per_bank"))
    return used / size if used is not None and size else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _check_size(path: Path) -> None:
    if path.stat().st_size > MAX_FILE_BYTES:
        raise StorageError(f"{path.name} of the toolchain is too large to be read.")
