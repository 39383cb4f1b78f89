"""What a plan brings, in cards: each number says under which condition it is true."""

from __future__ import annotations

import html

from studio_core.plans.latency import PredictedLatency
from studio_core.plans.plan import PlanEstimate
from studio_core.plans.prediction import PredictedLoss
from studio_core.sensitivity.analysis import Source
from studio_widgets import _format
from studio_widgets._performance import time_text
from studio_widgets._verified import metric_label
from studio_widgets.messages import as_html


def estimate_html(
    e: PlanEstimate | None,
    loss: PredictedLoss | None = None,
    latency: PredictedLatency | None = None,
) -> str:
    """The estimates as safe HTML, empty without a plan.

    ``loss`` and ``latency`` are predictions from what was measured, where there is any.
    """
    if e is None:
        return ""
    of_model = f"of prunable weights; {_format.fraction(e.model_sparsity)} of all parameters"
    cards = [
        _card("Sparsity", _format.fraction(e.sparsity), of_model, f"{e.num_zeros:,} zeros"),
        _loss_card(e, loss),
        _card(
            "Size",
            _format.size(e.bytes_dense),
            f"dense; {_format.size(e.bytes_sparse)} if zeros were not stored",
            f"{e.bytes_dense:,} bytes dense, {e.bytes_sparse:,} bytes sparse",
        ),
        _card(
            "MACs left",
            _format.percent(e.flops_share),
            "if the runtime skipped every zero",
            f"{_format.exact(e.flops, 'MACs')} of {_format.exact(e.flops_dense, 'MACs')}",
        ),
    ]
    if latency is not None and latency.value_ms is not None:
        cards.append(_latency_card(latency))
    note = as_html("", e.note, kind="note" if e.achieves_target else "warning") if e.note else ""
    return f'<div class="studio-estimates">{"".join(cards)}</div>{note}'


def _loss_card(e: PlanEstimate, loss: PredictedLoss | None) -> str:
    if loss is None or loss.source is Source.ESTIMATED:
        note = "of the layers' norm removed, root mean square; not measured"
        return _card("Estimated loss", _format.fraction(e.loss), note, str(e.loss))
    source = "measured on random data" if loss.on_random_data else "measured"
    words = f"{loss.aggregation} of {source} single-layer losses; they do not add up: verify"
    value = _format.value(loss.value, loss.standard_error)
    return _card(f"Predicted loss, {metric_label(loss.metric)}", value, words, loss.statement)


def _latency_card(latency: PredictedLatency) -> str:
    note = f"of {time_text(latency.dense_ms)} before; layers measured alone"
    return _card("Predicted time", time_text(latency.value_ms), note, latency.statement)


def _card(title: str, value: str, note: str, exact: str) -> str:
    unknown = " studio-unknown" if value == _format.UNKNOWN else ""
    return (
        f'<div class="studio-estimate" title="{html.escape(exact)}">'
        f'<span class="studio-card-title">{title}</span>'
        f'<span class="studio-card-value{unknown}">{html.escape(value)}</span>'
        f'<span class="studio-card-note">{html.escape(note)}</span></div>'
    )
