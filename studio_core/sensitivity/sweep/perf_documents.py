"""Timings and run profiles as JSON-ready values, both ways: what a perf analysis keeps of them.

They stand in the provenance of an analysis, raw: with them a run can go on where it was,
and anyone can look at what was seen before `MeasuredPerf` says what may be relied on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio_core.errors import InvalidRequestError
from studio_core.sensitivity.analysis import Analysis
from studio_core.sensitivity.sweep.perf_sweep import PerfMeasurement
from studio_core.sensitivity.sweep.profile import RuntimeProfile
from studio_core.sensitivity.sweep.timing import Comparison, Timing, Verdict

_FAULTS = (AttributeError, KeyError, TypeError, ValueError)
"""What reading a document raises that is not of the form it should be."""


def perf_measurements_of(analysis: Analysis) -> list[PerfMeasurement]:
    """The measurements of an earlier analysis, from which a sweep may go on."""
    try:
        return [_measurement(entry) for entry in analysis.provenance.get("timings", ())]
    except _FAULTS as error:
        raise _damaged(analysis) from error


def run_profile_of(analysis: Analysis) -> RuntimeProfile | None:
    """Where the time of a whole run went when it was measured; None where it was not."""
    document = analysis.provenance.get("run")
    if document is None:
        return None
    try:
        return _profile(document, analysis.provenance)
    except _FAULTS as error:
        raise _damaged(analysis) from error


def _damaged(analysis: Analysis) -> InvalidRequestError:
    return InvalidRequestError(
        f"The timings of the analysis '{analysis.name}' cannot be read. Measure it anew."
    )


def measurement_document(measurement: PerfMeasurement) -> dict[str, Any]:
    """One measurement; times in milliseconds."""
    found = measurement.comparison
    return {
        "id": measurement.layer_id,
        "sparsity": measurement.sparsity,
        "granularity": str(measurement.granularity),
        "numChannels": measurement.num_channels,
        "timing": _timing_document(found.timing),
        "baseline": _timing_document(found.baseline),
        "gain": found.gain,
        "pValue": found.p_value,
        "verdict": str(found.verdict),
    }


def _measurement(entry: Mapping[str, Any]) -> PerfMeasurement:
    verdict = Verdict(entry["verdict"])
    gain = None if entry["gain"] is None else float(entry["gain"])
    comparison = Comparison(
        _timing(entry["timing"]), _timing(entry["baseline"]), gain, float(entry["pValue"]), verdict
    )
    return PerfMeasurement(entry["id"], entry["sparsity"], comparison, entry["numChannels"])


def profile_document(profile: RuntimeProfile) -> dict[str, Any]:
    """Where the time of a run goes; ``layersMs`` and ``unattributedMs`` are its total."""
    return {
        "total": _timing_document(profile.total),
        "layers": {i: _timing_document(t) for i, t in profile.layers.items()},
        "layersMs": profile.layers_ms,
        "unattributedMs": profile.unattributed_ms,
        "otherKernels": {n: _timing_document(t) for n, t in profile.other_kernels.items()},
        "betweenKernels": _timing_document(profile.between_kernels),
        "unattributed": dict(profile.unattributed),
    }


def _profile(document: Mapping[str, Any], conditions: Mapping[str, Any]) -> RuntimeProfile:
    return RuntimeProfile(
        {i: _timing(t) for i, t in document["layers"].items()},
        {n: _timing(t) for n, t in document["otherKernels"].items()},
        _timing(document["betweenKernels"]),
        _timing(document["total"]),
        dict(document["unattributed"]),
        conditions["engine"],
        conditions["versions"][conditions["engine"]],
        conditions["numThreads"],
        conditions["warmup"],
        document["total"]["numIterations"],
        conditions["batchSize"],
        conditions["cpu"],
    )


def _timing_document(timing: Timing) -> dict[str, Any]:
    return {
        "median": timing.median_ms,
        "q1": timing.q1_ms,
        "q3": timing.q3_ms,
        "numIterations": timing.num_iterations,
    }


def _timing(part: Mapping[str, Any]) -> Timing:
    median, q1, q3 = (float(part[key]) for key in ("median", "q1", "q3"))
    return Timing(median, q1, q3, int(part["numIterations"]))
