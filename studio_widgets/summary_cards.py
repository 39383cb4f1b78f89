"""A model in a few cards: parameters, work, size, zeros, layers, inputs and outputs."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import ipywidgets
import traitlets

from studio_core.layers.summary import ModelSummary
from studio_core.models.model import ValueInfo
from studio_widgets import _format
from studio_widgets._assets import css
from studio_widgets._base import ShortRepr, reject_unknown, settings_of
from studio_widgets._inputs import summary_of


class SummaryCards(ShortRepr, ipywidgets.HTML):
    """Cards with the numbers of a model; exact counts are in the tooltips.

    ``model`` is a `ModelSummary`, an opened model or the path of one.
    """

    summary = traitlets.Instance(ModelSummary)
    """The model in numbers. Type: ModelSummary. Default: given first."""

    def __init__(self, model: Any, **settings: Any) -> None:
        cls = type(self)
        reject_unknown(cls, settings, settings_of(cls, ipywidgets.HTML))
        super().__init__(summary=summary_of(model), **settings)
        self.layout.width = "100%"

    @traitlets.observe("summary")
    def _draw(self, _change: Any) -> None:
        self.value = f"<style>{css('panel')}</style>{_cards(self.summary)}"


def _cards(s: ModelSummary) -> str:
    macs_note = f"{s.num_macs_unknown} layers not known" if s.num_macs_unknown else "one sample"
    cards = [
        _card("Parameters", _format.count(s.num_params), "", _format.exact(s.num_params, "")),
        _card("MACs", _format.count(s.macs), macs_note, _format.exact(s.macs, "")),
        _card("Size", _format.size(s.num_bytes), "constants", _format.exact(s.num_bytes, "bytes")),
        _card("Zeros now", _format.fraction(s.sparsity), "of prunable weights", str(s.sparsity)),
        _card("Prunable", str(s.num_prunable), f"of {s.num_layers} layers", ""),
        _card("Opset", s.opset, "", f"{s.num_nodes} nodes"),
        _values("Inputs", s.inputs),
        _values("Outputs", s.outputs),
    ]
    notes = "".join(f'<p class="studio-note">{html.escape(note)}</p>' for note in s.notes)
    return f'<div class="studio studio-cards">{"".join(cards)}</div>{notes}'


def _card(title: str, value: str, note: str, exact: str) -> str:
    tooltip = f' title="{html.escape(exact.strip())}"' if exact else ""
    unknown = " studio-unknown" if value == _format.UNKNOWN else ""
    return (
        f'<div class="studio-card"{tooltip}><span class="studio-card-title">{title}</span>'
        f'<span class="studio-card-value{unknown}">{html.escape(value)}</span>'
        f'<span class="studio-card-note">{html.escape(note)}</span></div>'
    )


def _values(title: str, values: Sequence[ValueInfo]) -> str:
    texts = [html.escape(_value(value)) for value in values[:4]]
    lines = "".join(f'<span class="studio-value" title="{t}">{t}</span>' for t in texts)
    more = f'<span class="studio-card-note">and {len(values) - 4} more</span>' * (len(values) > 4)
    return (
        f'<div class="studio-card studio-card-wide"><span class="studio-card-title">{title}</span>'
        f"{lines}{more}</div>"
    )


def _value(value: ValueInfo) -> str:
    shape = "shape not known" if value.shape is None else _format.shape(value.shape) or "scalar"
    return f"{value.name}  {value.dtype}  {shape}"
