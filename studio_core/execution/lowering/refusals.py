"""Why operations without a lowering cannot run on the CPU, each in a sentence."""

from __future__ import annotations

_COLLECTIVE = "It exchanges data between chips; the CPU run has only one."
_COLLECTIVES = (
    "all_gather", "all_reduce", "all_to_all", "reduce_scatter", "collective_permute",
    "collective_broadcast", "mesh_partition", "point_to_point", "partition_id", "replica_id",
    "send", "recv", "all_to_all_dispatch", "all_to_all_combine", "all_slice", "manual_computation",
    "reduce_scatter_async", "all_gather_async", "cross-replica-sum", "mesh_shard_all",
)  # fmt: skip

_REASONS = {
    "generic": "It holds a kernel for the hardware's cores, which the CPU cannot run.",
    "dropout": "It depends on the hardware's random numbers.",
    "rng": "It depends on random numbers that the file does not fix.",
    "rng_bit_generator": "It depends on random numbers that the file does not fix.",
    "sparse_matmul": "Its sparsity pattern has no equivalent in ONNX.",
    "fft": "It computes with complex numbers.",
    "complex": "It computes with complex numbers.",
    "real": "It computes with complex numbers.",
    "imag": "It computes with complex numbers.",
    "infeed": "It reads from a host queue.",
    "outfeed": "It writes to a host queue.",
    "popcnt": "ONNX has no equivalent.",
    "count_leading_zeros": "ONNX has no equivalent.",
    "bitcast_convert": "ONNX has no equivalent.",
}


def reason_of(name: str) -> str:
    """A sentence for an operation that has no entry in the table."""
    short = name.partition(".")[2]
    if short in _COLLECTIVES:
        return _COLLECTIVE
    if short in _REASONS:
        return _REASONS[short]
    if name.partition(".")[0] not in ("ttir", "ttnn", "stablehlo", "chlo"):
        return "Operations of this dialect are not lowered; open the TTIR or TTNN form."
    return "It has no lowering to ONNX yet."


def is_collective(name: str) -> bool:
    return name.partition(".")[2] in _COLLECTIVES
