"""How much a layer minds being pruned, and what pruning it saves: estimates and measurements."""

from studio_core.sensitivity.analysis import (
    Analysis,
    AnalysisKind,
    LossCurve,
    Metric,
    PerfCurve,
    Source,
)
from studio_core.sensitivity.flops import estimate_perf
from studio_core.sensitivity.levels import DEFAULT_LEVELS, full_grid
from studio_core.sensitivity.magnitude import estimate_loss

__all__ = [
    "DEFAULT_LEVELS",
    "Analysis",
    "AnalysisKind",
    "LossCurve",
    "Metric",
    "PerfCurve",
    "Source",
    "estimate_loss",
    "estimate_perf",
    "full_grid",
]
