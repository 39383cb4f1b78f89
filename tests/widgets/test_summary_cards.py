from __future__ import annotations

from dataclasses import replace

import pytest

import studio_widgets as studio
from studio_core.models.model import ValueInfo
from studio_core.samples import sample_path
from studio_core.session import Session

from .fakes import HOSTILE


def test_numbers_are_short_and_exact_in_the_tooltip() -> None:
    session = Session.open(sample_path("digits_cnn"))
    summary = replace(session.summary, num_params=25_557_032, num_bytes=102_228_128)
    value = studio.SummaryCards(summary).value
    assert "25.6\u2009M" in value
    assert 'title="25,557,032"' in value
    assert "97.5\u2009MB" in value
    assert 'title="102,228,128 bytes"' in value


def test_unknown_is_a_dash() -> None:
    session = Session.open(sample_path("digits_cnn"))
    cards = studio.SummaryCards(replace(session.summary, macs=None, sparsity=None))
    assert cards.value.count('studio-unknown">–') == 2


def test_hostile_names_are_escaped() -> None:
    session = Session.open(sample_path("digits_cnn"))
    summary = replace(
        session.summary,
        inputs=(ValueInfo(HOSTILE, "float", (HOSTILE, None, 3)),),
        opset=HOSTILE,
        notes=(HOSTILE,),
    )
    assert "<img" not in studio.SummaryCards(summary).value


def test_unknown_keyword_is_refused() -> None:
    with pytest.raises(TypeError, match="no setting 'colour'"):
        studio.SummaryCards(sample_path("digits_cnn"), colour="red")
