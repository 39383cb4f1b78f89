"""What a plan brings, in cards: each number says under which condition it is true."""

from __future__ import annotations

import html

from studio_core.plans.plan import PlanEstimate
from studio_widgets import _format
from studio_widgets.messages import as_html


def estimate_html(e: PlanEstimate | None) -> str:
    """The estimates as safe HTML, empty without a plan."""
    if e is None:
        return ""
    of_model = f"of prunable weights; {_format.fraction(e.model_sparsity)} of all parameters"
    cards = [
        _card("Sparsity", _format.fraction(e.sparsity), of_model, f"{e.num_zeros:,} zeros"),
        _card(
            "Estimated loss",
            _format.fraction(e.loss),
            "of the layers' norm removed, root mean square; not measured",
            str(e.loss),
        ),
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
    note = as_html("", e.note, kind="note" if e.achieves_target else "warning") if e.note else ""
    return f'<div class="studio-estimates">{"".join(cards)}</div>{note}'


def _card(title: str, value: str, note: str, exact: str) -> str:
    unknown = " studio-unknown" if value == _format.UNKNOWN else ""
    return (
        f'<div class="studio-estimate" title="{html.escape(exact)}">'
        f'<span class="studio-card-title">{title}</span>'
        f'<span class="studio-card-value{unknown}">{html.escape(value)}</span>'
        f'<span class="studio-card-note">{html.escape(note)}</span></div>'
    )
