"""How large and how deep a file may be that Studio opens: `Limits`, and `LimitError` past one.

The defaults let pass what exporters and compilers write, models of many gigabytes included;
each refusal names its limit, so that who needs more can raise it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from studio_core.errors import LimitError


@dataclass(frozen=True)
class Limits:
    """What a file may ask for. Sizes in bytes, times in seconds; every value is inclusive."""

    max_file_bytes: int = 256 << 30
    """Of an ONNX file; its weights stay on disk."""
    max_structure_bytes: int = 1 << 30
    """Of an ONNX file without its large weights, which is what comes into memory."""
    max_mlir_bytes: int = 512 << 20
    """Of an MLIR file, which is read whole."""
    max_data_bytes: int = 16 << 30
    """Of all arrays of the .npy and .npz files that are read for one thing, unpacked."""
    max_nodes: int = 1_000_000
    """Operations of a model or module, those of subgraphs and expanded functions included."""
    max_nesting: int = 100
    """Protobuf messages inside each other, at most 100 (protobuf's own parsers stop there); a
    subgraph takes three."""
    max_mlir_nesting: int = 1_000
    """Brackets of an MLIR file inside each other."""
    max_elements: int = 1 << 36
    """Of one tensor, as its declared or inferred shape says; 256 GiB of float32."""
    max_name_bytes: int = 16_384
    """Of one name in a model or module."""
    max_graph_bytes: int = 1 << 30
    """Of a file's graphs as JSON, as a page draws them."""
    max_alias_characters: int = 1_000_000
    """Of one MLIR text with its aliases put in; past it the text is kept as written."""
    allow_hard_links: bool = False
    """Whether external data may be a file that has other names elsewhere on the disk."""
    max_open_seconds: float = 120.0
    """For opening a file in a process of its own (guarded.py)."""
    max_open_memory_bytes: int = 8 << 30
    """Of that process."""
    max_job_seconds: float | None = None
    """For one attempt at a job; None for no limit: a sweep may go on for days."""
    max_job_memory_bytes: int | None = None
    """Of the process of a job; None for 80 % of the machine's memory, so that a job fails
    in words before the system ends processes of others."""

    def check(self, name: str, value: float, what: str) -> None:
        """Raise `LimitError` where ``value`` is beyond the limit ``name``.

        ``what`` is the beginning of the sentence, such as "It has 3,000,000 nodes".
        """
        most = getattr(self, name)
        if value > most:
            raise LimitError(beyond(what, name, most))

    def check_shape(self, name: str, shape: Iterable[int | str | None] | None) -> None:
        """Raise `LimitError` for a tensor of more elements than ``max_elements``.

        Unknown and symbolic dimensions count as 1.
        """
        sizes = [d for d in shape or () if isinstance(d, int)]
        count = math.prod(d for d in sizes if d > 0)
        if count > self.max_elements:
            what = f"Tensor '{shortened(name)}' of shape {_listed(sizes)} has {in_digits(count)}"
            raise LimitError(beyond(f"{what} elements", "max_elements", self.max_elements))

    def check_names(self, names: Iterable[str]) -> None:
        """Raise `LimitError` where one of ``names`` is longer than ``max_name_bytes``."""
        most = self.max_name_bytes
        for name in names:
            # Four bytes at most a character; the exact size of few names is asked for.
            if 4 * len(name) > most and len(name.encode("utf-8", "replace")) > most:
                what = f"The name '{shortened(name)}' has {len(name):,} characters"
                raise LimitError(beyond(what, "max_name_bytes", most))


DEFAULT_LIMITS = Limits()


def beyond(what: str, name: str, most: float) -> str:
    """The sentence of every refusal: what the file has, what is allowed, and where to raise it."""
    return (
        f"{what}, more than the limit {name} = {most:,} allows. "
        "If you trust the file, raise that limit."
    )


def shortened(name: str, most: int = 60) -> str:
    """``name``, its end left out where it is long."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _listed(sizes: Sequence[int]) -> str:
    return "×".join(map(str, sizes[:8])) + ("…" if len(sizes) > 8 else "")


def in_digits(count: int) -> str:
    """A count that may have thousands of digits, which nobody reads."""
    return f"{count:,}" if count < 10**18 else f"about 2^{count.bit_length() - 1}"
