"""A verified plan in a table: what was predicted, and what its run gave."""

from __future__ import annotations

import html
import math

from studio_core.evaluation.metrics import METRICS
from studio_core.plans.latency import PredictedLatency
from studio_core.plans.verification import Verification
from studio_widgets import _format
from studio_widgets._performance import time_text

_NOT_PREDICTED = ""


def verification_html(v: Verification, latency: PredictedLatency | None = None) -> str:
    """Predicted and actual side by side, as safe HTML; ``latency`` is what was predicted."""
    rows = [_loss_row(v), *_accuracy_rows(v), *_cost_rows(v), *_latency_rows(v, latency)]
    body = "".join(_row(*cells) for cells in rows)
    number = v.loss.num_samples
    data = f"{number:,} sample{'s' * (number != 1)}{' of random data' * v.on_random_data}"
    head = (
        '<tr><th scope="col"></th><th scope="col">predicted</th>'
        f'<th scope="col">actual, {data}</th></tr>'
    )
    notes = "".join(f'<p class="studio-note">{html.escape(note)}</p>' for note in _notes(v))
    return (
        f'<table class="studio-verified"><thead>{head}</thead><tbody>{body}</tbody></table>{notes}'
    )


def _loss_row(v: Verification) -> tuple[str, str, str]:
    predicted = _format.UNKNOWN
    if v.predicted is not None and v.is_comparable:
        predicted = _format.value(v.predicted.value, v.predicted.standard_error)
    actual = _format.value(v.loss.mean, v.loss.standard_error)
    return f"Loss ({metric_label(v.loss.metric)})", predicted, actual


def _accuracy_rows(v: Verification) -> list[tuple[str, str, str]]:
    if v.accuracy is None:
        return []
    a = v.accuracy
    counts = f"{a.num_correct_dense} → {a.num_correct} of {a.num_samples}"
    shares = f"{_format.percent(a.dense)} → {_format.percent(a.pruned)}"
    return [("Accuracy, before → after", _NOT_PREDICTED, f"{shares}  ({counts})")]


def _cost_rows(v: Verification) -> list[tuple[str, str, str]]:
    e, c = v.estimate, v.costs
    rows = [
        (
            "Zeros",
            "" if e is None else f"{e.num_zeros:,}",
            f"{c.num_zeros:,}  ({_format.percent(c.sparsity)})",
        ),
        (
            "Size if zeros were not stored",
            "" if e is None else _format.size(e.bytes_sparse),
            f"{_format.size(c.bytes_sparse)} of {_format.size(c.bytes_dense)}",
        ),
    ]
    if c.bytes_compressed is not None:
        before = _format.size(c.bytes_compressed_dense)
        after = f"{before} → {_format.size(c.bytes_compressed)}"
        rows.append(("Size compressed, before → after", _NOT_PREDICTED, after))
    if c.flops is not None:
        left = "" if e is None else _format.count(e.flops)
        rows.append(("MACs left if zeros were skipped", left, _format.count(c.flops)))
    return rows


def _latency_rows(
    v: Verification, predicted: PredictedLatency | None
) -> list[tuple[str, str, str]]:
    if v.latency is None:
        return []
    found = v.latency
    expected = _NOT_PREDICTED
    if predicted is not None and predicted.value_ms is not None:
        expected = _before_after(predicted.dense_ms, predicted.value_ms)
    spread = time_text(found.pruned_spread_ms / 2)
    actual = f"{_before_after(found.dense_ms, found.pruned_ms)} ± {spread}"
    return [("Time of a run, before → after", expected, actual)]


def _before_after(dense_ms: float | None, pruned_ms: float | None) -> str:
    times = f"{time_text(dense_ms)} → {time_text(pruned_ms)}"
    if not dense_ms or pruned_ms is None:
        return times
    return f"{times} ({_format.percent(pruned_ms / dense_ms)})"


def _notes(v: Verification) -> list[str]:
    notes = []
    if v.predicted is None or not v.is_comparable:
        notes.append(
            "The estimate from the weights is no loss of this kind. Measure with this metric to "
            "have a prediction."
        )
    elif loses_more_together(v):
        notes.append("Pruned together the layers lose more than the sum of each alone.")
    if v.on_random_data:
        notes.append("Random data tells plans apart; it does not tell the true loss.")
    if v.latency is not None:
        threads = f"{v.latency.num_threads} thread{'s' * (v.latency.num_threads != 1)}"
        notes.append(
            f"Times are of a batch of {v.latency.batch_size} on {threads}. The prediction adds up "
            "layers of a profiled run, which costs time of its own: compare the shares."
        )
    if v.skipped:
        notes.append(f"{len(v.skipped)} layers could not be pruned as planned.")
    return notes


def loses_more_together(v: Verification) -> bool:
    """Whether the run was worse than predicted, by more than twice what chance explains."""
    if v.predicted is None:
        return False
    error = math.hypot(v.predicted.standard_error or 0.0, v.loss.standard_error or 0.0)
    return v.loss.mean - v.predicted.value > 2 * error


def _row(what: str, predicted: str, actual: str) -> str:
    cells = "".join(f"<td>{html.escape(text)}</td>" for text in (predicted, actual))
    return f'<tr><th scope="row">{html.escape(what)}</th>{cells}</tr>'


def metric_label(metric: str) -> str:
    """What a loss in this metric is called."""
    found = METRICS.get(metric)
    if found is None:
        return metric
    return f"{found.label} lost" if found.higher_is_better else found.label
