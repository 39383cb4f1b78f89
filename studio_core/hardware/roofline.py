"""How fast an op can be at best, and is likely to be: the roofline that tt-mlir publishes.

    roofline = max(weight scalars × 17/16 bytes ÷ DRAM bandwidth,
                   tile multiplications × cycles of a tile ÷ (cores × clock))
    estimate = roofline ÷ 0.7

Weights are taken to be bfp8 and the products HiFi2, whatever the module says, as the published
targets do; an op's FLOPs come with the fidelity it asks for. What cannot be known is
None with a reason, and is missing from the sums, which then say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from studio_core.hardware.chips import SystemDescription
from studio_core.hardware.configs import COMPUTE_CONFIG, parse_config
from studio_core.hardware.memory import quotient
from studio_core.hardware.weights import moved_bytes, num_scalars, standing, total
from studio_core.hardware.work import Kind, Work, work_of
from studio_core.mlir.records import Operation

CYCLES: Mapping[str, int] = {"lofi": 16, "hifi2": 32, "hifi3": 48, "hifi4": 64}
"""Cycles of a core for one product of two 32 × 32 tiles, by math fidelity."""

UTILIZATION = 0.7
"""Of the roofline that is reached in practice, by tt-mlir's measurements."""

TARGET_FIDELITY = "hifi2"
DEFAULT_FIDELITY = "hifi4"
"""What the chip's library runs an op at that says nothing."""

_FLOPS_OF_A_TILE = 2 * 32**3
_PUBLISHED: tuple[Kind, ...] = ("matmul", "attention")

NOT_COUNTED = "The roofline counts matrix products, convolutions and attention only."
NO_WEIGHT = "Its second operand is not known to be a weight in DRAM."
ASSUMED = "Assumes that its second operand is a weight in DRAM; the module does not say."
NO_FIGURES = "Bandwidth and clock of {arch} are not known."
NO_SHAPES = "Its arithmetic depends on values that are known at run time only."
TOO_LARGE = "Its numbers are too large to compute with."


@dataclass(frozen=True, slots=True)
class OpRoofline:
    """The best time of one op, in milliseconds, and what bounds it.

    ``is_assumed`` is True where the module does not say that the weights are weights.
    ``flops`` is known more often than the time. ``math_fidelity`` is what the op asks for;
    ``ideal_compute_ms`` its FLOPs at that fidelity's peak; ``ideal_memory_ms`` the time to move
    its tensors through DRAM, for any op whose layouts are known. None is unknown, and ``reason``
    says why.
    """

    operation: str
    name: str | None
    """The named location."""
    kind: Kind | None
    flops: int | None = None
    math_fidelity: str = DEFAULT_FIDELITY
    ideal_compute_ms: float | None = None
    moved_bytes: int | None = None
    """Read from DRAM and written to it, at the data types of the module."""
    ideal_memory_ms: float | None = None
    weight_scalars: int | None = None
    weight_bytes: int | None = None
    tile_multiplications: int | None = None
    dram_ms: float | None = None
    compute_ms: float | None = None
    is_assumed: bool = False
    reason: str = ""

    @property
    def ideal_ms(self) -> float | None:
        """The other published roofline, which knows data types and layouts but no padding.

        For an op that is not counted, the time to move its tensors: no op is faster.
        """
        if self.kind is None:
            return self.ideal_memory_ms
        if self.ideal_compute_ms is None or self.ideal_memory_ms is None:
            return None
        return max(self.ideal_compute_ms, self.ideal_memory_ms)

    @property
    def roofline_ms(self) -> float | None:
        if self.dram_ms is None or self.compute_ms is None:
            return None
        return max(self.dram_ms, self.compute_ms)

    @property
    def estimate_ms(self) -> float | None:
        return self.roofline_ms / UTILIZATION if self.roofline_ms is not None else None

    @property
    def bound(self) -> Literal["DRAM", "compute"] | None:
        if self.dram_ms is None or self.compute_ms is None:
            return None
        return "DRAM" if self.dram_ms >= self.compute_ms else "compute"


@dataclass(frozen=True, slots=True)
class PerfTargets:
    """Sums over ops, as the compiler's ``perf_targets`` has them, times in milliseconds.

    Times are None where no op at all is known. ``num_skipped`` ops would count but lack a
    weight that is known to lie in DRAM.
    """

    params_count: int
    params_memory_bytes: int
    num_dram_bound: int
    num_compute_bound: int
    num_skipped: int
    roofline_ms: float | None
    estimate_ms: float | None


@dataclass(frozen=True, slots=True, eq=False)
class ModuleRoofline:
    """All ops of a module's functions with their rooflines, and the sums.

    ``published`` sums matrix products and attention with known weights, as tt-mlir does; ``total``
    convolutions and assumed weights as well. ``num_unknown`` counts the ops whose time is not in
    the sums. ``peak_flops`` (a second) is that of the ops' own fidelities; None where nothing is
    counted.
    """

    ops: Mapping[Operation, OpRoofline]
    published: PerfTargets
    total: PerfTargets
    total_flops: int
    peak_flops: float | None
    num_unknown: int


def module_roofline(module: Operation, system: SystemDescription) -> ModuleRoofline:
    """The rooflines of the ops that run at every call: those of const-eval functions do not."""
    ops = {operation: op_roofline(operation, system) for operation in _running(module)}
    found = ops.values()
    counted = [op for op in found if op.flops]
    ideal_ms = sum(op.ideal_compute_ms or 0.0 for op in counted)
    total_flops = sum(op.flops or 0 for op in counted)
    return ModuleRoofline(
        ops=ops,
        published=_sums(_as_published(op) for op in found if op.kind in _PUBLISHED),
        total=_sums(found),
        total_flops=total_flops,
        peak_flops=1e3 * total_flops / ideal_ms if ideal_ms else None,
        num_unknown=sum(op.roofline_ms is None for op in found),
    )


def op_roofline(operation: Operation, system: SystemDescription) -> OpRoofline:
    """The roofline of one op on one chip; its times are None with a ``reason`` if unknown."""
    name = operation.location.name if operation.location is not None else None
    work = work_of(operation)
    moved = moved_bytes(operation)
    if work is None:
        return OpRoofline(
            operation.name,
            name,
            None,
            moved_bytes=moved,
            ideal_memory_ms=_moving_ms(moved, system),
            reason=NOT_COUNTED,
        )
    fidelity = math_fidelity(operation)
    try:
        return _timed(operation, name, work, fidelity, system)
    except OverflowError:
        return OpRoofline(operation.name, name, work.kind, reason=TOO_LARGE)


def peak_flops(system: SystemDescription, fidelity: str) -> float | None:
    """FLOPs a second of one chip at a math fidelity; None where clock or fidelity is unknown."""
    clock, cycles = system.chip.clock, CYCLES.get(fidelity)
    if clock is None or cycles is None:
        return None
    return system.chip.num_cores * clock * _FLOPS_OF_A_TILE / cycles


def math_fidelity(operation: Operation) -> str:
    """The fidelity an op asks for in its compute configuration, or the library's default."""
    attribute = operation.attributes.get("compute_config")
    config = parse_config(attribute.text, COMPUTE_CONFIG) if attribute is not None else None
    return (config or {}).get("math_fidelity", DEFAULT_FIDELITY)


def _moving_ms(moved: int | None, system: SystemDescription) -> float | None:
    return quotient(1000 * moved if moved is not None else None, system.chip.dram_bandwidth)


def _timed(
    operation: Operation, name: str | None, work: Work, fidelity: str, system: SystemDescription
) -> OpRoofline:
    chip = system.chip
    standings = [standing(value) for value in work.weights]
    weights = [num_scalars(value) for value in work.weights]
    scalars = total(weights) if None not in standings else None
    size = total([_bfp8_bytes(w) for w in weights]) if scalars is not None else None
    peak = peak_flops(system, fidelity)
    cycles = CYCLES[TARGET_FIDELITY]
    tiles, clock, bandwidth = work.tile_multiplications, chip.clock, chip.dram_bandwidth
    return OpRoofline(
        operation=operation.name,
        name=name,
        kind=work.kind,
        flops=work.flops,
        math_fidelity=fidelity,
        moved_bytes=(moved := moved_bytes(operation)),
        ideal_memory_ms=_moving_ms(moved, system),
        ideal_compute_ms=1e3 * work.flops / peak if peak and work.flops is not None else None,
        weight_scalars=scalars,
        weight_bytes=size,
        tile_multiplications=tiles,
        dram_ms=1e3 * size / bandwidth if bandwidth and size is not None else None,
        compute_ms=(
            1e3 * tiles * cycles / (chip.num_cores * clock) if clock and tiles is not None else None
        ),
        is_assumed="assumed" in standings and scalars is not None,
        reason=_reason(scalars, tiles, "assumed" in standings, system),
    )


def _reason(
    scalars: int | None, tiles: int | None, is_assumed: bool, system: SystemDescription
) -> str:
    if scalars is None:
        return NO_WEIGHT
    if tiles is None:
        return NO_SHAPES
    if system.chip.clock is None or system.chip.dram_bandwidth is None:
        return NO_FIGURES.format(arch=system.arch)
    return ASSUMED if is_assumed else ""


def _as_published(op: OpRoofline) -> OpRoofline:
    """The op as the compiler reckons, which assumes nothing of an operand."""
    return replace(op, dram_ms=None) if op.is_assumed else op


def _sums(ops: Iterable[OpRoofline]) -> PerfTargets:
    candidates = [op for op in ops if op.kind is not None]
    known = [op for op in candidates if op.roofline_ms is not None]
    times = [op.roofline_ms for op in known if op.roofline_ms is not None]
    roofline_ms = sum(times) if times else None
    return PerfTargets(
        params_count=sum(op.weight_scalars or 0 for op in known),
        params_memory_bytes=sum(op.weight_bytes or 0 for op in known),
        num_dram_bound=sum(op.bound == "DRAM" for op in known),
        num_compute_bound=sum(op.bound == "compute" for op in known),
        num_skipped=len(candidates) - len(known),
        roofline_ms=roofline_ms,
        estimate_ms=roofline_ms / UTILIZATION if roofline_ms is not None else None,
    )


def _running(module: Operation) -> Iterator[Operation]:
    """The ops of all functions that run at every call, in the order of the file."""
    waiting = [module]
    while waiting:
        operation = waiting.pop()
        inner = [o for block in operation.blocks() for o in block.operations]
        if not inner:
            if operation is not module:
                yield operation
            continue
        if operation.name != "func.func" or not _is_const_eval(operation):
            waiting.extend(reversed(inner))


def _is_const_eval(function: Operation) -> bool:
    kind = function.attributes.get("tt.function_type")
    return "const_eval" in function.attributes or (kind is not None and "const_eval" in kind.text)


def _bfp8_bytes(scalars: int | None) -> int | None:
    return (scalars * 17 + 8) // 16 if scalars is not None else None
