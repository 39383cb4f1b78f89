"""The family of errors: one root, the tree as its file draws it, sentences for people."""

from __future__ import annotations

import inspect
import re

import pytest

from studio_core import errors
from studio_core.errors import StudioError


def family() -> list[type[StudioError]]:
    found = [c for _, c in inspect.getmembers(errors, inspect.isclass)]
    return [c for c in found if c.__module__ == errors.__name__]


def test_every_error_is_of_the_family():
    assert all(issubclass(c, StudioError) for c in family())
    assert len(family()) > 8


def test_the_drawing_at_the_top_is_the_truth():
    drawn = set(re.findall(r"\b[A-Z]\w+Error\b", str(errors.__doc__)))
    assert drawn == {c.__name__ for c in family()}
    beneath = set(re.findall(r"│\s+[├└]── (\w+)", str(errors.__doc__)))
    assert beneath == {c.__name__ for c in family() if c.__base__ not in (StudioError, Exception)}


@pytest.mark.parametrize("error", family(), ids=lambda c: c.__name__)
def test_each_has_a_sentence_and_keeps_its_message(error):
    assert error.__doc__ and error.__doc__.rstrip().endswith((".", "on."))
    assert (
        error("The file is empty.").message
        == str(error("The file is empty."))
        == ("The file is empty.")
    )
