"""A measured performance analysis as tables: where the time goes, what pruning saves, bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from studio_cli import text
from studio_cli.output import Column

if TYPE_CHECKING:
    from studio_core.layers import Layer
    from studio_core.pruning.masks import Granularity
    from studio_core.pruning.storage_bytes import StorageBytes
    from studio_core.sensitivity import Analysis, PerfCurve
    from studio_core.sensitivity.sweep.profile import RuntimeProfile
    from studio_core.session import Session

Row = tuple[str, ...]

_BUSY_SHARE = 0.1
"""Medians of parts of a quiet run add up to its median within a few percent."""

BYTES_COLUMNS = (
    Column("weights"),
    Column("dense", is_number=True),
    Column("sparse initializers", is_number=True),
    Column("bit masks", is_number=True),
    Column("compressed", is_number=True),
)


class BenchTable:
    """The tables of ``analysis`` at the levels ``shown``; ``profile`` is its run."""

    def __init__(
        self, session: Session, analysis: Analysis, profile: RuntimeProfile, shown: Sequence[float]
    ) -> None:
        from studio_core.pruning.masks import Granularity
        from studio_core.sensitivity import PerfCurve

        self.session = session
        self.profile = profile
        self.shown = shown
        self.curves = {c.layer_id: c for c in analysis.curves if isinstance(c, PerfCurve)}
        asked = analysis.provenance["granularities"]
        self.granularities = [g for g in Granularity if g in asked]
        levels = analysis.provenance["sparsityLevels"]
        self._positions = [levels.index(level) for level in shown]

    @property
    def columns(self) -> list[Column]:
        words = {"element": "zeros", "channel": "channels"}
        return [
            Column("layer", wraps=True),
            Column("operator"),
            Column("ms", is_number=True),
            Column("share", is_number=True),
            Column("MACs", is_number=True),
            Column("GFLOP/s", is_number=True),
            *(
                Column(f"{level:g} {words[granularity]}", is_number=True)
                for level in self.shown
                for granularity in self.granularities
            ),
        ]

    def rows(self) -> Iterator[Row]:
        """A row for each layer, the rest, and the run, which is their sum."""
        yield from (self._row(layer) for layer in self.session.layers)
        profile = self.profile
        pad = ("",) * (len(self.columns) - 4)
        rest = profile.unattributed_ms
        yield ("unattributed", "", _ms(rest), self._share(rest), *pad)
        total = text.with_error(profile.total_ms, profile.total.spread_ms)
        macs = self.session.summary.macs
        yield (
            "the run",
            "",
            total,
            self._share(profile.total_ms),
            text.count(macs),
            self._rate(macs, profile.total_ms),
            *(
                self._saved(list(self.curves.values()), granularity, position, profile.total_ms)
                for position in self._positions
                for granularity in self.granularities
            ),
        )

    def _row(self, layer: Layer) -> Row:
        timing, curve = self.profile.layers.get(layer.id), self.curves.get(layer.id)
        time = None if timing is None else timing.median_ms
        spread = None if timing is None else timing.spread_ms
        return (
            layer.name,
            layer.op_type,
            text.with_error(time, spread),
            self._share(time),
            text.count(layer.macs),
            self._rate(layer.macs, time),
            *(
                self._saved([] if curve is None else [curve], granularity, position, time)
                for position in self._positions
                for granularity in self.granularities
            ),
        )

    def _share(self, time_ms: float | None) -> str:
        total = self.profile.total_ms
        return text.percent(None if time_ms is None or not total else time_ms / total)

    def _rate(self, macs: int | None, time_ms: float | None) -> str:
        """2 × MACs of the whole batch in the time."""
        if macs is None or not time_ms:
            return text.UNKNOWN
        return f"{2.0 * macs * self.profile.batch_size / time_ms / 1e6:.3g}"

    def _saved(
        self,
        curves: Sequence[PerfCurve],
        granularity: Granularity,
        position: int,
        whole_ms: float | None,
    ) -> str:
        """What pruning ``curves`` saves of ``whole_ms``; a layer not timed saves nothing known."""
        saved = [_saved_ms(curve, granularity, position) for curve in curves]
        known = [ms for ms in saved if not math.isnan(ms)]
        return text.percent(sum(known) / whole_ms) if known and whole_ms else text.UNKNOWN

    def byte_rows(self) -> Iterator[Row]:
        """Bytes of all prunable weights, each stored one once: as they are, and pruned."""
        unique = {
            layer.weight.key: self.curves[layer.id]
            for layer in self.session.prunable_layers
            if layer.weight is not None and layer.id in self.curves
        }
        curves = list(unique.values())
        yield from self._bytes("as they are", [c.baseline_stored for c in curves])
        for level, position in zip(self.shown, self._positions, strict=True):
            stored = [None if c.stored is None else c.stored[position] for c in curves]
            yield from self._bytes(f"{level:g} zeros", stored)

    def _bytes(self, title: str, parts: Sequence[StorageBytes | None]) -> Iterator[Row]:
        from studio_core.pruning.storage_bytes import total_bytes

        known = [part for part in parts if part is not None]
        if len(known) < len(parts) or not parts:
            return
        total = total_bytes(known)
        forms = (total.dense, total.sparse_initializer, total.bit_mask, total.compressed)
        yield (title, *map(text.size, forms))

    def busy_line(self) -> str:
        """That the times are those of a busy machine; or nothing."""
        share = self.profile.disturbance_ms / max(self.profile.total_ms, 1e-9)
        if share < _BUSY_SHARE:
            return ""
        return (
            f"The machine was busy: {text.percent(share)} of the run are interruptions that no "
            "layer has as a rule. Measure again when it is quiet."
        )

    def rest_line(self) -> str:
        """What the unattributed rest consists of."""
        profile = self.profile
        kernels = sorted(profile.other_kernels.items(), key=lambda item: -item[1].median_ms)
        parts = [f"{name} {_ms(timing.median_ms)}" for name, timing in kernels]
        parts += [f"between kernels {_ms(profile.between_kernels.median_ms)}"]
        parts += [f"medians that do not add up {_ms(profile.disturbance_ms)}"]
        return f"Unattributed, in ms: {', '.join(parts)}."


def _saved_ms(curve: PerfCurve, granularity: Granularity, position: int) -> float:
    timings = curve.timings_of(granularity)
    if timings is None or curve.baseline_timing_ms is None:
        return math.nan
    return curve.baseline_timing_ms - float(timings[position])


def _ms(value: float) -> str:
    return f"{value:.3g}"
