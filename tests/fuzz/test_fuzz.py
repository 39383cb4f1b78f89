"""A few inputs for each target; ``python -m tests.fuzz --minutes 10`` tries many."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from .targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_read_is_refused_in_words_or_understood(name: str) -> None:
    target = TARGETS[name]
    quick = settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    quick(given(target.inputs)(target.run))()
